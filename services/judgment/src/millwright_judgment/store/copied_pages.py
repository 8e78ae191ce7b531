"""Executions as pages of columns, read from copies where days have them, and from the table where not."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
from millwright_runtime.postgres.database import Connection
from numpy.typing import NDArray

from millwright_judgment.domain.executions import STATUSES, Filter, time_of
from millwright_judgment.domain.input.columns import TextColumn
from millwright_judgment.domain.replays.page import Page
from millwright_judgment.domain.replays.replay import Selection
from millwright_judgment.store import column_files, execution_pages, parquet
from millwright_judgment.store.column_files import Copy

_NEWEST = uuid.UUID(int=2**128 - 1)
_DAY = timedelta(days=1)
_log = logging.getLogger(__name__)


async def page(connection: Connection, selection: Selection, after: str, limit: int) -> Page | None:
    """Give at most `limit` executions, the newest first, after one (empty for the first page); None at the end.

    What is named one by one, drawn by chance, or of an experiment is read from the table: copies do not tell.
    """
    wanted = selection.filter
    if wanted is None or wanted.ruleset is None or wanted.experiment is not None or not selection.is_whole:
        return await execution_pages.page(connection, selection, after, limit)
    return await _Reading(connection, selection, wanted, wanted.ruleset, limit).page(after)


class _Reading:
    """The search for one page."""

    def __init__(self, connection: Connection, selection: Selection, wanted: Filter, ruleset: str, limit: int) -> None:
        self._connection = connection
        self._selection = selection
        self._wanted = wanted
        self._ruleset = ruleset
        self._limit = limit
        self._first_day = wanted.from_time.astimezone(UTC).date() if wanted.from_time else date.min
        self._last_day = wanted.to_time.astimezone(UTC).date() if wanted.to_time else date.max

    async def page(self, after: str) -> Page | None:
        """Give the page after an execution."""
        position = uuid.UUID(after) if after else _NEWEST
        while True:
            day = time_of(position).date()
            found = await column_files.find(
                self._connection, self._ruleset, position, (self._first_day, min(day, self._last_day)), day
            )
            copy = found.copy
            if copy is None or copy.day < day:
                # Between the copy and the position there may be days without one; a day that has one is in it whole.
                newer = await self._from_table(
                    after, copy.day + _DAY if copy else None, day if found.is_copied_day else None
                )
                if newer is not None or copy is None:
                    return newer
            content = await column_files.content(self._connection, self._ruleset, copy)
            read = await asyncio.to_thread(_read, copy, content, self._wanted, position, self._limit)
            position = copy.last_execution
            if read is None:
                _log.error(
                    "a copy is damaged: its day is read from the table",
                    extra={"ruleset": self._ruleset, "day": str(copy.day)},
                )
                read = await self._from_table(after, copy.day, copy.day + _DAY)
                position = _first_of(copy.day)
            if read is not None and read.rows:
                return read

    async def _from_table(self, after: str, begin: date | None, end: date | None) -> Page | None:
        """Give the page after an execution, of the table's days from `begin` to before `end`; None for no bound."""
        from_time, to_time = self._wanted.from_time, self._wanted.to_time
        if begin is not None:
            from_time = max(from_time or _begin(begin), _begin(begin))
        if end is not None:
            to_time = min(to_time or _begin(end), _begin(end))
        if from_time and to_time and from_time >= to_time:
            return None
        narrowed = replace(self._selection, filter=replace(self._wanted, from_time=from_time, to_time=to_time))
        return await execution_pages.page(self._connection, narrowed, after, self._limit)


def _begin(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _first_of(day: date) -> uuid.UUID:
    """Give a position that all executions of a day are after."""
    return uuid.UUID(int=int(_begin(day).timestamp() * 1000) << 80)


def _read(copy: Copy, content: bytes, wanted: Filter, position: uuid.UUID, limit: int) -> Page | None:
    """Give at most `limit` executions of a copy that are wanted, before a position; None if it is damaged."""
    if not copy.is_sound(content):
        return None
    table = parquet.decode(content)
    whole = parquet.to_page(table)
    rows = np.flatnonzero(_is_wanted(whole, wanted, position))[:limit]
    return whole if len(rows) == whole.rows else parquet.to_page(table.take(pa.array(rows)))


def _is_wanted(page: Page, wanted: Filter, position: uuid.UUID) -> NDArray[np.bool_]:
    is_wanted = _is_before(page, position)
    if wanted.version is not None:
        is_wanted &= page.versions == wanted.version
    if wanted.from_time is not None:
        is_wanted &= page.milliseconds >= _milliseconds(wanted.from_time)
    if wanted.to_time is not None:
        is_wanted &= page.milliseconds < _milliseconds(wanted.to_time)
    recorded = page.recorded
    assert recorded is not None
    if wanted.outcomes:
        is_undecided = [STATUSES[status - 1] in wanted.outcomes for status in range(1, len(STATUSES) + 1)]
        by_status = np.array(is_undecided)[recorded.status - 1]
        is_wanted &= np.where(recorded.outcome.codes < 0, by_status, _is_one_of(recorded.outcome, wanted.outcomes))
    named = {**page.segments, "winning_rule": recorded.rule}
    for name, column in named.items():
        if (text := getattr(wanted, name)) is not None:
            is_wanted &= _is_one_of(column, [text])
    return is_wanted


def _is_before(page: Page, position: uuid.UUID) -> NDArray[np.bool_]:
    halves = page.executions.view(">u8").reshape(-1, 2)
    high, low = np.uint64(position.int >> 64), np.uint64(position.int & (1 << 64) - 1)
    is_before: NDArray[np.bool_] = (halves[:, 0] < high) | ((halves[:, 0] == high) & (halves[:, 1] < low))
    return is_before


def _is_one_of(column: TextColumn, texts: Sequence[str]) -> NDArray[np.bool_]:
    # The last one is null's.
    is_named: NDArray[np.bool_] = np.array([*(text in texts for text in column.texts), False])[column.codes]
    return is_named


def _milliseconds(instant: datetime) -> float:
    return instant.timestamp() * 1000
