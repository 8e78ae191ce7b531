"""How much is served at once: what is too much is told to come back, and no way of ending a call leaks its place."""

import asyncio

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from millwright_local.processes import until
from millwright_local.testing.refusals import refused
from millwright_runtime.concurrency import admission
from prometheus_client import REGISTRY

HOURS = 10_000.0


class Held:
    """A behavior that waits until it is let go; tells who has begun and who has ended."""

    def __init__(self):
        self.release = asyncio.Event()
        self.begun = asyncio.Semaphore(0)
        self.ended = asyncio.Semaphore(0)

    async def unary(self, request, context):
        self.begun.release()
        try:
            await self.release.wait()
        finally:
            self.ended.release()
        return StringValue()

    async def stream(self, request, context):
        yield await self.unary(request, context)

    async def chatter(self, request, context):
        self.begun.release()
        try:
            while True:
                yield StringValue(value="x" * 1000)
        finally:
            self.ended.release()


@pytest.fixture
def held(served):
    held = Held()
    served.shapes.behavior.update(
        unary_unary=held.unary, stream_unary=held.unary, unary_stream=held.stream, stream_stream=held.stream
    )
    return held


async def fill(served, held, shape):
    calls = [served.call(shape) for _ in range(2)]
    tasks = [asyncio.ensure_future(anext(aiter(call)) if shape.endswith("_stream") else call) for call in calls]
    for _ in calls:
        await held.begun.acquire()
    return calls, tasks


async def idle(served):
    """Wait until the interceptor counts nobody."""

    async def is_idle():
        return served.interceptor.admission.calls == served.interceptor.streams.calls == 0

    await until(is_idle, 5)


@pytest.mark.parametrize("shape", ["unary_unary", "unary_stream"])
async def test_one_call_too_many_is_told_to_come_back_and_the_others_finish(served, held, shape):
    _, tasks = await fill(served, held, shape)
    refusal = await refused(served.call(shape))
    assert (refusal.code, refusal.reason) == ("RESOURCE_EXHAUSTED", "TOO_MANY_CALLS")
    assert refusal.pushback == "1000"
    assert refusal.retry_info.retry_delay.seconds == 1
    held.release.set()
    await asyncio.gather(*tasks)


@pytest.mark.parametrize("shape", ["unary_unary", "unary_stream"])
async def test_what_must_not_wait_is_always_admitted(served, held, shape):
    _, tasks = await fill(served, held, shape)
    held.release.set()
    call = served.call(shape, method=f"{shape}_always")
    await (anext(aiter(call)) if shape.endswith("_stream") else call)
    await asyncio.gather(*tasks)


async def test_who_is_refused_holds_no_seat(served, held):
    _, tasks = await fill(served, held, "unary_unary")
    for _ in range(3):
        await refused(served.call("unary_unary"))
    assert served.interceptor.admission.calls == 2
    held.release.set()
    await asyncio.gather(*tasks)
    for bad in ((), (("authorization", "Bearer nobody"),)):
        await refused(served.call("unary_unary", metadata=bad))
    assert served.interceptor.admission.calls == 0


@pytest.fixture
def late(served, monkeypatch):
    """The process is so late that one call is served at once."""
    monkeypatch.setattr(admission, "_FEWEST", 1)
    for _ in range(2):
        served.interceptor.admission.look(HOURS)


@pytest.mark.usefixtures("late")
async def test_a_process_that_is_late_lets_fewer_in_and_what_must_not_wait_all_the_same(served, held, monkeypatch):
    monkeypatch.setattr(admission, "_SURE", 0)
    call = served.call("unary_unary")
    await held.begun.acquire()
    assert (await refused(served.call("unary_unary"))).reason == "TOO_MANY_CALLS"
    always = served.call("unary_unary", method="unary_unary_always")
    await held.begun.acquire()
    held.release.set()
    await asyncio.gather(call, always)
    await idle(served)


@pytest.mark.usefixtures("late")
async def test_a_process_that_is_late_serves_a_call_once_another_has_ended(served, held):
    calls = [asyncio.ensure_future(served.call("unary_unary")) for _ in range(2)]
    await held.begun.acquire()
    held.release.set()
    await asyncio.gather(*calls)
    await idle(served)


@pytest.mark.usefixtures("late")
async def test_a_client_that_leaves_while_it_waits_gives_its_place_back(served, held):
    first = served.call("unary_unary")
    await held.begun.acquire()
    second = served.call("unary_unary")

    async def is_waiting():
        return served.interceptor.admission.calls == 2

    await until(is_waiting, 5)
    second.cancel()
    held.release.set()
    await first
    await idle(served)


async def test_streams_leave_room_for_unary_calls(served, held):
    _, streams = await fill(served, held, "unary_stream")
    _, unary = await fill(served, held, "unary_unary")
    held.release.set()
    await asyncio.gather(*streams, *unary)


@pytest.mark.parametrize("shape", ["unary_unary", "unary_stream", "stream_unary", "stream_stream"])
async def test_a_client_that_leaves_gives_its_place_back(served, held, shape):
    for _ in range(3):
        calls, tasks = await fill(served, held, shape)
        for call in calls:
            call.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for _ in calls:
            await held.ended.acquire()
        await idle(served)


async def test_a_client_that_leaves_between_two_messages_gives_its_place_back(served, held):
    served.shapes.behavior["unary_stream"] = held.chatter
    for _ in range(3):
        call = served.call("unary_stream")
        await anext(aiter(call))
        await held.begun.acquire()
        call.cancel()
        await held.ended.acquire()
        await idle(served)


async def test_a_client_whose_deadline_passes_gives_its_place_back(served, held):
    call = served.call("unary_stream", timeout=0.1)
    with pytest.raises(grpc.aio.AioRpcError):
        await anext(aiter(call))
    await held.ended.acquire()
    await idle(served)


async def test_a_refused_call_gives_its_place_back(served):
    for _ in range(5):
        assert (await refused(served.call("unary_unary", metadata=()))).reason == "TOKEN_MISSING"
        assert (await refused(served.call("unary_stream", metadata=()))).reason == "TOKEN_MISSING"
    await idle(served)


def counted(shape, code):
    return REGISTRY.get_sample_value("millwright_calls_total", {"method": f"/test.Shapes/{shape}", "code": code}) or 0


async def answer(request, context):
    return StringValue()


async def abort(request, context):
    await context.abort(grpc.StatusCode.DATA_LOSS, "as the servicer says")


@pytest.mark.parametrize(("behavior", "code"), [(answer, "OK"), (abort, "DATA_LOSS")])
async def test_calls_are_counted_by_how_they_end(served, behavior, code):
    before = counted("unary_unary", code)
    served.shapes.behavior["unary_unary"] = behavior
    await asyncio.gather(served.call("unary_unary"), return_exceptions=True)
    await idle(served)
    assert counted("unary_unary", code) == before + 1


@pytest.mark.parametrize("shape", ["unary_unary", "unary_stream"])
async def test_calls_that_the_client_ends_are_counted_as_cancelled(served, held, shape):
    before = counted(shape, "CANCELLED")
    calls, tasks = await fill(served, held, shape)
    for call in calls:
        call.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await idle(served)
    assert counted(shape, "CANCELLED") == before + 2
