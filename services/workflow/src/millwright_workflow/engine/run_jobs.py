"""Run jobs: deals with the instances that a rollback's run policy has stopped, one after another, on every replica.

The owner of an instance stops it at a boundary, as the hold wants, and marks it as stopped for the job. Whoever comes
first takes it from there, in a transaction of its own: killed in the middle, nothing has happened to it.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime

from millwright_runtime import mistakes
from millwright_runtime.events.log import EventLog
from millwright_runtime.postgres.database import ALL_TENANTS, is_away
from millwright_runtime.service import Platform

from millwright_workflow.commands import migrating
from millwright_workflow.commands.migrating import Plans
from millwright_workflow.domain import names
from millwright_workflow.domain.run_jobs import JobState, Outcome, OutcomeKind, RunJob
from millwright_workflow.engine.definitions import Definitions
from millwright_workflow.engine.running.worker import WORK
from millwright_workflow.store import run_jobs as store
from millwright_workflow.store.run_jobs import Stopped

_LOOK_SECONDS = 0.5
_BATCH = 100
_log = logging.getLogger(__name__)


class RunJobs:
    """The jobs of every tenant."""

    name = "run jobs"

    def __init__(self, platform: Platform, log: EventLog, definitions: Definitions) -> None:
        self._platform = platform
        self._log = log
        self._definitions = definitions

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            if await self.run_once() < _BATCH:
                await asyncio.sleep(_LOOK_SECONDS)

    async def drain(self) -> None:
        """Nothing is in hand: what is not committed is done elsewhere."""

    async def run_once(self) -> int:
        """Deal with a batch of stopped instances, and complete the jobs that have none left; give how many."""
        async with self._platform.database.snapshot(ALL_TENANTS) as connection:
            found = await store.stopped(connection, _BATCH)
        for stopped in found:
            await self._attend(stopped)
        if not found:
            async with self._platform.database.transaction(ALL_TENANTS) as connection:
                completed = await store.complete(connection)
            for tenant, run_job in completed:
                self._platform.committed(tenant, names.run_job(run_job))
        return len(found)

    async def _attend(self, stopped: Stopped) -> None:
        """Deal with one instance. What goes wrong with it is its outcome, and stops no other."""
        try:
            await self._deal(stopped)
        except Exception as error:
            if is_away(error):
                raise
            instance = str(stopped.instance)
            mistake = mistakes.record(_log, "an instance of a run job failed", error, instance=instance)
            await self._fail(stopped, str(mistake))
        self._platform.committed(stopped.tenant, names.run_job(stopped.run_job), names.instance(stopped.instance))
        self._platform.signals.notify(WORK)

    async def _deal(self, stopped: Stopped) -> None:
        job = await self._job(stopped)
        now = datetime.now(UTC)
        tenant, instance = stopped.tenant, stopped.instance
        if job.state is JobState.CANCELLED:
            async with self._platform.database.transaction(tenant) as connection:
                await migrating.let_go(connection, self._log, job, instance, now)
            return
        plans = Plans(
            await self._definitions.plan(tenant, job.workflow, job.version),
            await self._definitions.plan(tenant, job.workflow, job.target_version),
        )
        async with self._platform.database.transaction(tenant) as connection:
            await migrating.attend(connection, self._log, tenant, job, instance, plans, now)

    async def _fail(self, stopped: Stopped, reason: str) -> None:
        job = await self._job(stopped)
        async with self._platform.database.transaction(stopped.tenant) as connection:
            if await store.lock_stopped(connection, job, stopped.instance):
                outcome = Outcome(stopped.instance, OutcomeKind.FAILED, reason, None, datetime.now(UTC))
                await store.write_outcome(connection, stopped.tenant, job, outcome)

    async def _job(self, stopped: Stopped) -> RunJob:
        async with self._platform.database.snapshot(stopped.tenant) as connection:
            return await store.get(connection, stopped.run_job)
