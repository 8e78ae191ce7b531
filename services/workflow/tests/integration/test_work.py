"""Work outside: items come to workers within their credit, reports count once, and silence frees them."""

import asyncio
import uuid
from functools import partial

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import MessageToDict
from millwright.workflow.v1 import worker_service_pb2 as pb
from millwright_local.processes import until
from millwright_local.testing.refusals import decode
from millwright_runtime.postgres.database import ALL_TENANTS
from millwright_workflow.domain.sizes import VALUE_LIMIT_BYTES
from millwright_workflow.store import work_items
from workflow_rig.client import Instance, InstanceEvent
from workflow_rig.definitions import SET, WAIT
from workflow_rig.work import WorkStream, task, value

STATE = "SELECT state, attempt, failures, saved FROM workflow.work_item WHERE tenant = $1"
COMPLETED, FAULTED, CANCELLED = Instance.STATE_COMPLETED, Instance.STATE_FAULTED, Instance.STATE_CANCELLED
CAUGHT = {"set": {"caught": "${ $error.status }", "why": "${ $error.detail }"}}


@pytest.fixture
def connect(service, client, token):
    """Give a function that makes a stream of a worker of the test's tenant."""

    def make(*queues, port=0, **opening):
        signed = token(tenant=client.tenant, roles=("worker",), subject="camera")
        return WorkStream(port or service.server.port, signed, opening.pop("queues", queues or ("inspect",)), **opening)

    return make


@pytest.fixture
async def inspecting(client):
    """A client with an instance whose task waits for a worker of the queue `inspect`."""
    await client.release([task("inspect", input={"lot": 7}, heartbeat="PT1S")])
    client.instance = await client.start()
    return client


async def test_what_a_worker_completes_becomes_the_output(inspecting, connect):
    async with connect() as worker:
        item = await worker.take()
        assert (item.queue, item.instance, item.task, item.attempt) == (
            "inspect",
            inspecting.instance,
            "/do/0/inspect",
            0,
        )
        assert MessageToDict(item.input) == {"lot": 7}
        assert (item.state, item.heartbeat_timeout) == (b"", Duration(seconds=1))
        assert await worker.complete(item, {"good": True})
    ended = await inspecting.ended(inspecting.instance)
    assert ended.state == COMPLETED
    assert MessageToDict(ended.output) == {"good": True}


async def test_the_input_of_the_task_is_given_where_none_is_written(client, connect):
    await client.release([task("inspect")])
    await client.start(input={"string_value": "lot"})
    async with connect() as worker:
        assert (await worker.take()).input.string_value == "lot"


async def test_no_more_items_come_than_there_is_credit_for(client, connect):
    await client.release([task("inspect")])
    instances = [await client.start() for _ in range(6)]
    async with connect() as worker:
        worker.say(credit=2)
        first = [await worker.hear("item") for _ in range(2)]
        for item in first:
            assert await worker.complete(item)
        await worker.hear_nothing(0.5)
    async with connect() as worker:
        worker.say(credit=1)
        worker.say(credit=3)
        rest = [await worker.hear("item") for _ in range(4)]
    assert {item.instance for item in first + rest} == set(instances)


async def test_a_worker_gets_items_of_its_queues_and_of_its_tenant_alone(client, stranger, connect, token, service):
    await client.release([{"both": {"fork": {"branches": [task("left", "a"), task("right", "b")]}}}])
    await stranger.release([task("left")])
    await client.start()
    await stranger.start()
    async with connect("left") as left, connect("right") as right:
        left.say(credit=10)
        right.say(credit=10)
        assert (await left.hear("item")).queue == "left"
        assert (await right.hear("item")).queue == "right"
        for worker in (left, right):
            await worker.hear_nothing(0.5)


