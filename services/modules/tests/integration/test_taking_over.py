"""Whoever works on an operation may end, freeze or leave at any moment: another one goes on."""

import asyncio
import uuid
from datetime import timedelta

import asyncpg
import pytest
from millwright.modules.v1 import module_pb2
from millwright_local.processes import until
from millwright_modules.app import SERVICE, compose
from millwright_modules.domain import names
from millwright_modules.domain.operation import MOST_ATTEMPTS, Stage
from millwright_modules.engine.work import Work
from millwright_modules.store import operations
from millwright_modules.store.operations import LeaseLost
from millwright_runtime.events.log import EventLog
from millwright_runtime.postgres.database import ALL_TENANTS
from millwright_runtime.service import running
from modules_rig.client import MODULE, package, stage
from prometheus_client import REGISTRY

STAGES = ["UPLOADED", "EXTRACTING", "VALIDATING", "BUILDING", "ACTIVATING", "COMPLETED"]
TAKEN_AGAIN = "millwright_modules_operations_taken_again_total"
OWNER = uuid.UUID(int=1)
HOLD = f"""
CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.owner := '{OWNER}';
    NEW.epoch := 1;
    NEW.attempts := 1;
    NEW.lease_time := clock_timestamp() + interval '1 hour';
    RETURN NEW;
END $$;
CREATE TRIGGER hold BEFORE INSERT ON modules.operation FOR EACH ROW EXECUTE FUNCTION hold();
"""
FAIL_TO_RENEW = """
CREATE SEQUENCE renewals;
CREATE FUNCTION fail_once() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    IF nextval('renewals') = 1 THEN
        RAISE 'a fault of ours';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER fail_once BEFORE UPDATE ON modules.operation FOR EACH ROW
WHEN (NEW.owner = OLD.owner AND NEW.epoch = OLD.epoch AND NEW.lease_time <> OLD.lease_time)
EXECUTE FUNCTION fail_once();
"""
END_WHO_WAITS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


class Killed(Exception):
    """The process is gone."""


class Dying(Work):
    """An operation in the hands of a worker that is killed once `has_come` says so."""

    def __init__(self, platform, operation, has_come):
        super().__init__(platform, EventLog("modules"), operation)
        self._has_come = has_come

    async def write(self, change, *resources):
        await super().write(change, *resources)
        if self._has_come(self.operation):
            raise Killed


@pytest.fixture
async def held(sql):
    """New operations belong to a worker of the test, which has no lease but for an hour."""
    await sql.execute(HOLD)
    yield
    await sql.execute("DROP TRIGGER hold ON modules.operation; DROP FUNCTION hold")


@pytest.fixture
async def parts(service, settings):
    """The parts of a second replica, none of which runs."""
    parts = await compose(service.platform, settings)
    yield parts
    for close in parts.closers:
        await close()


@pytest.fixture
def die(service, parts, client, held):
    """Begin an install in a worker that dies; give the operation's name, and what the worker still has."""

    async def die(has_come, **options):
        name = await client.start(package(), **options)
        async with service.platform.database.snapshot(client.tenant) as connection:
            operation = await operations.get(connection, uuid.UUID(name.partition("/")[2]))
        work = Dying(service.platform, operation, has_come)
        if not has_come(operation):
            with pytest.raises(Killed):
                await parts.loops[0]._installing.run(work)
        return name, work

    return die


async def expire(sql, name, attempts=None):
    """Let the lease run out."""
    await sql.execute(
        "UPDATE modules.operation SET lease_time = clock_timestamp(), attempts = coalesce($2, attempts)"
        " WHERE operation::text = $1",
        name.partition("/")[2],
        attempts,
    )


async def end_who_waits(sql):
    """End the connections that wait for a lock, also those made since the transaction began; give which they were."""
    await sql.execute("SELECT pg_stat_clear_snapshot()")
    return await sql.fetch(END_WHO_WAITS)


async def check_whole(client, name):
    """Hold that nobody who watched can tell that somebody else went on."""
    events = await client.events(name)
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    percents = [event.progress.percent for event in events]
    assert percents == sorted(percents)
    assert percents.count(100) == 1
    order = [stage(event) for event in events]
    assert [one for place, one in enumerate(order) if place == 0 or order[place - 1] != one] == STAGES
    (activation,) = (await client.ListActivations(module=MODULE)).activations
    assert activation.kind == module_pb2.Activation.KIND_INSTALL
    module = (await client.GetModule(name=MODULE)).module
    assert (module.generation, module.operation) == (1, "")
    assert (await client.asset())[1] == b"export default 1;\n"


