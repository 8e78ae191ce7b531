"""What stands around every call: who is let in, until when, and what a client is told when it goes wrong."""

import asyncio
import logging
from dataclasses import dataclass, replace

import asyncpg
import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from millwright_local.testing.refusals import refused
from millwright_runtime import errors
from millwright_runtime.api import calls
from millwright_runtime.errors import InvalidFields, NotFound, Violation

SHAPES = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")


class VersionMissing(NotFound):
    """The workflow {workflow} has no version {number};
    list its versions to see which there are."""


class Busy(errors.Unavailable):
    """Not now."""

    retry_seconds = 2.5


def raising(error, shape="unary_unary"):
    """Give a behavior that raises `error`."""

    async def unary(request, context):
        raise error

    async def stream(request, context):
        raise error
        yield

    return stream if shape.endswith("_stream") else unary


async def words(shape, request):
    """Give what was sent, whatever the shape."""
    if shape.startswith("stream_"):
        return [message.value async for message in request]
    return [request.value]


@pytest.mark.parametrize("shape", SHAPES)
async def test_every_shape_of_method_is_served(served, shape):
    async def unary(request, context):
        return StringValue(value=",".join(await words(shape, request)))

    async def stream(request, context):
        for word in await words(shape, request):
            yield StringValue(value=word)

    served.shapes.behavior[shape] = stream if shape.endswith("_stream") else unary
    call = served.call(shape, "a")
    answers = [answer.value async for answer in call] if shape.endswith("_stream") else [(await call).value]
    assert answers == ["a"]


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_refusal_reaches_the_client_with_its_reason_and_variables(served, shape):
    served.shapes.behavior[shape] = raising(VersionMissing(workflow="press", number=7), shape)
    refusal = await refused(served.call(shape, "a"))
    assert refusal.code == "NOT_FOUND"
    assert refusal.reason == "VERSION_MISSING"
    assert refusal.message == "The workflow press has no version 7; list its versions to see which there are."
    assert dict(refusal.info.metadata) == {"workflow": "press", "number": "7"}
    assert refusal.retry_info is None
    assert refusal.pushback is None


async def test_every_wrong_field_is_told_at_once(served):
    violations = [Violation("a.b", "TOO_LONG", "is too long"), Violation("/do/0", "UNKNOWN_KEY", "has no meaning")]
    served.shapes.behavior["unary_unary"] = raising(InvalidFields(violations))
    refusal = await refused(served.call("unary_unary"))
    assert refusal.code == "INVALID_ARGUMENT"
    told = [Violation(v.field, v.reason, v.description) for v in refusal.violations]
    assert told == violations


async def test_a_refusal_that_says_when_to_come_back_says_it_to_people_and_to_clients(served):
    served.shapes.behavior["unary_unary"] = raising(Busy())
    refusal = await refused(served.call("unary_unary"))
    assert refusal.code == "UNAVAILABLE"
    assert refusal.retry_info.retry_delay.ToMilliseconds() == 2500
    assert refusal.pushback == "2500"


async def test_more_violations_than_a_client_takes_are_cut_and_counted(served):
    violations = [Violation(f"/do/{n}/칸", "UNKNOWN_KEY", "뜻이 없는 열쇠 " * 40) for n in range(2000)]
    served.shapes.behavior["unary_unary"] = raising(InvalidFields(violations))
    refusal = await refused(served.call("unary_unary"))
    assert refusal.code == "INVALID_ARGUMENT"
    told = len(refusal.violations)
    assert told > 3
    assert refusal.info.metadata["violations_left_out"] == str(2000 - told)


async def test_a_name_of_any_length_and_content_still_makes_a_readable_refusal(served):
    served.shapes.behavior["unary_unary"] = raising(VersionMissing(workflow="\ud800" + "칸" * 100_000, number=1))
    refusal = await refused(served.call("unary_unary"))
    assert refusal.reason == "VERSION_MISSING"
    assert len(refusal.info.metadata["workflow"]) == 300


@pytest.mark.parametrize("shape", SHAPES)
async def test_an_unexpected_exception_leaks_nothing_and_is_found_in_the_log(served, shape, caplog):
    served.shapes.behavior[shape] = raising(RuntimeError("a secret"), shape)
    with caplog.at_level(logging.ERROR):
        refusal = await refused(served.call(shape, "a"))
    assert refusal.code == "INTERNAL"
    assert "secret" not in str(refusal)
    (record,) = (record for record in caplog.records if record.message == "unexpected error")
    assert record.error_id == refusal.info.metadata["error_id"]
    assert "a secret" in caplog.text


@pytest.mark.parametrize("error", [asyncpg.DeadlockDetectedError, asyncpg.SerializationError])
async def test_a_deadlock_is_told_as_such_and_not_as_a_database_that_is_away(served, error, caplog):
    served.shapes.behavior["unary_unary"] = raising(error("a secret"))
    with caplog.at_level(logging.WARNING):
        refusal = await refused(served.call("unary_unary"))
    assert (refusal.code, refusal.reason) == ("UNAVAILABLE", "CONFLICT")
    assert refusal.retry_info is not None
    assert "secret" not in str(refusal)
    messages = [record.message for record in caplog.records]
    assert "two transactions stood in each other's way" in messages
    assert "database unavailable" not in messages


async def test_a_servicer_may_end_a_call_itself(served):
    async def abort(request, context):
        await context.abort(grpc.StatusCode.DATA_LOSS, "as the servicer says")

    served.shapes.behavior["unary_unary"] = abort
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await served.call("unary_unary")
    assert caught.value.code() == grpc.StatusCode.DATA_LOSS
    assert caught.value.details() == "as the servicer says"


