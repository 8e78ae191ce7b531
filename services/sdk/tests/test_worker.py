"""A worker takes what it has credit for, keeps it alive, reports, and loses nothing when its connection breaks."""

import asyncio
import logging

import grpc
import pytest
from millwright_worker import Failed, Refused, Retry, Stopped, worker
from millwright_worker.task import OUTPUT_LIMIT_BYTES


@pytest.fixture
async def tasks(service):
    """A worker of the queue `inspect`, connected, with its opening and its first credit heard."""
    async with worker("inspect", endpoint=service.endpoint, token="secret", name="camera") as tasks:
        await service.hear("credit")
        yield tasks


async def next_of(tasks):
    async with asyncio.timeout(10):
        return await anext(aiter(tasks))


async def test_it_says_who_it_is_and_gives_credit_for_its_concurrency(service):
    async with worker("a", "b", endpoint=service.endpoint, token="secret", name="camera", concurrency=7):
        opened = await service.hear("open")
        assert (opened.worker, list(opened.queues)) == ("camera", ["a", "b"])
        assert await service.hear("credit") == 7
    assert service.metadata[0]["authorization"] == "Bearer secret"


async def test_two_workers_never_have_the_same_name(service):
    one, other = (worker("a", endpoint=service.endpoint, token="") for _ in range(2))
    assert one.name != other.name


async def test_a_task_is_acknowledged_and_has_all_that_was_sent(service, tasks):
    service.offer(state=b'{"done": 3}', attempt=2, lot=7, share=0.5, parts=[1, None, "x", True])
    task = await next_of(tasks)
    assert await service.hear("acknowledge") == "item-1"
    assert task.input == {"lot": 7, "share": 0.5, "parts": [1, None, "x", True]}
    assert isinstance(task.input["lot"], int)
    assert (task.state, task.attempt, task.key) == ({"done": 3}, 2, "instances/7/do/0")


async def test_completing_returns_once_it_is_durable_and_gives_credit_again(service, tasks):
    service.offer()
    task = await next_of(tasks)
    completing = asyncio.create_task(task.complete({"good": True}))
    report = await service.hear("complete")
    assert (report.id, report.output.struct_value["good"]) == ("item-1", True)
    assert not completing.done()
    service.settle()
    await completing
    assert await service.hear("credit") == 1


async def test_a_report_that_changed_nothing_raises(service, tasks):
    service.offer()
    task = await next_of(tasks)
    completing = asyncio.create_task(task.complete())
    await service.hear("complete")
    service.settle(accepted=False)
    with pytest.raises(Stopped):
        await completing


async def handle(service, tasks, body):
    """Handle one task with `body` inside `async with task`, and give the report."""
    service.offer()
    task = await next_of(tasks)

    async def run():
        async with task:
            await body(task)

    running = asyncio.create_task(run())
    async with asyncio.timeout(10):
        while (message := await service.heard.get()).WhichOneof("message") not in ("complete", "fail"):
            pass
    service.settle()
    await running
    return message


async def test_leaving_the_body_completes_with_nothing(service, tasks):
    message = await handle(service, tasks, lambda task: asyncio.sleep(0))
    assert message.complete.output.WhichOneof("kind") == "null_value"


async def test_an_exception_fails_the_task_for_good(service, tasks):
    async def body(task):
        raise ZeroDivisionError("by zero")

    failure = (await handle(service, tasks, body)).fail
    assert failure.error.detail == "ZeroDivisionError: by zero"
    assert not failure.HasField("retry_after")


async def test_a_failure_says_what_it_was_told_to(service, tasks):
    async def body(task):
        raise Failed("dark", type="https://plant.example/camera", status=503, title="Camera")

    error = (await handle(service, tasks, body)).fail.error
    assert (error.type, error.status, error.title, error.detail) == (
        "https://plant.example/camera",
        503,
        "Camera",
        "dark",
    )


