"""Every committed event reaches JetStream, in order and once, whatever happens to NATS or to us."""

import asyncio
import shutil
import uuid

import pytest
from millwright_local.processes import until
from millwright_runtime.events import outlet
from millwright_runtime.events.jetstream import JetStream
from millwright_runtime.events.relay import Relay
from millwright_runtime.events.signals import Signals
from millwright_runtime.postgres.database import Database


@pytest.fixture
def resource():
    """A resource that no other test knows."""
    return f"workflows/{uuid.uuid4()}"


async def drained(relay, writer):
    """Relay until nothing waits."""

    async def is_drained():
        await relay.flush()
        return await writer.waiting() == 0

    await until(is_drained, 10)


async def test_an_event_is_published_once_it_is_committed(relay, writer, reader, resource):
    await writer.write(resource)
    assert await relay.run_once() == 1
    assert await reader.ids() == [f"{resource}/1"]
    assert await writer.waiting() == 0


async def test_an_event_that_was_undone_is_never_published(relay, writer, reader, resource, database):
    async def write_and_fail():
        async with database.transaction("north") as connection:
            await connection.execute(
                "INSERT INTO sample.outbox (tenant, resource, sequence, day) VALUES ('north', 'x', 1, current_date)"
            )
            raise LookupError

    with pytest.raises(LookupError):
        await write_and_fail()
    assert await relay.run_once() == 0


async def test_the_events_of_a_resource_keep_their_order(relay, writer, reader, resource):
    other = f"{resource}-other"
    for _ in range(20):
        await writer.write(resource, other)
    await drained(relay, writer)
    ids = await reader.ids()
    assert ids == [f"{name}/{n}" for n in range(1, 21) for name in (resource, other)]


async def test_more_events_than_a_batch_are_all_published(relay, writer, reader, resource, monkeypatch):
    monkeypatch.setattr(outlet, "BATCH", 7)
    await writer.write(*[resource] * 30)
    await relay.flush()
    assert await reader.ids() == [f"{resource}/{n}" for n in range(1, 31)]


async def test_urgent_events_pass_a_backlog_that_an_outage_left_and_each_resource_keeps_its_order(
    relay, writer, reader, resource, module_nats, jetstream
):
    urgent = f"{resource}-urgent"
    await module_nats.stop()
    await writer.write(urgent, is_urgent=True)
    for _ in range(4):
        await writer.write(*[resource] * 1000)
    await writer.write(urgent, urgent, kind="rollback", is_urgent=True)
    await relay.flush()
    assert await writer.waiting() == 4003
    await module_nats.start()

    async def is_back():
        return jetstream.is_connected

    await until(is_back, 10)
    await drained(relay, writer)
    ids = await reader.ids()
    assert ids[:3] == [f"{urgent}/{n}" for n in (1, 2, 3)]
    assert ids[3:] == [f"{resource}/{n}" for n in range(1, 4001)]


async def test_an_urgent_event_passes_what_waits_while_a_backlog_drains(relay, writer, reader, resource, monkeypatch):
    monkeypatch.setattr(outlet, "BATCH", 5)
    await writer.write(*[resource] * 12)
    assert await relay.run_once() == 5
    await writer.write(f"{resource}-urgent", is_urgent=True)
    await relay.flush()
    assert await reader.ids() == [
        *(f"{resource}/{n}" for n in range(1, 6)),
        f"{resource}-urgent/1",
        *(f"{resource}/{n}" for n in range(6, 13)),
    ]


async def test_what_was_published_but_not_removed_is_published_again_and_dropped_there(
    relay, writer, reader, resource, monkeypatch
):
    await writer.write(resource)

    async def die(connection, rows):
        raise ConnectionAbortedError

    with monkeypatch.context() as patch:
        patch.setattr(relay, "_remove", die)
        with pytest.raises(ConnectionAbortedError):
            await relay.run_once()
    assert await writer.waiting() == 1
    assert await relay.run_once() == 1
    (message,) = await reader.messages()
    assert message.headers["Nats-Msg-Id"] == f"/millwright/north/sample/{resource}/1"


