"""One operation that this process holds: everything that is written of it goes through here, under its lease."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from millwright_runtime.events.log import EventLog
from millwright_runtime.postgres.database import Connection
from millwright_runtime.service import Platform
from prometheus_client import Counter, Histogram

from millwright_modules.commands import operating
from millwright_modules.domain import names
from millwright_modules.domain.operation import Operation, Progress, Stage
from millwright_modules.domain.problem import Problem
from millwright_modules.engine.progress import Worked
from millwright_modules.store import operations

STAGE_SECONDS = Histogram(
    "millwright_modules_stage_seconds",
    "For how long an operation was in a stage here.",
    ["stage"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
)
OPERATIONS_ENDED = Counter("millwright_modules_operations_ended_total", "Operations that ended.", ["outcome"])
ResultT = TypeVar("ResultT")


class Work:
    """An operation in hand. Each write raises LeaseLost once the operation is not ours any more."""

    def __init__(self, platform: Platform, log: EventLog, operation: Operation) -> None:
        self.platform = platform
        self.log = log
        self.operation = operation
        self._begin_time = self._stage_time = time.monotonic()
        self._begin_percent = operation.progress.percent

    @property
    def tenant(self) -> str:
        """Give the operation's tenant."""
        return self.operation.tenant

    @property
    def worked(self) -> Worked:
        """Give for how long it has been worked on here, and from where on."""
        return Worked(self._begin_percent, time.monotonic() - self._begin_time)

    async def enter(self, stage: Stage, found: Sequence[Problem] = ()) -> None:
        """Move it to its next stage."""
        await self.write(lambda connection: operating.enter(connection, self.log, self.operation, stage, found))

    async def progress(self, measure: Callable[[Operation], Progress]) -> None:
        """Write how far it is, as `measure` finds from where it was."""

        async def write(connection: Connection) -> Operation:
            moved = replace(self.operation, progress=measure(self.operation))
            return await operating.progress(connection, self.log, moved)

        await self.write(write)

    async def write(self, change: Callable[[Connection], Awaitable[Operation]], *resources: str) -> None:
        """Make a change that gives the operation as it is then, in a transaction; wake whoever watches.

        The change is of the operation as its row has it: a write whose answer was lost may have been made.
        """
        async with self.platform.database.transaction(self.tenant) as connection:
            self.operation = await operations.hold(connection, self.operation)
            operation = await change(connection)
        self._measure(operation.stage)
        self.operation = operation
        self.platform.committed(self.tenant, names.operation(operation.id), *resources)

    def _measure(self, stage: Stage) -> None:
        if stage is self.operation.stage:
            return
        now = time.monotonic()
        STAGE_SECONDS.labels(self.operation.stage.value).observe(now - self._stage_time)
        self._stage_time = now
        if stage.is_terminal:
            OPERATIONS_ENDED.labels(stage.value).inc()
