"""An install outlives whatever happens to the processes and servers that it needs, and nobody who watches can tell.

Two replicas on one database. An operation is held in a stage by a lock in Postgres, until the test has done its harm.
"""

import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import grpc
import nats
import pytest
from google.protobuf import json_format
from millwright.modules.v1.module_service_pb2 import (
    GetAssetRequest,
    GetModuleRequest,
    GetOperationRequest,
    ListActivationsRequest,
    ListOperationEventsRequest,
)
from millwright.modules.v1.operation_pb2 import STAGE_COMPLETED, Operation, OperationEvent, Stage
from millwright_local.databases import DATABASE
from millwright_local.modules_client import ModulesClient
from millwright_local.processes import until
from millwright_local.scratch import scratch_directory
from millwright_local.service_process import ServiceProcess
from millwright_local.services import named
from millwright_local.stack import Stack
from millwright_local.testing.packages import TRUST, manifest, packed

MODULE = "modules/quality"
PAGE = b"export default 1;\n"
STAGES = ["UPLOADED", "EXTRACTING", "VALIDATING", "BUILDING", "ACTIVATING", "COMPLETED"]
SECRET = "k7-the-service-knows-it"
TAKEN_OVER_SECONDS = 60.0  # lease 6 s, look 1 s, and much room for a busy machine
# What is written of an operation waits while somebody holds its stage. It is there before any replica is frozen, which
# may be in the middle of asking something of the table.
HOLDABLE = """
CREATE FUNCTION modules.hold() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(7, hashtext(OLD.stage));
    RETURN NEW;
END $$;
CREATE TRIGGER hold BEFORE UPDATE ON modules.operation FOR EACH ROW
WHEN (NEW.sequence > OLD.sequence) EXECUTE FUNCTION modules.hold()
"""
HOLD = "SELECT pg_advisory_lock(7, hashtext($1))"
LET_GO = "SELECT pg_advisory_unlock_all()"
pytestmark = pytest.mark.timeout(300)


@dataclass(frozen=True, slots=True)
class Replicas:
    """A stack, and its two processes of the modules service."""

    stack: Stack
    first: ServiceProcess
    second: ServiceProcess

    async def restore(self) -> None:
        """Bring back what a test has ended or frozen."""
        for server in (self.stack.postgres, self.stack.nats, self.first, self.second):
            assert server
            assert server.process
            server.thaw()
            if not server.process.is_running:
                await server.start()


@pytest.fixture(scope="module")
async def shared_replicas() -> AsyncIterator[Replicas]:
    with scratch_directory() as home, pytest.MonkeyPatch.context() as environment:
        environment.setenv("MILLWRIGHT_MODULES_TOKEN_OF_A_FRIEND", SECRET)
        stack = Stack(home, services=[named("modules")], free_ports=True, durable=False, environment={})
        async with stack:
            assert stack.postgres
            async with stack.postgres.connect(DATABASE) as connection:
                await connection.execute(HOLDABLE)
            second = stack.add_replica("modules")
            await second.start()
            yield Replicas(stack, stack.services["modules"], second)


@pytest.fixture
async def replicas(shared_replicas: Replicas) -> AsyncIterator[Replicas]:
    yield shared_replicas
    await shared_replicas.restore()


@pytest.fixture
def tenant() -> str:
    return f"test-{uuid.uuid4()}"


@pytest.fixture
async def connect(replicas: Replicas, tenant: str) -> AsyncIterator[Callable[[ServiceProcess], ModulesClient]]:
    """Gives a client of a process, who is an admin of the test's tenant."""
    async with AsyncExitStack() as clients:

        def make(process: ServiceProcess) -> ModulesClient:
            client = ModulesClient(process.address, replicas.stack.keys.token(tenant=tenant, roles=("admin",)))
            clients.push_async_exit(client)
            return client

        admin = make(replicas.first)
        await admin.call(admin.modules.AddSigningKey, TRUST)
        yield make


def package(page: bytes = PAGE, *, version: str = "1.0.0", entry: str = "") -> bytes:
    """A package of the module `quality`: a page that was built before, or is built from `entry`, and pictures."""
    described = manifest("quality", version, "Quality", **({"frontend": {"entry": entry}} if entry else {}))
    pictures = {f"pictures/{number}.png": bytes([number]) * 20_000 for number in range(100)}
    return packed(described, {entry or "dist/page.js": page, **pictures})