async def test_two_relays_at_once_take_turns(relay, writer, reader, resource, database, jetstream):
    publishing, go_on = asyncio.Event(), asyncio.Event()

    async def publish_slowly(events):
        publishing.set()
        await go_on.wait()
        await jetstream.publish(events)

    slow = Relay(database, publish_slowly, "sample")
    await writer.write(resource)
    first = asyncio.create_task(slow.run_once())
    await publishing.wait()
    assert await relay.run_once() == 0
    go_on.set()
    assert await first == 1
    assert await reader.ids() == [f"{resource}/1"]


async def test_nats_may_take_longer_than_postgres_lets_a_transaction_idle_or_last(writer, resource, urls, monkeypatch):
    monkeypatch.setattr("millwright_runtime.postgres.database._IDLE_MILLISECONDS", 100)
    monkeypatch.setattr("millwright_runtime.postgres.database._TRANSACTION_SECONDS", 0.2)
    hasty = await Database.open(urls.service, 1, application="test")

    async def publish(_events):
        await asyncio.sleep(0.3)

    await writer.write(resource)
    assert await Relay(hasty, publish, "sample").run_once() == 1
    assert await writer.waiting() == 0
    await hasty.close()


async def test_while_nats_is_down_events_wait_and_then_flow_in_order(relay, writer, reader, resource, module_nats):
    await writer.write(resource)
    await relay.flush()
    await module_nats.stop()
    for _ in range(3):
        await writer.write(resource)
        await relay.flush()
    assert await relay.pending() == 3
    await module_nats.start()
    await drained(relay, writer)
    assert await reader.ids() == [f"{resource}/{n}" for n in range(1, 5)]


async def test_a_nats_that_lost_everything_is_given_its_stream_again(relay, writer, reader, resource, module_nats):
    await writer.write(resource)
    await relay.flush()
    await module_nats.stop()
    shutil.rmtree(module_nats.directory)
    await module_nats.start()
    await writer.write(resource)
    await drained(relay, writer)
    assert await reader.ids() == [f"{resource}/2"]


async def test_a_stream_that_somebody_removed_is_made_again(relay, writer, reader, resource, monkeypatch):
    monkeypatch.setattr("millwright_runtime.events.jetstream._ACK_SECONDS", 0.2)
    await writer.write(resource)
    await relay.flush()
    await reader.remove_stream()
    await writer.write(resource)
    await drained(relay, writer)
    assert await reader.ids() == [f"{resource}/2"]


async def test_the_loop_publishes_when_it_is_told_to(relay, writer, reader, resource):
    signals = Signals()

    async def run():
        with signals.listen("outbox") as listener:
            await relay.run(listener)

    running = asyncio.create_task(run())
    await writer.write(resource)
    signals.notify("outbox")

    async def is_published():
        return await writer.waiting() == 0

    await until(is_published, 5)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_service_that_starts_before_nats_publishes_when_it_is_there(writer, reader, resource, module_nats):
    await module_nats.stop()
    jetstream = JetStream(module_nats.url, "sample", retention_days=7)
    jetstream.start(lambda _: None)
    relay = Relay(writer.database, jetstream.publish, "sample")
    await writer.write(resource)
    await relay.flush()
    assert await writer.waiting() == 1
    await module_nats.start()
    await drained(relay, writer)
    assert await reader.ids() == [f"{resource}/1"]
    await jetstream.stop()


@pytest.mark.parametrize("rounds", [0, 1, 10])
async def test_stopping_while_nats_is_away_ends(module_nats, rounds):
    await module_nats.stop()
    jetstream = JetStream(module_nats.url, "sample", retention_days=7)
    jetstream.start(lambda _: None)
    await asyncio.wait([jetstream._connecting], timeout=rounds * 0.01)
    async with asyncio.timeout(3):
        await jetstream.stop()
    await module_nats.start()