@pytest.mark.parametrize("last", [stage for stage in Stage if not stage.is_terminal])
async def test_another_goes_on_from_the_last_finished_stage(client, sql, die, last):
    before = REGISTRY.get_sample_value(TAKEN_AGAIN)
    name, _ = await die(lambda operation: operation.stage is last)
    await expire(sql, name)
    assert stage(await client.end_of(name)) == "COMPLETED"
    await check_whole(client, name)
    assert REGISTRY.get_sample_value(TAKEN_AGAIN) == before + 1


@pytest.mark.parametrize("last", [Stage.EXTRACTING, Stage.VALIDATING, Stage.BUILDING])
async def test_another_goes_on_from_the_middle_of_a_stage(client, sql, die, last):
    entered = []

    def has_come(operation):
        entered.append(operation.stage)
        return entered.count(last) == 2

    name, _ = await die(has_come)
    await expire(sql, name)
    assert stage(await client.end_of(name)) == "COMPLETED"
    await check_whole(client, name)


async def test_what_is_live_already_is_not_made_live_again(client, sql, die):
    name, _ = await die(lambda operation: operation.live_generation is not None)
    assert (await client.GetModule(name=MODULE)).module.active_version == "1.0.0"
    await expire(sql, name)
    assert stage(await client.end_of(name)) == "COMPLETED"
    await check_whole(client, name)


async def test_whoever_takes_it_over_tells_how_long_its_health_is_watched(client, sql, die):
    name, _ = await die(lambda operation: operation.live_generation is not None, health=3)
    assert (await client.GetOperation(name=name)).operation.progress.seconds_left == 3
    await expire(sql, name)
    await client.end_of(name)
    check_watch(await client.events(name), 3)


def check_watch(events, seconds):
    """Hold that while its health is watched, the time left is what is left of that."""
    told = [event.progress for event in events if "watching" in event.progress.messages["en"]]
    assert {progress.steps_done for progress in told} >= {0, 1, 2}
    for progress in told:
        assert seconds - progress.steps_done - 1 <= progress.seconds_left <= seconds - progress.steps_done


async def test_a_worker_that_was_frozen_writes_nothing_any_more(client, sql, die):
    name, frozen = await die(lambda operation: operation.stage is Stage.VALIDATING)
    await expire(sql, name)
    ended = await client.end_of(name)
    with pytest.raises(LeaseLost):
        await frozen.enter(Stage.BUILDING)
    with pytest.raises(LeaseLost):
        await frozen.progress(lambda operation: operation.progress)
    assert (await client.GetOperation(name=name)).operation == ended
    await check_whole(client, name)


async def test_a_worker_that_was_cancelled_under_way_writes_nothing_any_more(client, die):
    name, frozen = await die(lambda operation: operation.stage is Stage.BUILDING)
    await client.CancelOperation(name=name)
    with pytest.raises(LeaseLost):
        await frozen.enter(Stage.ACTIVATING)
    assert stage((await client.GetOperation(name=name)).operation) == "CANCELLED"
    assert not (await client.ListModules()).modules


async def test_what_never_comes_to_an_end_is_given_up(client, sql, die):
    name, _ = await die(lambda operation: operation.stage is Stage.BUILDING)
    await expire(sql, name, MOST_ATTEMPTS)
    ended = await client.end_of(name)
    assert (stage(ended), ended.problems[-1].reason) == ("FAILED", "GIVEN_UP")
    assert not (await client.ListModules()).modules


async def test_what_was_given_back_often_has_not_failed(client, service, sql, die):
    name, _ = await die(lambda operation: operation.live_generation is not None)
    async with service.platform.database.transaction(ALL_TENANTS) as connection:
        for _ in range(MOST_ATTEMPTS + 1):
            await operations.release(connection, OWNER)
            (taken,) = await operations.claim(connection, OWNER, timedelta(hours=1), 1)
            assert names.operation(taken.id) == name
    await expire(sql, name)
    assert stage(await client.end_of(name)) == "COMPLETED"
    await check_whole(client, name)