async def test_an_item_that_is_not_acknowledged_goes_to_another_worker(inspecting, connect):
    async with connect() as deaf, connect() as other:
        item = await deaf.take(acknowledged=False)
        again = await other.take()
        assert (again.id, again.attempt) == (item.id, 0)  # it was never worked on
        assert (await deaf.hear("stop")).reason == pb.StopWork.REASON_SUPERSEDED
        assert not await deaf.complete(item, "late")
        assert await other.complete(again, "mine")
    assert (await inspecting.ended(inspecting.instance)).output.string_value == "mine"


async def test_an_item_that_was_sent_into_a_broken_stream_goes_to_another_worker_at_once(inspecting, connect):
    async with connect() as broken:
        await broken.take(acknowledged=False)
    async with connect() as other, asyncio.timeout(3):
        assert await other.complete(await other.take())


async def test_silence_frees_an_item_for_its_next_attempt(inspecting, connect):
    async with connect() as silent, connect() as other:
        item = await silent.take()
        again = await other.take()
        assert again.id != item.id
        assert (again.task, again.attempt) == (item.task, 1)
        assert (await silent.hear("stop")).reason == pb.StopWork.REASON_SUPERSEDED
        assert not await silent.complete(item)
        assert await other.complete(again)


async def test_heartbeats_keep_an_item(inspecting, connect, sql):
    async with connect() as worker:
        item = await worker.take()
        for _ in range(10):
            worker.beat(item)
            await worker.hear_nothing(0.4)
        assert await worker.complete(item)


async def test_the_next_attempt_begins_from_the_state_saved_last(inspecting, connect):
    async with connect() as silent, connect() as other:
        item = await silent.take()
        silent.beat(item, state=b"one")
        silent.beat(item, state=b"two", percent=40)
        silent.beat(item)
        again = await other.take()
        assert (again.attempt, again.state) == (1, b"two")


async def test_the_state_that_travels_in_a_failure_is_the_next_attempts(inspecting, connect):
    async with connect() as worker:
        item = await worker.take()
        worker.beat(item, state=b"beat")
        assert await worker.fail(item, retry_after=Duration(), state=b"failure")
        assert (await worker.take()).state == b"failure"


async def test_a_state_saved_just_before_a_failure_is_the_next_attempts(inspecting, connect):
    async with connect() as worker:
        item = await worker.take()
        worker.beat(item, state=b"beat")
        assert await worker.fail(item, retry_after=Duration())
        assert (await worker.take()).state == b"beat"


async def test_a_failure_to_be_retried_waits_for_its_time(inspecting, connect):
    async with connect() as worker:
        item = await worker.take()
        assert await worker.fail(item, retry_after=Duration(seconds=1))
        begin = asyncio.get_running_loop().time()
        assert (await worker.take()).attempt == 1
        assert asyncio.get_running_loop().time() - begin > 0.9


async def test_a_final_failure_can_be_caught(client, connect):
    do = [
        {"dare": {"try": [task("inspect")], "catch": {"errors": {"with": {"status": 503}}, "do": [{"note": CAUGHT}]}}}
    ]
    await client.release(do)
    instance = await client.start()
    async with connect() as worker:
        error = pb.WorkError(type="https://plant.example/errors/camera", status=503, title="Camera", detail="dark")
        assert await worker.fail(await worker.take(), error=error)
    assert MessageToDict((await client.ended(instance)).output) == {"caught": 503.0, "why": "dark"}


async def test_a_final_failure_that_nobody_catches_faults_the_instance(inspecting, connect):
    async with connect() as worker:
        assert await worker.fail(await worker.take(), error=pb.WorkError(detail="dark"))
    ended = await inspecting.ended(inspecting.instance)
    assert ended.state == FAULTED
    assert ended.error.type.endswith("/errors/runtime")
    assert (ended.error.status, ended.error.detail, ended.error.instance) == (500, "dark", "/do/0/inspect")


async def test_the_task_fails_when_its_attempts_are_used_up(client, connect):
    await client.release([task("inspect", attempts=2, heartbeat="PT1S")])
    instance = await client.start()
    async with connect() as worker:
        assert await worker.fail(await worker.take(), retry_after=Duration(), error=pb.WorkError(detail="dark"))
        await worker.take()  # and says no more
        ended = await client.ended(instance)
    assert ended.state == FAULTED
    assert ended.error.type.endswith("/errors/timeout")
    assert worker.worker in ended.error.detail