async def test_a_retry_takes_its_time_and_the_state_saved_last(service, tasks):
    async def body(task):
        await task.save({"done": 3})
        raise Retry(after=2.5)

    failure = (await handle(service, tasks, body)).fail
    assert failure.retry_after.ToMilliseconds() == 2500
    assert failure.state == b'{"done":3}'


async def test_a_state_that_is_too_large_is_refused_before_it_is_sent(service, tasks):
    service.offer()
    task = await next_of(tasks)
    with pytest.raises(ValueError, match="at most 65536"):
        await task.save("x" * 70_000)


WEEK = 7 * 24 * 3600
DEEP = {}
for _ in range(40):
    DEEP = {"a": DEEP}


def completing(output):
    return lambda task: task.complete(output)


def retrying(after):
    async def body(task):
        raise Retry(after=after)

    return body


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (completing("x" * 4 * 2**20), "ValueError: the output has 4194309 bytes; at most 3670016 are taken"),
        (completing(["x" * 1000] * 3700), "ValueError: the output has 3722205 bytes; at most 3670016 are taken"),
        (completing(DEEP), "ValueError: the output is nested too deep"),
        (completing([float("nan")]), "ValueError: "),
        (completing({1, 2}), "TypeError: "),
        (retrying(WEEK + 1), "ValueError: a task may be tried again after 0 to 604800 seconds, not 604801"),
        (retrying(-1), "ValueError: a task may be tried again"),
        (retrying(float("nan")), "ValueError: a task may be tried again"),
        (lambda task: task.save(1, percent=101), "ValueError: a task is 0 to 100 percent done, not 101"),
    ],
)
async def test_what_the_service_would_refuse_fails_its_task_alone(service, tasks, body, said):
    failure = (await handle(service, tasks, body)).fail
    assert failure.error.detail.startswith(said)
    assert not failure.HasField("retry_after")
    assert (await handle(service, tasks, completing("fine"))).complete.output.string_value == "fine"
    assert len(service.streams) == 1


async def test_the_longest_retry_and_the_largest_output_are_sent(service, tasks):
    assert (await handle(service, tasks, retrying(WEEK))).fail.retry_after.seconds == WEEK
    most = "x" * (OUTPUT_LIMIT_BYTES - 5)  # its tag and its length
    output = (await handle(service, tasks, completing(most))).complete.output
    assert output.ByteSize() == OUTPUT_LIMIT_BYTES


async def test_an_error_that_says_too_much_is_cut(service, tasks, caplog):
    async def body(task):
        raise ZeroDivisionError("\ud800" + "x" * 5 * 2**20)

    with caplog.at_level(logging.CRITICAL, "millwright_worker"):  # who reports on tests cannot write half a character
        assert (await handle(service, tasks, body)).fail.error.detail == f"ZeroDivisionError: ?{'x' * 3980}"


async def test_saving_sends_state_and_percent_at_once(service, tasks):
    service.offer()
    task = await next_of(tasks)
    await task.save([1], percent=40)
    beat = await service.hear("heartbeat")
    while not beat.HasField("state"):  # signs of life come by themselves
        beat = await service.hear("heartbeat")
    assert (beat.state, beat.percent) == (b"[1]", 40)


async def test_signs_of_life_come_by_themselves(service, tasks):
    service.offer(seconds=0.6)
    await next_of(tasks)
    for _ in range(5):
        assert (await service.hear("heartbeat")).id == "item-1"


async def test_a_stop_cancels_the_body_and_the_worker_goes_on(service, tasks):
    cancelled = []

    async def loop():
        async for task in tasks:
            async with task:
                try:
                    await asyncio.sleep(60)
                except asyncio.CancelledError:
                    cancelled.append(task.id)
                    raise

    looping = asyncio.create_task(loop())
    service.offer("first")
    await service.hear("acknowledge")
    await asyncio.sleep(0.05)
    service.stop("first")
    assert await service.hear("credit") == 1
    service.offer("second")
    assert await service.hear("acknowledge") == "second"
    assert cancelled == ["first"]
    looping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await looping


