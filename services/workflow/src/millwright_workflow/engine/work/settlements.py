"""Settlements: what workers report is made durable, many reports in one transaction, and answered after that.

A flush takes everything that has come and begins as soon as the one before is back, as the engine's writer does.
"""

from __future__ import annotations

import asyncio
from collections import deque

from millwright_runtime.concurrency.patience import persist
from millwright_runtime.postgres.database import ALL_TENANTS, Database

from millwright_workflow.commands import working
from millwright_workflow.commands.working import WorkerReport
from millwright_workflow.domain.work import Work

_BATCH = 200


class Settlements:
    """The reports that the workers connected here have made."""

    name = "settlements"

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: deque[tuple[WorkerReport, asyncio.Future[Work | None]]] = deque()
        self._arrived = asyncio.Event()

    def report(self, report: WorkerReport) -> asyncio.Future[Work | None]:
        """Queue a report; the future gives, once it is durable, the item after it, or None if it changed nothing."""
        future: asyncio.Future[Work | None] = asyncio.get_running_loop().create_future()
        self._waiting.append((report, future))
        self._arrived.set()
        return future

    async def run(self) -> None:
        """Settle until cancelled."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._waiting:
                await self.run_once()

    async def drain(self) -> None:
        """Return once every report that was queued is settled."""
        while self._waiting:
            await asyncio.wait([self._waiting[-1][1]])

    async def run_once(self) -> int:
        """Settle the reports that wait, up to a batch; give how many."""
        batch = [self._waiting.popleft() for _ in range(min(_BATCH, len(self._waiting)))]
        reports = [report for report, _ in batch]

        async def write() -> list[Work | None]:
            async with self._database.transaction(ALL_TENANTS) as connection:
                return await working.settle(connection, reports)

        try:
            settled = await persist("settlements", write)
        except BaseException as error:
            for _, future in batch:
                if not future.done():
                    future.set_exception(error if isinstance(error, Exception) else ConnectionAbortedError())
            raise
        for (_, future), work in zip(batch, settled, strict=True):
            if not future.done():
                future.set_result(work)
        return len(batch)