async def test_cancelling_the_instance_stops_the_worker(inspecting, connect, sql):
    async with connect() as worker:
        item = await worker.take()
        await inspecting.CancelInstance(name=inspecting.instance)
        assert (await worker.hear("stop")).reason == pb.StopWork.REASON_CANCELLED
        assert not await worker.complete(item)
    assert (await inspecting.ended(inspecting.instance)).state == CANCELLED
    assert await sql.fetch(STATE, inspecting.tenant) == []


async def test_a_timeout_of_the_task_stops_the_worker(client, connect, sql):
    slow = task("inspect")
    slow["inspect"]["timeout"] = {"after": "PT1S"}
    await client.release([{"dare": {"try": [slow], "catch": {"do": [{"note": CAUGHT}, *WAIT]}}}])
    await client.start()
    async with connect() as worker:
        item = await worker.take()
        assert (await worker.hear("stop")).reason == pb.StopWork.REASON_CANCELLED
        assert not await worker.complete(item)
    assert [row["state"] for row in await sql.fetch(STATE, client.tenant)] == ["WITHDRAWN"]


async def test_the_loser_of_a_race_is_stopped(client, connect):
    fork = {"compete": True, "branches": [task("slow", "a"), task("quick", "b")]}
    await client.release([{"race": {"fork": fork}}])
    instance = await client.start()
    async with connect("slow") as slow, connect("quick") as quick:
        await slow.take()
        assert await quick.complete(await quick.take(), "first")
        assert (await slow.hear("stop")).reason == pb.StopWork.REASON_CANCELLED
    assert (await client.ended(instance)).output.string_value == "first"


async def test_pausing_the_instance_stops_the_worker_and_the_item_comes_again(inspecting, connect):
    async with connect() as worker:
        item = await worker.take()
        worker.beat(item, state=b"half", percent=50)
        await inspecting.reached(inspecting.instance, InstanceEvent.KIND_TASK_PROGRESS)
        await inspecting.PauseInstance(name=inspecting.instance, reason="lunch")
        assert (await worker.hear("stop")).reason == pb.StopWork.REASON_PAUSED
        await inspecting.reached(inspecting.instance, InstanceEvent.KIND_PAUSED)
        await inspecting.ResumeInstance(name=inspecting.instance)
        again = await worker.take()
        assert (again.attempt, again.state) == (1, b"half")
        assert await worker.complete(again)


async def test_a_task_of_a_retried_instance_is_worked_on_anew(inspecting, connect):
    async with connect() as worker:
        assert await worker.fail(await worker.take(), error=pb.WorkError(detail="dark"))
        assert (await inspecting.ended(inspecting.instance)).state == FAULTED
        await inspecting.RetryInstance(name=inspecting.instance)
        assert await worker.complete(await worker.take(), "light")

    async def is_completed():
        return (await inspecting.get(inspecting.instance)).state == COMPLETED

    await until(is_completed, 10)


async def test_progress_is_told_to_whoever_watches(inspecting, connect):
    async with connect() as worker:
        item = await worker.take()
        for percent in (10, 20, 40):
            worker.beat(item, percent=percent)
        event = await inspecting.reached(inspecting.instance, InstanceEvent.KIND_TASK_PROGRESS)
        assert (event.task, event.percent) == ("/do/0/inspect", 40)
        assert await worker.complete(item)
    kinds = [event.kind for event in await inspecting.events(inspecting.instance)]
    assert kinds.count(InstanceEvent.KIND_TASK_PROGRESS) == 1  # of a second's heartbeats, the last