async def test_a_call_without_a_token_is_not_served(served):
    refusal = await refused(served.call("unary_unary", metadata=()))
    assert (refusal.code, refusal.reason) == ("UNAUTHENTICATED", "TOKEN_MISSING")


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_role_that_does_not_suffice_is_not_served(served, token, shape):
    metadata = (("authorization", f"Bearer {token(roles=['worker'], subject='press-7')}"),)
    refusal = await refused(served.call(shape, metadata=metadata))
    assert (refusal.code, refusal.reason) == ("PERMISSION_DENIED", "ROLE_MISSING")
    assert dict(refusal.info.metadata) == {"method": f"test.Shapes.{shape}", "role": "viewer", "subject": "press-7"}


async def test_a_service_that_is_starting_says_so(served):
    served.interceptor._is_open = False
    refusal = await refused(served.call("unary_unary"))
    assert (refusal.code, refusal.reason) == ("UNAVAILABLE", "STARTING")


async def test_a_deadline_that_passes_is_told_by_us(served):
    async def wait(request, context):
        await asyncio.sleep(60)

    served.shapes.behavior["unary_unary"] = wait
    refusal = await refused(served.call("unary_unary", timeout=0.3))
    assert (refusal.code, refusal.reason) == ("DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED")


async def test_a_call_without_a_deadline_has_ours(served):
    async def tell(request, context):
        return StringValue(value=str(calls.current().remaining_seconds))

    served.shapes.behavior["unary_unary"] = tell
    assert 4 < float((await served.call("unary_unary")).value) <= 5


async def test_a_timeout_that_is_not_the_deadline_is_not_told_as_one(served):
    served.shapes.behavior["unary_unary"] = raising(TimeoutError())
    assert (await refused(served.call("unary_unary"))).code == "UNAVAILABLE"


async def test_each_call_sees_its_own_caller(served, token):
    arrived = asyncio.Barrier(2)

    async def tell(request, context):
        await arrived.wait()
        return StringValue(value=calls.current().principal.tenant)

    served.shapes.behavior["unary_unary"] = tell
    tenants = ("north", "south")
    answers = await asyncio.gather(
        *(
            served.call(
                "unary_unary", metadata=(("authorization", f"Bearer {token(tenant=tenant, roles=['viewer'])}"),)
            )
            for tenant in tenants
        )
    )
    assert tuple(answer.value for answer in answers) == tenants


async def test_a_body_over_the_limit_is_refused_with_its_size(served):
    refusal = await refused(served.call("unary_unary", "x" * 600_000))
    assert refusal.reason == "REQUEST_TOO_LARGE"
    assert refusal.info.metadata["limit"] == str(512 * 1024)


async def test_a_body_far_over_the_limit_is_refused_before_it_is_read(served):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await served.call("unary_unary", "x" * 1_100_000)
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.parametrize("shape", ["unary", "stream"])
async def test_a_body_that_is_no_message_is_refused(served, shape):
    async def read_all(request, context):
        return StringValue(value=str([word async for word in request]))

    served.shapes.behavior["stream_unary"] = read_all
    send = getattr(served.channel, f"{shape}_unary")(f"/test.Shapes/{shape}_unary")
    body = b"\xff\xff\xff"
    refusal = await refused(send(body if shape == "unary" else iter([body]), metadata=served.metadata))
    assert (refusal.code, refusal.reason) == ("INVALID_ARGUMENT", "REQUEST_MALFORMED")


async def test_who_is_calling_is_asked_before_the_body_is_read(served):
    send = served.channel.unary_unary("/test.Shapes/unary_unary")
    assert (await refused(send(b"\xff\xff\xff", metadata=()))).reason == "TOKEN_MISSING"


async def test_a_method_that_does_not_exist_is_unimplemented(served):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await served.call("unary_unary", method="Nothing")
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED


@dataclass
class Numbered:
    """A message of a watch, as large as what a client that does not read leaves room for a few of."""

    sequence: int

    def SerializeToString(self):  # noqa: N802  protobuf's name
        return StringValue(value=f"{self.sequence} {'x' * 100_000}").SerializeToString()


async def test_a_client_that_takes_nothing_is_dropped_with_the_sequence_to_go_on_from(served):
    served.interceptor._limits = replace(served.interceptor._limits, write_seconds=0.2)
    given, dropped = [], asyncio.Event()

    async def stream(request, context):
        try:
            for sequence in range(1, 10_000):
                given.append(sequence)
                yield Numbered(sequence)
        finally:
            dropped.set()

    served.shapes.behavior["unary_stream"] = stream
    call = served.call("unary_stream")
    received = [await anext(aiter(call))]
    async with asyncio.timeout(10):
        await dropped.wait()
    refusal = await refused(_read_into(received, call))
    assert (refusal.code, refusal.reason) == ("RESOURCE_EXHAUSTED", "TOO_SLOW")
    sequences = [int(message.value.partition(" ")[0]) for message in received]
    assert sequences == given == list(range(1, len(given) + 1))
    assert dict(refusal.info.metadata) == {"seconds": "0.2", "sequence": str(sequences[-1])}
    assert refusal.retry_info is not None


async def test_a_client_that_takes_its_time_but_takes_is_not_dropped(served):
    served.interceptor._limits = replace(served.interceptor._limits, write_seconds=5)
    served.shapes.behavior["unary_stream"] = lambda request, context: _numbered(30)
    assert len([message async for message in served.call("unary_stream")]) == 30


async def _read_into(received, call):
    async for message in call:
        received.append(message)


async def _numbered(count):
    for sequence in range(count):
        yield Numbered(sequence)
