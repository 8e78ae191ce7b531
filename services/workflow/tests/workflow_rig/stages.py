"""Stages for tests of the engine's storage: the same acts of callers, on the database in memory and on Postgres."""

import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from millwright_runtime.events.log import EventLog
from millwright_runtime.postgres.database import ALL_TENANTS, Database
from millwright_runtime.service import Platform
from millwright_workflow.commands import publishing, releasing, running
from millwright_workflow.domain import definition
from millwright_workflow.domain.compensation import Compensation
from millwright_workflow.domain.instances import Instance, Key, State
from millwright_workflow.domain.releases import Actor, Rollback, RunPolicy
from millwright_workflow.engine.running.storage import Storage
from millwright_workflow.store import instances, steps
from millwright_workflow.store.checkpoints import Checkpoints
from workflow_simulation.database import MemoryDatabase
from workflow_simulation.storage import MemoryStorage, Network
from workflow_simulation.transactions import Transactions

from workflow_rig.definitions import written

WORKFLOW = "plant.line"
SOMEBODY = Actor("somebody", "it leaks")


@dataclass(frozen=True)
class Seen:
    """What is kept of an instance."""

    state: State
    version: int | None
    sequence: int
    finished_tasks: int
    output: Any
    has_error: bool
    compensation: Compensation | None
    results: list[str]
    events: list[tuple[int, str]]


class MemoryStage:
    """On the database in memory."""

    storage: Storage

    def __init__(self) -> None:
        self.tenant = "plant"
        self._database = MemoryDatabase(time.monotonic, lambda: datetime.now(UTC))
        self._transactions = Transactions(lambda: 0.0)
        self.storage = MemoryStorage(self._database, self._transactions, Network())

    async def _do(self, body) -> Any:
        return await Network().carry(self._transactions, body)

    async def prepare(self) -> None:
        """Let `prod` point to version 2 of two."""
        await self._do(self._database.point((self.tenant, WORKFLOW, "prod"), 2))

    async def start(self, version: int | None = None) -> Key:
        """Start an instance, through `prod` or on a version."""
        key = self.tenant, uuid.uuid4()
        instance = Instance(
            *key,
            workflow=WORKFLOW,
            channel=None if version else "prod",
            version=version,
            state=State.PENDING,
            input={},
            output=None,
            error=None,
            cancel_reason=None,
            finished_tasks=0,
            sequence=1,
            creator="somebody",
            create_time=datetime.now(UTC),
            start_time=None,
            end_time=None,
        )
        await self._do(self._database.start(instance))
        return key

    async def cancel(self, key: Key, *, compensates: bool = False) -> None:
        """Ask for an instance's end."""
        await self._do(self._database.cancel(key, "enough", compensates=compensates))

    async def pause(self, key: Key) -> None:
        """Ask for an instance's pause."""
        await self._do(self._database.pause(key, "a moment"))

    async def resume(self, key: Key) -> None:
        """Let an instance go on."""
        await self._do(self._database.resume(key))

    async def roll_back(self, policy: RunPolicy) -> None:
        """Roll `prod` back to version 1."""
        await self._do(self._database.point((self.tenant, WORKFLOW, "prod"), 1, policy))

    async def look(self, key: Key) -> Seen:
        """Give what is kept of an instance."""
        row = self._database.rows[key]
        instance = row.instance
        return Seen(
            instance.state,
            instance.version,
            instance.sequence,
            instance.finished_tasks,
            instance.output,
            instance.error is not None,
            instance.compensation,
            list(row.results),
            [(event.sequence, event.happening.value) for event in row.events],
        )


class PostgresStage:
    """On a real server."""

    def __init__(self, storage: Storage, platform: Platform, log: EventLog, checkpoints: Checkpoints) -> None:
        self.tenant = f"t-{uuid.uuid4().hex[:12]}"
        self.storage = storage
        self.checkpoints = checkpoints
        self._database: Database = platform.database
        self._log = log

    async def prepare(self) -> None:
        """Let `prod` point to version 2 of two."""
        for number in (1, 2):
            published = definition.load(written([{"note": {"set": {"n": number}}}], f"{number}.0.0").encode())
            async with self._database.transaction(self.tenant) as connection:
                await publishing.publish(connection, self._log, self.tenant, published, "prod", SOMEBODY)

    async def start(self, version: int | None = None) -> Key:
        """Start an instance, through `prod` or on a version."""
        wish = running.Start(WORKFLOW, None if version else "prod", version, {})
        async with self._database.transaction(self.tenant) as connection:
            now = datetime.now(UTC)
            return (await running.start(connection, self._log, self.tenant, wish, "somebody", now)).key

    async def cancel(self, key: Key, *, compensates: bool = False) -> None:
        """Ask for an instance's end."""
        async with self._database.transaction(self.tenant) as connection:
            await running.cancel(connection, self._log, key[1], "enough", datetime.now(UTC), compensates=compensates)

    async def pause(self, key: Key) -> None:
        """Ask for an instance's pause."""
        async with self._database.transaction(self.tenant) as connection:
            await running.pause(connection, key[1], "a moment")

    async def resume(self, key: Key) -> None:
        """Let an instance go on."""
        async with self._database.transaction(self.tenant) as connection:
            await running.resume(connection, self._log, key[1], datetime.now(UTC))

    async def roll_back(self, policy: RunPolicy) -> None:
        """Roll `prod` back to version 1."""
        async with self._database.transaction(self.tenant) as connection:
            wish = Rollback("prod", target_version=1, run_policy=policy)
            await releasing.rollback(connection, self._log, self.tenant, WORKFLOW, wish, SOMEBODY)

    async def look(self, key: Key) -> Seen:
        """Give what is kept of an instance."""
        async with self._database.snapshot(ALL_TENANTS) as connection:
            memory = await steps.recall(connection, *key)
        async with self._database.snapshot(self.tenant) as connection:
            instance = await instances.get(connection, key[1])
            events = await self._log.after(connection, f"instances/{key[1]}", 0, 1000)
        return Seen(
            instance.state,
            instance.version,
            instance.sequence,
            instance.finished_tasks,
            instance.output,
            instance.error is not None,
            instance.compensation,
            [kept.result.reference for kept in memory.checkpoints],
            [(event.sequence, event.data["kind"].removeprefix("KIND_")) for event in events],
        )