async def test_a_worker_that_connects_again_reports_on_what_it_has(inspecting, connect, sql):
    async def is_active():
        return [row["state"] for row in await sql.fetch(STATE, inspecting.tenant)] == ["ACTIVE"]

    async with connect() as worker:
        item = await worker.take()
        await until(is_active, 5)
    async with connect(worker=worker.worker) as worker:
        worker.beat(item, state=b"still here")
        assert await worker.complete(item, "mine")
    assert (await inspecting.ended(inspecting.instance)).output.string_value == "mine"


async def test_a_report_sent_again_is_accepted_again(inspecting, connect):
    async with connect() as worker:
        item = await worker.take()
        assert await worker.complete(item, "mine")
        assert await worker.complete(item, "mine")
        assert not await worker.fail(item)


async def test_nobody_reports_on_the_item_of_another(inspecting, connect):
    async with connect() as worker, connect() as thief:
        item = await worker.take()
        thief.beat(item, state=b"stolen")
        assert (await thief.hear("stop")).reason == pb.StopWork.REASON_SUPERSEDED
        assert not await thief.complete(item)
        assert await worker.complete(item)


async def test_a_stream_that_is_ended_in_good_order_ends_well_once_all_is_settled(inspecting, connect):
    async with connect() as worker:
        item = await worker.take()
        worker.say(complete=pb.CompleteWork(id=item.id))
        worker.end()
        assert (await worker.hear("settled")).accepted
        assert await worker.hear_the_end() is grpc.StatusCode.OK


async def refusal(worker):
    """Read a stream to its end and give its refusal."""
    return decode(await worker.hear_the_end())


@pytest.mark.parametrize(
    ("opening", "fields"),
    [
        ({"worker": "x" * 201}, ["open.worker"]),
        ({"queues": ()}, ["open.queues"]),
        ({"queues": ["UPPER", "fine", ""]}, ["open.queues[0]", "open.queues[2]"]),
    ],
)
async def test_a_malformed_opening_is_refused(connect, opening, fields):
    async with connect(**opening) as worker:
        refused = await refusal(worker)
    assert (refused.code, refused.fields) == ("INVALID_ARGUMENT", fields)


LARGE = b"x" * (64 * 1024 + 1)
WAVES = {"wave": [1] * 23_000}
TILED = {str(number): "${ .wave }" for number in range(18)}
"""Of waves, 830 kB as JSON and 4.6 MB as a message."""
SOME = str(uuid.uuid4())


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ({"open": pb.OpenWork(worker="again", queues=["inspect"])}, "INVALID_FIELDS"),
        ({"credit": 0}, "INVALID_FIELDS"),
        ({"credit": 10_001}, "INVALID_FIELDS"),
        ({"acknowledge": "7"}, "INVALID_FIELDS"),
        ({"heartbeat": pb.HeartbeatWork(id=SOME, percent=101)}, "INVALID_FIELDS"),
        ({"heartbeat": pb.HeartbeatWork(id=SOME, state=LARGE)}, "STATE_TOO_LARGE"),
        ({"fail": pb.FailWork(id=SOME, state=LARGE)}, "STATE_TOO_LARGE"),
        ({"complete": pb.CompleteWork(id=SOME, output=value("x" * VALUE_LIMIT_BYTES))}, "OUTPUT_TOO_LARGE"),
        ({"fail": pb.FailWork(id=SOME, retry_after=Duration(seconds=8 * 86400))}, "INVALID_FIELDS"),
    ],
)
async def test_a_malformed_message_ends_the_stream(connect, message, reason):
    async with connect() as worker:
        worker.say(**message)
        refused = await refusal(worker)
    assert (refused.code, refused.reason) == ("INVALID_ARGUMENT", reason)


async def test_a_worker_that_does_not_read_is_not_read_either_and_loses_no_answer(connect):
    count = 30_000
    async with connect(reads=False) as worker:
        for _ in range(count):
            worker.say(heartbeat=pb.HeartbeatWork(id=SOME))
        await asyncio.sleep(2)  # more answers than may wait
        worker.begin_to_read()
        for _ in range(count):
            assert (await worker.hear("stop")).id == SOME


async def test_the_first_message_must_open(connect):
    async with connect(opens=False) as worker:
        worker.say(credit=1)
        assert (await refusal(worker)).fields == ["open"]


