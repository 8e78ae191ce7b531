"""Plans: promotions whose time has come are carried out, and drafts that were published are removed.

Any replica may look; the lock on the ruleset's row lets one of them decide.
"""

from __future__ import annotations

import asyncio
import logging

from millwright_runtime.events.log import EventLog
from millwright_runtime.postgres.database import ALL_TENANTS, is_away
from millwright_runtime.service import Platform

from millwright_judgment.commands import releasing
from millwright_judgment.domain import names
from millwright_judgment.store import drafts, releases

_LOOK_SECONDS = 1.0
_BATCH = 100
_log = logging.getLogger(__name__)


class Plans:
    """Carries out what was planned."""

    name = "plans"

    def __init__(self, platform: Platform, log: EventLog) -> None:
        self._platform = platform
        self._log = log

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self.run_once()
            await asyncio.sleep(_LOOK_SECONDS)

    async def drain(self) -> None:
        """Have nothing in hand: each plan is one transaction."""

    async def run_once(self) -> int:
        """Carry out what is due now; give how many promotions were made or taken back."""
        async with self._platform.database.transaction(ALL_TENANTS) as connection:
            await drafts.forget_published(connection, _BATCH)
            due = await releases.due_plans(connection, _BATCH)
        return sum([await self._attend(*place) for place in due])

    async def _attend(self, tenant: str, ruleset: str, channel: str) -> bool:
        """Carry out one plan; tell whether something was made or taken back. What goes wrong is no other's fault."""
        try:
            async with self._platform.database.transaction(tenant) as connection:
                decision = await releasing.carry_out_plan(connection, self._log, tenant, ruleset, channel)
        except Exception as error:
            if is_away(error):
                raise
            extra = {"tenant": tenant, "ruleset": ruleset, "channel": channel}
            _log.exception("a plan could not be carried out; it is tried again", extra=extra)
            return False
        self._platform.committed(tenant, names.ruleset(ruleset))
        return decision.changed
