"""The night: everything that is due, of every plant, brought to its end by a process that then ends.

It may be started twice, or not at all. What is due is planned by one at a time, and a day that a run has already is
left to that run; whoever comes second waits for it. A night that did not take place is made up for by the next one.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from millwright_runtime import loops
from millwright_runtime.concurrency.patience import persist
from millwright_runtime.events.log import EventLog
from millwright_runtime.postgres.database import ALL_TENANTS
from millwright_runtime.service import Platform

from millwright_etl.commands import running
from millwright_etl.commands.running import Order
from millwright_etl.domain import names
from millwright_etl.domain.runs import DAILY_PRODUCTION, Kind, Run, RunState, RunWindow, WindowState
from millwright_etl.engine.working import WORK, Worker
from millwright_etl.store import days
from millwright_etl.store import runs as store

DONE, NOT_PUBLISHED, OUT_OF_TIME = 0, 3, 4
"""Exit codes."""
_REQUESTER = "cron"
_LOOK_SECONDS = 0.5
_MOST_TOLD = 500


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run of the night stands, and its windows that are not published."""

    run: Run
    failed: Sequence[RunWindow]


class Night:
    """One night. The replicas of the service work on its runs too, and go on with them if this process ends."""

    def __init__(self, platform: Platform, log: EventLog, worker: Worker) -> None:
        self._platform = platform
        self._log = log
        self._worker = worker
        self._runs: list[tuple[str, uuid.UUID]] = []

    async def run(self, tenants: Sequence[str]) -> None:
        """Order what is due of these tenants (none: of all that have rows), and work until all of it has ended."""
        known = tenants or await persist("the night", self._tenants)
        ordered = [(tenant, await self._order(tenant)) for tenant in known]
        under_way = await persist("the night", lambda: self._open_runs(known))
        self._runs = sorted({*ordered, *under_way})
        working = asyncio.create_task(loops.kept_up(self._worker.name, self._worker.run))
        try:
            await self._wait()
            await self._worker.drain()
            await working
        finally:
            await loops.cancel([working])

    async def outcomes(self) -> Sequence[Outcome]:
        """Give how the runs of the night stand."""
        found = []
        for tenant, run_id in self._runs:
            async with self._platform.database.snapshot(tenant) as connection:
                run = await store.get(connection, run_id)
                failed = await store.windows(connection, run_id, WindowState.FAILED, None, _MOST_TOLD)
            found.append(Outcome(run, failed))
        return found

    async def _tenants(self) -> Sequence[str]:
        async with self._platform.database.snapshot(ALL_TENANTS) as connection:
            return await days.tenants(connection)

    async def _open_runs(self, tenants: Sequence[str]) -> Sequence[tuple[str, uuid.UUID]]:
        async with self._platform.database.snapshot(ALL_TENANTS) as connection:
            return await store.open_runs(connection, tenants)

    async def _order(self, tenant: str) -> uuid.UUID:
        """Order what is due. Done twice, as when the answer to a commit was lost, it orders nothing the second time."""

        async def order() -> Run:
            async with self._platform.database.transaction(tenant) as connection:
                wish = Order(tenant, Kind.DUE, _REQUESTER)
                run, _ = await running.order(
                    connection, self._log, wish, lambda given: running.plan_due(given, tenant, DAILY_PRODUCTION)
                )
                return run

        return (await persist("the night", order)).run

    async def _wait(self) -> None:
        with self._platform.signals.listen(WORK) as listener:
            while not all(outcome.run.state.is_terminal for outcome in await persist("the night", self.outcomes)):
                await listener.wait(_LOOK_SECONDS)


def exit_code(outcomes: Sequence[Outcome]) -> int:
    """Give what the night's process ends with."""
    if not all(outcome.run.state.is_terminal for outcome in outcomes):
        return OUT_OF_TIME
    return DONE if all(outcome.run.state is RunState.COMPLETED for outcome in outcomes) else NOT_PUBLISHED


def report(outcomes: Sequence[Outcome]) -> list[str]:
    """Give what to tell an operator: a line a run, and one for each day that is not published."""
    lines = []
    for outcome in outcomes:
        run, tally = outcome.run, outcome.run.tally
        published = run.windows_done - run.windows_failed
        lines.append(
            f"{run.tenant} {names.run(run.run)} {run.state}: {published} of {run.windows_total} days published, "
            f"{tally.rows_used} rows used, {tally.rows_quarantined} quarantined"
        )
        lines += [f"{run.tenant} {each.date} {each.reason}: {each.message}" for each in outcome.failed]
    return lines
