"""Replays of many executions: taken by any replica, page by page, and gone on with by another where one dies.

A page is read, compared in a thread, and committed with all that is counted so far: that commit is how far the replay
is. A replay is worked on for a turn, then others that wait have theirs.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Coroutine, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import numpy as np
from millwright_runtime import mistakes
from millwright_runtime.errors import MillwrightError
from millwright_runtime.events.log import Event, EventLog
from millwright_runtime.postgres.database import ALL_TENANTS, is_away
from millwright_runtime.service import Platform

from millwright_judgment.domain import names
from millwright_judgment.domain.errors import NothingSelected
from millwright_judgment.domain.evaluation.rows import Evaluator
from millwright_judgment.domain.replays.comparing import Aim, Comparer, Differences, NotReproducible
from millwright_judgment.domain.replays.page import DATASET_VERSION, Page
from millwright_judgment.domain.replays.replay import Progress, ReplayState, Step
from millwright_judgment.domain.replays.tally import Tally, TargetTally
from millwright_judgment.engine.replaying.targets import evaluator_of
from millwright_judgment.engine.versions import Versions
from millwright_judgment.store import copied_pages, dataset_pages, events
from millwright_judgment.store import replays as store
from millwright_judgment.store.replays import Claim

WAITING = "replays"
"""The signal that a replay waits for its turn."""
_LOOK_SECONDS = 1.0
_TURN_SECONDS = 10.0
_RENEW_SECONDS = 3.0
_TELL_SECONDS = 1.0
_FORGET_SECONDS = 600.0
_log = logging.getLogger(__name__)

ResultT = TypeVar("ResultT")


class Lost(Exception):
    """The replay is not ours any more: it was cancelled, or another has taken it over."""


class Replays:
    """The replays of every tenant."""

    name = "replays"

    def __init__(self, platform: Platform, log: EventLog, versions: Versions, page_rows: int) -> None:
        """Read pages of at most `page_rows` executions."""
        self._platform = platform
        self._log = log
        self._versions = versions
        self._page_rows = page_rows
        self._is_leaving = False
        self._idle = asyncio.Event()
        self._idle.set()

    async def run(self) -> None:
        """Work until cancelled."""
        forget_time = 0.0
        with self._platform.signals.listen(WAITING) as listener:
            while not self._is_leaving:
                if time.monotonic() >= forget_time:
                    await self._forget()
                    forget_time = time.monotonic() + _FORGET_SECONDS
                if not await self.run_once():
                    await listener.wait(_LOOK_SECONDS)

    async def drain(self) -> None:
        """Finish the page in hand and let the replay go, so that another goes on with it at once."""
        self._is_leaving = True
        await self._idle.wait()

    async def run_once(self) -> bool:
        """Give the replay that has waited longest a turn; tell whether there was one."""
        self._idle.clear()
        try:
            async with self._platform.database.transaction(ALL_TENANTS) as connection:
                claim = await store.claim(connection, uuid.uuid4())
                if claim is not None and claim.is_first:
                    await self._log.append(connection, [_event(claim, claim.replay.sequence, claim.replay.progress)])
            if claim is None:
                return False
            await self._attend(claim)
            return True
        finally:
            self._idle.set()

    async def _attend(self, claim: Claim) -> None:
        """Work on a replay. What goes wrong with it is its end, and stops no other."""
        self._committed(claim)
        turn = _Turn(self._platform, self._log, self._versions, claim, self._page_rows)
        end = time.monotonic() + _TURN_SECONDS
        try:
            await turn.begin()
            while not self._is_leaving and time.monotonic() < end:
                if not await turn.page():
                    return
            async with self._platform.database.transaction(claim.tenant) as connection:
                await store.let_go(connection, claim)
        except Lost:
            _log.info("a replay is not ours any more", extra={"replay": str(claim.replay.replay)})
        except NotReproducible as found:
            await turn.end(Step.REFUTE, _not_reproducible(found))
        except MillwrightError as error:
            if is_away(error):
                raise
            await turn.end(Step.FAIL, str(error))
        except Exception as error:
            if is_away(error):
                raise
            mistake = mistakes.record(_log, "a replay failed", error, replay=str(claim.replay.replay))
            await turn.end(Step.FAIL, str(mistake))

    async def _forget(self) -> None:
        forgotten = 1
        while forgotten:
            async with self._platform.database.transaction(ALL_TENANTS) as connection:
                forgotten = await store.forget(connection)

    def _committed(self, claim: Claim) -> None:
        self._platform.committed(claim.tenant, names.replay(claim.replay.replay))


class _Turn:
    """One owner's work on one replay."""

    def __init__(self, platform: Platform, log: EventLog, versions: Versions, claim: Claim, page_rows: int) -> None:
        self._platform = platform
        self._log = log
        self._versions = versions
        self._claim = claim
        self._order = claim.replay.order
        self._page_rows = page_rows
        self._progress = claim.replay.progress
        self._told_time = 0.0
        self._recorded: dict[int, Evaluator] = {}
        self._tally = Tally([TargetTally() for _ in self._order.targets])
        self._comparer: Comparer

    async def begin(self) -> None:
        """Read what is counted so far, and make ready what judges."""
        async with self._platform.database.snapshot(self._claim.tenant) as connection:
            self._tally = await store.read_tally(connection, self._claim.replay.replay) or self._tally
        order = self._order
        baseline, *targets = [
            Aim(await evaluator_of(self._versions, self._claim.tenant, order.ruleset, target))
            for target in (order.baseline, *order.targets)
        ]
        if order.selection.dataset and baseline.evaluator is not None:
            self._recorded[DATASET_VERSION] = baseline.evaluator
        self._comparer = Comparer(baseline, targets, order.changes, order.tolerance)

    async def page(self) -> bool:
        """Compare the next page and commit it; at the end, complete the replay and give False."""
        begin = time.monotonic()
        page = await self._owning(self._read())
        if page is None:
            await self._complete()
            return False
        await self._make_ready(page)
        comparing = asyncio.to_thread(self._comparer.compare, page, self._recorded, self._tally)
        differences = await self._owning(comparing)
        counted = self._tally
        progress = self._progress.after(counted.done, counted.changed, counted.errors, time.monotonic() - begin)
        await self._commit(progress, differences)
        return True

    async def end(self, step: Step, error: str) -> None:
        """End the replay without a report."""
        async with self._platform.database.transaction(self._claim.tenant) as connection:
            sequence = await store.advance(connection, self._claim, self._progress, step, events=1, error=error)
            if sequence is None:
                return
            await store.clear(connection, self._claim.replay.replay)
            await self._log.append(connection, [_event(self._claim, sequence, self._progress, step.to_state, error)])
        self._committed()

    async def _read(self) -> Page | None:
        left = self._order.selection.most_executions - self._tally.done
        if left <= 0:
            return None
        async with self._platform.database.snapshot(self._claim.tenant) as connection:
            read = dataset_pages.page if self._order.selection.dataset else copied_pages.page
            return await read(connection, self._order.selection, self._tally.position, min(left, self._page_rows))

    async def _make_ready(self, page: Page) -> None:
        """Compile the versions that the page's executions were judged with."""
        for number in np.unique(page.versions).tolist():
            if number not in self._recorded:
                version = await self._versions.compiled(self._claim.tenant, self._order.ruleset, number)
                self._recorded[number] = version.evaluator

    async def _owning(self, doing: Coroutine[Any, Any, ResultT]) -> ResultT:
        """Do something, and stay the owner for as long as that takes: few executions of many may be selected."""
        work = asyncio.create_task(doing)
        try:
            while not (await asyncio.wait([work], timeout=_RENEW_SECONDS))[0]:
                async with self._platform.database.transaction(self._claim.tenant) as connection:
                    if not await store.renew(connection, self._claim):
                        raise Lost
            return work.result()
        finally:
            work.cancel()

    async def _commit(self, progress: Progress, differences: Sequence[Differences]) -> None:
        is_told = time.monotonic() >= self._told_time + _TELL_SECONDS
        async with self._platform.database.transaction(self._claim.tenant) as connection:
            sequence = await store.advance(connection, self._claim, progress, Step.COUNT, events=int(is_told))
            if sequence is None:
                raise Lost
            await store.write_tally(connection, self._claim, self._tally)
            await store.insert_differences(connection, self._claim, differences)
            if is_told:
                await self._log.append(connection, [_event(self._claim, sequence, progress)])
        self._progress = progress
        if is_told:
            self._told_time = time.monotonic()
            self._committed()

    async def _complete(self) -> None:
        if not self._tally.done:
            raise NothingSelected
        progress = self._progress.completed()
        async with self._platform.database.transaction(self._claim.tenant) as connection:
            sequence = await store.advance(connection, self._claim, progress, Step.COMPLETE, events=1)
            if sequence is None:
                raise Lost
            await store.write_tally(connection, self._claim, self._tally)
            await self._log.append(connection, [_event(self._claim, sequence, progress, ReplayState.COMPLETED)])
        self._committed()

    def _committed(self) -> None:
        self._platform.committed(self._claim.tenant, names.replay(self._claim.replay.replay))


def _event(
    claim: Claim, sequence: int, progress: Progress, state: ReplayState = ReplayState.RUNNING, error: str = ""
) -> Event:
    return events.of_replay(
        claim.tenant,
        claim.replay.replay,
        sequence,
        state,
        progress,
        create_time=claim.replay.create_time,
        event_time=datetime.now(UTC),
        error=error,
    )


def _not_reproducible(found: NotReproducible) -> str:
    listed = ", ".join(names.execution(uuid.UUID(each)) for each in found.executions)
    return f"{found.count} executions of a page do not come out again as they were recorded, such as {listed}."