@asynccontextmanager
async def held_in(stack: Stack, stage: str) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Hold operations in a stage: nothing more is written of them until the given function was awaited."""
    assert stack.postgres
    async with stack.postgres.connect(DATABASE) as connection:
        await connection.execute(HOLD, stage)

        async def let_go() -> None:
            await connection.execute(LET_GO)

        yield let_go


async def come_to(client: ModulesClient, operation: str, stage: str) -> OperationEvent:
    """Watch an operation until it has entered a stage; give the event that says so."""
    async for event in client.events(operation):
        if name_of(event) == stage:
            return event
    pytest.fail(f"it never came to {stage}")


async def watch_to_end(client: ModulesClient, operation: str) -> Sequence[OperationEvent]:
    return [event async for event in client.events(operation)]


async def get(client: ModulesClient, operation: str) -> Operation:
    return (await client.call(client.modules.GetOperation, GetOperationRequest(name=operation))).operation


def name_of(message: Operation | OperationEvent) -> str:
    return Stage.Name(message.stage).removeprefix("STAGE_")


async def check_whole(client: ModulesClient, events: Sequence[OperationEvent]) -> None:
    """Hold that nobody who watched can tell that something happened, and that it was made live once."""
    assert events[-1].stage == STAGE_COMPLETED, events[-1]
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    percents = [event.progress.percent for event in events]
    assert percents == sorted(percents)
    assert percents.count(100.0) == 1
    order = [name_of(event) for event in events]
    assert list(dict.fromkeys(order)) == STAGES
    assert order == sorted(order, key=STAGES.index)
    history = await client.call(client.modules.ListActivations, ListActivationsRequest(module=MODULE))
    assert len(history.activations) == 1
    module = (await client.call(client.modules.GetModule, GetModuleRequest(name=MODULE))).module
    assert (module.active_version, module.generation, module.operation) == ("1.0.0", 1, "")
    served = [answer.data async for answer in client.stream(client.modules.GetAsset, GetAssetRequest(module=MODULE))]
    assert b"".join(served) == PAGE


async def takes(replicas: Replicas, operation: str) -> int:
    """How often an operation was taken."""
    assert replicas.stack.postgres
    async with replicas.stack.postgres.connect(DATABASE) as connection:
        query = "SELECT epoch FROM modules.operation WHERE operation = $1"
        return int(await connection.fetchval(query, uuid.UUID(operation.partition("/")[2])))


@pytest.mark.parametrize("stage", STAGES[1:-1])
async def test_a_replica_that_is_killed_in_a_stage_is_succeeded_by_another(replicas, connect, stage) -> None:
    first, second = connect(replicas.first), connect(replicas.second)
    replicas.second.freeze()  # the first one takes it
    async with held_in(replicas.stack, stage) as let_go:
        operation = (await first.install(package(), str(uuid.uuid4()), health_seconds=0)).name
        last = await come_to(first, operation, stage)
        await replicas.first.kill()
        replicas.second.thaw()
        assert (await get(second, operation)).stage == last.stage
        await let_go()
        await check_whole(second, await watch_to_end(second, operation))
    assert await takes(replicas, operation) == 2


@pytest.mark.parametrize("stage", ["BUILDING", "ACTIVATING"])
async def test_a_replica_that_wakes_after_another_took_over_writes_nothing(replicas, connect, stage) -> None:
    first, second = connect(replicas.first), connect(replicas.second)
    replicas.second.freeze()
    async with held_in(replicas.stack, stage) as let_go:
        operation = (await first.install(package(), str(uuid.uuid4()), health_seconds=0)).name
        await come_to(first, operation, stage)
        replicas.first.freeze()
        replicas.second.thaw()
        await let_go()
    events = await watch_to_end(second, operation)
    await check_whole(second, events)
    ended = await get(second, operation)
    replicas.first.thaw()
    replicas.second.freeze()
    # What it had in hand goes on at once: it has come to nothing long before another operation is at its end.
    other = await first.install(package(b"export default 2;\n"), str(uuid.uuid4()), health_seconds=0)
    assert (await watch_to_end(first, other.name))[-1].problems[0].reason == "VERSION_TAKEN"
    assert await get(first, operation) == ended
    assert await watch_to_end(first, operation) == events
    await check_whole(first, events)


async def test_an_install_waits_for_postgres_and_ends(replicas, connect) -> None:
    first = connect(replicas.first)
    async with held_in(replicas.stack, "BUILDING"):
        operation = (await first.install(package(), str(uuid.uuid4()), health_seconds=0)).name
        await come_to(first, operation, "BUILDING")
        await replicas.stack.postgres.stop()  # it ends the session that held it, too
        with pytest.raises(grpc.aio.AioRpcError):
            await get(first, operation)
        await replicas.stack.postgres.start()
    await serving(first)
    await check_whole(first, await watch_to_end(first, operation))


async def test_an_install_does_not_wait_for_nats_and_its_events_come_later(replicas, connect, tenant) -> None:
    first = connect(replicas.first)
    async with held_in(replicas.stack, "BUILDING") as let_go:
        operation = (await first.install(package(), str(uuid.uuid4()), health_seconds=0)).name
        await come_to(first, operation, "BUILDING")
        await replicas.stack.nats.kill()
        await let_go()
        events = await watch_to_end(first, operation)
    await check_whole(first, events)
    await replicas.stack.nats.start()
    heard = await heard_on_nats(replicas.stack.nats.url, f"millwright.{tenant}.modules.progress.>", len(events))
    assert heard == events


async def test_no_secret_of_the_service_is_in_anything_that_it_keeps(replicas, connect) -> None:
    first = connect(replicas.first)

    async def end_of(page: str, version: str) -> str:
        packed = package(page.encode(), version=version, entry="src/page.tsx")
        operation = await first.install(packed, str(uuid.uuid4()), health_seconds=0)
        return name_of((await watch_to_end(first, operation.name))[-1])

    assert await end_of("export default () => 1;\n", "1.0.0") == "COMPLETED"
    private = replicas.stack.keys.private_file
    for number, path in enumerate(("/proc/self/environ", f"/proc/{replicas.first.process.pid}/environ", private)):
        page = f'import all from "{path}" with {{type: "text"}};\nexport default () => all;\n'
        assert await end_of(page, f"1.1.{number}") == "FAILED"
    assert await kept(replicas, "quality")  # what is there is found
    for secret in (SECRET, private.read_text().splitlines()[1], "postgresql://"):
        assert not await kept(replicas, secret)


async def kept(replicas: Replicas, text: str) -> Sequence[str]:
    """The tables of the service in which a text is, whatever the column."""
    assert replicas.stack.postgres
    async with replicas.stack.postgres.connect(DATABASE) as connection:
        names = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'modules'")
        signs = [f"%{text}%", f"%{text.encode().hex()}%"]  # as text, and as bytes
        query = "SELECT EXISTS (SELECT FROM modules.{} AS one WHERE one::text LIKE ANY ($1))"
        return [name for (name,) in names if await connection.fetchval(query.format(f'"{name}"'), signs)]


async def serving(client: ModulesClient) -> None:
    """Wait until the service answers again."""

    async def answers() -> bool:
        try:
            await client.call(client.modules.ListOperationEvents, ListOperationEventsRequest())
        except grpc.aio.AioRpcError as error:
            return error.code() is grpc.StatusCode.INVALID_ARGUMENT
        return True

    await until(answers, TAKEN_OVER_SECONDS)


async def heard_on_nats(url: str, subject: str, count: int) -> Sequence[OperationEvent]:
    """What JetStream has under a subject, once there are so many; a repetition would be one more."""
    connection = await nats.connect(url)
    try:
        subscription = await connection.jetstream().subscribe(subject, ordered_consumer=True, deliver_policy="all")
        heard = [json.loads((await subscription.next_msg(timeout=20)).data) for _ in range(count)]
        with pytest.raises(nats.errors.TimeoutError):
            await subscription.next_msg(timeout=1)
    finally:
        await connection.close()
    return [json_format.ParseDict(body, OperationEvent()) for body in heard]