async def test_a_task_that_was_stopped_before_its_turn_is_never_seen(service):
    async with worker("inspect", endpoint=service.endpoint, token="", concurrency=3) as tasks:
        await service.hear("credit")
        for item in ("first", "second", "third"):
            service.offer(item)
            await service.hear("acknowledge")
        service.stop("second")
        await service.hear("credit")
        assert [(await next_of(tasks)).id for _ in range(2)] == ["first", "third"]


async def test_after_a_break_it_says_again_what_may_have_been_lost(service, tasks):
    service.offer()
    task = await next_of(tasks)
    await task.save({"done": 3})
    completing = asyncio.create_task(task.complete("late"))
    await service.hear("complete")
    service.hang_up()
    opened = await service.hear("open")
    assert opened.worker == "camera"
    assert (await service.hear("heartbeat")).state == b'{"done":3}'
    assert (await service.hear("complete")).output.string_value == "late"
    service.settle()
    await completing
    assert len(service.streams) == 2


async def test_what_it_holds_counts_against_its_credit_on_the_next_connection(service):
    async with worker("inspect", endpoint=service.endpoint, token="", concurrency=3) as tasks:
        assert await service.hear("credit") == 3
        service.offer()
        await next_of(tasks)
        service.hang_up()
        assert await service.hear("credit") == 2


async def test_an_item_that_comes_twice_is_one_task(service, tasks):
    service.offer()
    await next_of(tasks)
    service.offer()
    await service.hear("acknowledge")
    await service.hear("acknowledge")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await anext(aiter(tasks))


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.INVALID_ARGUMENT])
async def test_what_is_refused_for_good_is_raised(service, code):
    service.refusal = code
    async with worker("inspect", endpoint=service.endpoint, token="old") as tasks:
        with pytest.raises(Refused, match=code.name):
            await next_of(tasks)


async def test_a_token_that_may_be_renewed_is_asked_for_anew(service):
    given = iter(["old", "new"])
    service.refusal = grpc.StatusCode.UNAUTHENTICATED

    def token():
        fresh = next(given)
        if fresh == "new":
            service.refusal = None
        return fresh

    async with worker("inspect", endpoint=service.endpoint, token=token):
        await service.hear("open")
    assert service.metadata[-1]["authorization"] == "Bearer new"


async def test_handlers_run_side_by_side_and_what_they_return_is_the_output(service):
    async with worker("inspect", endpoint=service.endpoint, token="", concurrency=2) as tasks:
        await service.hear("credit")
        gate = asyncio.Barrier(2)  # passed only by two at a time

        async def handler(task):
            await gate.wait()
            return task.id

        running = asyncio.create_task(tasks.run(handler))
        service.offer("one")
        service.offer("two")
        reports = [await service.hear("complete") for _ in range(2)]
        assert {report.output.string_value for report in reports} == {"one", "two"}
        for report in reports:
            service.settle(report.id)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running


async def test_with_tls_its_files_are_read_again_for_each_connection(guarded, tmp_path):
    """The service's certificate is of another authority by then; the worker's file of authorities as well."""
    first, second = guarded.authorities
    own = first.issue(tmp_path / "worker", "camera")
    files = {"ca": own.ca, "certificate": own.certificate, "key": own.key}
    async with worker("inspect", endpoint=guarded.endpoint, token="secret", **files):
        await guarded.hear("credit")
        second.issue(tmp_path / "tls")
        second.issue(tmp_path / "worker", "camera")
        guarded.hang_up()
        await guarded.hear("credit")


async def test_files_that_are_not_there_are_an_error_at_once(service, tmp_path):
    with pytest.raises(FileNotFoundError):
        worker("inspect", endpoint=service.endpoint, token="", ca=tmp_path / "none.pem")
    with pytest.raises(ValueError, match="belong together"):
        worker("inspect", endpoint=service.endpoint, token="", certificate=tmp_path / "none.pem")
