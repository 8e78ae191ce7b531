"""Starts what schedules say: looks for those that have something to do, and has them do it."""

from __future__ import annotations

import logging

from millwright_runtime.events.log import EventLog
from millwright_runtime.postgres.database import ALL_TENANTS, is_away
from millwright_runtime.service import Platform

from millwright_workflow.commands import scheduling
from millwright_workflow.domain import names
from millwright_workflow.engine.events.intake import TRIGGERED
from millwright_workflow.engine.running.worker import WORK
from millwright_workflow.store import schedules

_BATCH = 100
_LOOK_SECONDS = 0.5
_log = logging.getLogger(__name__)


class Scheduler:
    """Keeps schedules, beside those of other replicas: a schedule is locked while it is looked at."""

    name = "scheduler"

    def __init__(self, platform: Platform, log: EventLog) -> None:
        self._platform = platform
        self._log = log

    async def run(self) -> None:
        """Keep schedules until cancelled."""
        with self._platform.signals.listen(TRIGGERED) as listener:
            while True:
                await self.run_once()
                await listener.wait(_LOOK_SECONDS)

    async def drain(self) -> None:
        """Do nothing: another replica goes on."""

    async def run_once(self) -> int:
        """Do what is to be done now; give how many instances were started."""
        async with self._platform.database.snapshot(ALL_TENANTS) as connection:
            waiting = await schedules.waiting(connection, _BATCH)
        count = sum([await self._attend(tenant, workflow) for tenant, workflow in waiting])
        if count:
            await self._platform.wake(WORK)
        return count

    async def _attend(self, tenant: str, workflow: str) -> int:
        """Have one schedule do what it has to; give how many instances it started. What goes wrong stops no other."""
        try:
            async with self._platform.database.transaction(tenant) as connection:
                started = await scheduling.advance(connection, self._log, workflow)
        except Exception as error:
            if is_away(error):
                raise
            _log.exception("a schedule could not be kept", extra={"tenant": tenant, "workflow": workflow})
            return 0
        self._platform.committed(tenant, *(names.instance(instance) for instance in started))
        return len(started)