async def test_what_is_live_and_given_up_goes_again(client, sql, die):
    name, _ = await die(lambda operation: operation.live_generation is not None)
    await expire(sql, name, MOST_ATTEMPTS)
    assert stage(await client.end_of(name)) == "ROLLED_BACK"
    module = (await client.GetModule(name=MODULE)).module
    assert (module.state, module.generation) == (module_pb2.Module.STATE_UNINSTALLED, 2)


async def test_an_operation_that_lost_its_connection_is_gone_on_with_by_the_same_process(client, sql, caplog):
    name = await client.start(package(), health=1)
    async for message in client.WatchOperation(name=name, from_sequence=0):
        if stage(message.event) == "ACTIVATING":
            break

    async def waits() -> bool:
        await end_who_waits(sql)
        return "an operation waits" in caplog.text

    async with sql.transaction():
        await sql.execute("SELECT FROM modules.operation WHERE operation::text = $1 FOR UPDATE", name.partition("/")[2])
        await until(waits, 20)
    assert stage(await client.end_of(name)) == "COMPLETED"
    await check_whole(client, name)


async def test_a_connection_that_is_lost_costs_a_telling_and_no_stage(client, sql, caplog):
    name = await client.start(package(), health=4)
    told = aiter(client.WatchOperation(name=name, from_sequence=0))
    while (await anext(told)).event.progress.percent <= 75:
        pass

    async def is_lost() -> bool:
        return bool(await end_who_waits(sql))

    async with sql.transaction():
        await sql.execute("SELECT FROM modules.operation WHERE operation::text = $1 FOR UPDATE", name.partition("/")[2])
        await until(is_lost, 20)
    later = [message.event async for message in told]
    assert stage(later[-1]) == "COMPLETED"
    assert len({event.progress.steps_done for event in later[:-1]}) > 1
    assert "an operation waits" not in caplog.text
    await check_whole(client, name)


@pytest.fixture
async def unrenewed(sql):
    """The first renewal of a lease meets a fault that is no loss of the connection."""
    await sql.execute(FAIL_TO_RENEW)
    yield
    await sql.execute("DROP TRIGGER fail_once ON modules.operation; DROP FUNCTION fail_once; DROP SEQUENCE renewals")


async def test_a_fault_in_keeping_leases_does_not_end_the_keeping_of_them(client, sql, unrenewed):
    name = await client.start(package(), health=5)

    async def is_renewed() -> bool:
        return await sql.fetchval("SELECT last_value > 1 FROM renewals")

    await until(is_renewed, 10)
    assert stage(await client.end_of(name)) == "COMPLETED"
    attempts = "SELECT attempts FROM modules.operation WHERE operation::text = $1"
    assert await sql.fetchval(attempts, name.partition("/")[2]) == 1, "nobody had to take it again"
    await check_whole(client, name)


async def test_what_a_worker_takes_as_it_leaves_is_given_up_too(client, parts, sql, held):
    name = await client.start(package())
    await expire(sql, name)
    worker = parts.loops[0]
    working = asyncio.create_task(worker.run())
    await asyncio.sleep(0)  # it asks for operations now, and has none yet
    await worker.drain()
    working.cancel()
    assert worker._running == {}
    assert stage(await client.end_of(name)) == "COMPLETED"
    await check_whole(client, name)


async def test_a_service_that_stops_gives_its_operations_up_at_once(service_databases, service_settings, connected):
    async with service_databases.fresh(SERVICE) as urls:
        alone = service_settings(SERVICE, urls.service)
        async with running(SERVICE, alone) as first, connected(first) as client:
            name = await client.start(package(), health=3)
            async for message in client.WatchOperation(name=name, from_sequence=0):
                if message.event.progress.percent > 75:
                    break
            tenant, token = client.tenant, client.token
        connection = await asyncpg.connect(urls.superuser)
        assert await connection.fetchval("SELECT count(*) FROM modules.operation WHERE owner IS NULL") == 1
        await connection.close()
        async with running(SERVICE, alone) as second, connected(second, tenant=tenant) as client:
            client.token = token
            assert stage(await client.end_of(name)) == "COMPLETED"
            await check_whole(client, name)