async def test_only_workers_take_work(client, service):
    # It says nothing: gRPC's client forgets why it was refused if it is just then sending.
    async with WorkStream(service.server.port, client.token, ("inspect",), opens=False) as operator:
        assert (await refusal(operator)).code == "PERMISSION_DENIED"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"queue": "UPPER"}, "The queue must be"),
        ({"queue": "inspect", "heartbeat": "PT0.5S"}, "The heartbeat must be"),
        ({"queue": "inspect", "input": '${ "x" * 4000000 }'}, "at most 3670016 bytes, not 4000002"),
        ({"queue": "inspect", "input": TILED}, "at most 3670016 bytes, not 4554283"),
        ({"queue": "inspect", "input": '${ "불" * 1300000 }'}, "at most 3670016 bytes, not 3900002"),
        ({"queue": "inspect", "input": "${ reduce range(40) as $i (1; [.]) }"}, "at most 32 nested levels"),
    ],
)
async def test_arguments_past_their_limits_are_a_validation_error(client, arguments, said):
    await client.release([{"inspect": {"call": "task", "with": arguments}}])
    ended = await client.run(input=value(WAVES))
    assert ended.state == FAULTED
    assert said in ended.error.detail


async def test_the_largest_item_comes_with_the_largest_state_and_gives_the_largest_output(client, connect):
    """A client takes 4 MiB in one message by default, and the service no more."""
    most = "x" * (VALUE_LIMIT_BYTES - (value("x" * VALUE_LIMIT_BYTES).ByteSize() - VALUE_LIMIT_BYTES))
    await client.release([task("inspect", input='${ "x" * .times }')])
    instance = await client.start(input=value({"times": len(most)}))
    async with connect() as worker:
        assert await worker.fail(await worker.take(), retry_after=Duration(), state=LARGE[1:])
        item = await worker.take()
        assert (item.input.string_value, len(item.state)) == (most, 64 * 1024)
        assert await worker.complete(item, most)
    assert (await client.ended(instance)).output.string_value == most


async def test_a_report_of_more_than_is_read_ends_the_stream(connect):
    async with connect() as worker:
        worker.say(complete=pb.CompleteWork(id=SOME, output=value("x" * 4 * 2**20)))
        refused = await refusal(worker)
    assert (refused.code, refused.reason) == ("RESOURCE_EXHAUSTED", "REQUEST_TOO_LARGE")


async def test_settled_items_are_removed_in_time(inspecting, connect, sql):
    async with connect() as worker:
        assert await worker.complete(await worker.take())

    async def is_gone():
        return not await sql.fetch(STATE, inspecting.tenant)

    await until(is_gone, 15)


LEFT = """
INSERT INTO workflow.work_item (tenant, instance, reference, part, id, queue, input, heartbeat, max_failures, state,
                                due_time, create_time)
SELECT $1, $2, '/do/0/' || n, 0, gen_random_uuid(), 'inspect', 'null', interval '1 second', 1, 'COMPLETED', now(), now()
FROM generate_series(1, $3) AS n
"""


@pytest.fixture
async def left(client, sql):
    """Give a function that makes so many items of an instance that has ended."""
    await client.release(SET)
    instance = uuid.UUID((await client.run()).name.partition("/")[2])
    return partial(sql.execute, LEFT, client.tenant, instance)


async def test_items_are_removed_faster_than_they_come(client, left, sql):
    """At 535 a second, five seconds' worth are gone with one look, not 200 of them."""
    await left(3000)

    async def are_gone():
        return not await sql.fetch(STATE, client.tenant)

    await until(are_gone, 12)


async def test_replicas_remove_different_items(service, left):
    await left(2500)
    database = service.platform.database
    async with asyncio.timeout(10), database.transaction(ALL_TENANTS) as one:
        assert await work_items.forget(one)
        async with database.transaction(ALL_TENANTS) as other:
            await work_items.forget(other)  # does not wait for the first
