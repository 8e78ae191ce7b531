"""Copying: the executions of days that are over go into files of columns, which replays read many times faster.

Any replica may do it, at any time. A day of a ruleset is copied in one transaction, so that a process that ends in the
middle leaves nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
from millwright_runtime.postgres.database import ALL_TENANTS, Connection, Database, is_away
from prometheus_client import Counter

from millwright_judgment.domain.evaluation.rows import Evaluator
from millwright_judgment.domain.executions import Filter
from millwright_judgment.domain.replays.page import Page
from millwright_judgment.domain.replays.replay import Selection
from millwright_judgment.engine.versions import Versions
from millwright_judgment.store import column_files, execution_pages, parquet

_PAUSE_SECONDS = 600.0
_LOOKED_AT_AGAIN = 3
"""So many of the newest days are looked at in each pass: judgments that come late take the copies of their day away."""

COPIED = Counter("millwright_judgment_copied_executions_total", "Executions that were copied into columns.")
_log = logging.getLogger(__name__)


class NotWhole(Exception):
    """Executions were stored while their day was copied: the next pass copies it."""


@dataclass(frozen=True, slots=True)
class Copied:
    """What a pass has done."""

    days: int = 0
    """Of rulesets: two rulesets on one day are two."""
    executions: int = 0
    expired: int = 0
    """Files that were removed."""


class Copies:
    """Copies days, and removes the copies of those that are kept no more."""

    name = "copies"

    def __init__(self, database: Database, versions: Versions, keep_days: int) -> None:
        """Keep copies as long as executions are kept."""
        self._database = database
        self._versions = versions
        self._keep_days = keep_days
        self._done: set[date] = set()
        self._is_leaving = False

    async def run(self) -> None:
        """Copy until cancelled, every ten minutes."""
        while True:
            await self.run_once()
            await asyncio.sleep(_PAUSE_SECONDS)

    async def drain(self) -> None:
        """Begin no further day; one in hand is given up, and has left nothing."""
        self._is_leaving = True

    async def run_once(self) -> Copied:
        """Copy every day that is over and has no copy."""
        async with self._database.transaction(ALL_TENANTS) as connection:
            expired = await column_files.expire(connection, self._keep_days)
            days = await column_files.closed_days(connection, self._keep_days)
        self._done.intersection_update(days[_LOOKED_AT_AGAIN:])
        sizes: list[int] = []
        for day in days:
            if day not in self._done and not self._is_leaving:
                sizes += await self._copy_day(day)
        return Copied(len(sizes), sum(sizes), expired)

    async def _copy_day(self, day: date) -> list[int]:
        """Copy a day of every ruleset; give how many executions of each. What goes wrong with one stops no other."""
        async with self._database.snapshot(ALL_TENANTS) as connection:
            pairs = await column_files.uncopied(connection, day)
        sizes = []
        is_done = True
        for tenant, ruleset in pairs:
            try:
                if size := await self._copy(tenant, ruleset, day):
                    sizes.append(size)
            except Exception as error:  # noqa: BLE001 - it is that day's, and no other's fault
                if is_away(error):
                    await self._database.ping()  # raises if it is; otherwise it was this day that took too long
                is_done = False
                extra = {"tenant": tenant, "ruleset": ruleset, "day": str(day)}
                _log.warning("a day could not be copied; the next pass tries again", exc_info=error, extra=extra)
        if is_done:
            self._done.add(day)
        return sizes

    async def _copy(self, tenant: str, ruleset: str, day: date) -> int:
        """Copy a day of a ruleset; give how many executions, 0 where somebody else is at it."""
        begin = datetime(day.year, day.month, day.day, tzinfo=UTC)
        wanted = Filter(ruleset=ruleset, from_time=begin, to_time=begin + timedelta(days=1))
        copied = part = 0
        async with self._database.transaction(tenant) as connection:
            if not await column_files.take_turn(connection, tenant, ruleset, day):
                return 0
            position = ""
            while page := await self._next(connection, wanted, position):
                recorded = await self._recorded(tenant, ruleset, page)
                content = await asyncio.to_thread(parquet.encode, page, recorded)
                ends = (page.execution(0), page.execution(page.rows - 1))
                await column_files.insert(connection, tenant, ruleset, (day, part), ends, page.rows, content)
                copied, part, position = copied + page.rows, part + 1, str(ends[1])
            if not await column_files.seal(connection, tenant, ruleset, day):
                raise NotWhole
        COPIED.inc(copied)
        return copied

    async def _next(self, connection: Connection, wanted: Filter, position: str) -> Page | None:
        return await execution_pages.page(connection, Selection(filter=wanted), position, execution_pages.PAGE_ROWS)

    async def _recorded(self, tenant: str, ruleset: str, page: Page) -> Mapping[int, Evaluator]:
        numbers: Sequence[int] = np.unique(page.versions).tolist()
        return {number: (await self._versions.compiled(tenant, ruleset, number)).evaluator for number in numbers}
