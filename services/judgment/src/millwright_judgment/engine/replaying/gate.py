"""The replay of the publish gate: what the newest executions would become with a document that is no version yet."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from millwright_runtime.postgres.database import Database

from millwright_judgment.domain.difference.comparison import Change
from millwright_judgment.domain.difference.words import in_words
from millwright_judgment.domain.errors import ChannelNotFound
from millwright_judgment.domain.evaluation.rows import Evaluator
from millwright_judgment.domain.executions import Filter
from millwright_judgment.domain.findings import Code, Finding
from millwright_judgment.domain.gate_report import GateReplay
from millwright_judgment.domain.releases import DEFAULT_CHANNEL
from millwright_judgment.domain.replays.comparing import Aim, Comparer, NotReproducible
from millwright_judgment.domain.replays.page import Page
from millwright_judgment.domain.replays.replay import Selection
from millwright_judgment.domain.replays.report import rank
from millwright_judgment.domain.replays.tally import Tally, TargetTally
from millwright_judgment.domain.ruleset.model import Ruleset
from millwright_judgment.engine.versions import Versions
from millwright_judgment.store import copied_pages, releases
from millwright_judgment.store.execution_pages import PAGE_ROWS


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of it."""

    replay: GateReplay
    findings: tuple[Finding, ...]


class GateReplays:
    """Replays the newest executions of a ruleset."""

    def __init__(self, database: Database, versions: Versions) -> None:
        self._database = database
        self._versions = versions

    async def replay(self, tenant: str, ruleset: Ruleset, executions: int) -> Replayed | None:
        """Compare what `prod` points to with a ruleset, on the newest executions.

        None if there are no executions, or if `prod` points to nothing.
        """
        try:
            async with self._database.snapshot(tenant) as connection:
                baseline = (await releases.get_channel(connection, ruleset.id, DEFAULT_CHANNEL)).version
        except ChannelNotFound:
            return None
        before = (await self._versions.compiled(tenant, ruleset.id, baseline)).evaluator
        comparer = Comparer(Aim(before), [Aim(await asyncio.to_thread(Evaluator, ruleset))])
        tally = Tally([TargetTally()])
        selection = Selection(filter=Filter(ruleset=ruleset.id), most_executions=executions)
        try:
            while page := await self._page(tenant, selection, tally):
                recorded = {
                    number: (await self._versions.compiled(tenant, ruleset.id, number)).evaluator
                    for number in np.unique(page.versions).tolist()
                }
                await asyncio.to_thread(comparer.compare, page, recorded, tally)
        except NotReproducible as found:
            return _not_reproducible(baseline, tally, found)
        return Replayed(_replay(baseline, tally), tuple(_findings(tally))) if tally.done else None

    async def _page(self, tenant: str, selection: Selection, tally: Tally) -> Page | None:
        left = selection.most_executions - tally.done
        if left <= 0:
            return None
        async with self._database.snapshot(tenant) as connection:
            return await copied_pages.page(connection, selection, tally.position, min(left, PAGE_ROWS))


def _replay(baseline: int, tally: Tally) -> GateReplay:
    (target,) = tally.targets
    return GateReplay(
        baseline_version=baseline,
        executions=tally.done,
        changed_outcomes=target.changes[Change.OUTCOME] + target.changes[Change.ERROR],
        changed_details=target.changes[Change.DETAIL] + target.changes[Change.RULE],
        not_reproducible=0,
        transitions=tuple(
            (before, after, count) for (before, after), count in sorted(target.transitions.items()) if before != after
        ),
    )


def _not_reproducible(baseline: int, tally: Tally, found: NotReproducible) -> Replayed:
    message = (
        f"The newest executions cannot be compared: {found.count} do not come out again as they were recorded, "
        f"such as executions/{found.executions[0] if found.executions else ''}."
    )
    replay = GateReplay(baseline, tally.done, 0, 0, found.count)
    return Replayed(replay, (Finding(Code.UNDECIDED, "", message),))


def _findings(tally: Tally) -> Iterator[Finding]:
    (target,) = tally.targets
    changed = target.changes[Change.OUTCOME] + target.changes[Change.ERROR]
    if changed:
        main = next(iter(rank(target)), None)
        why = f" Most of all: {in_words(target.causes[main].cause)['en']}" if main is not None else ""
        share = f"{100 * changed / tally.done:.3g} %"
        message = f"{changed} of the newest {tally.done} executions ({share}) would have another outcome.{why}"
        example = target.causes[main].examples[0][1] if main is not None else ""
        yield Finding(Code.REPLAY_CHANGED, "", message, example=f"executions/{example}" if example else "")
    if target.relaxed:
        message = f"{target.relaxed} of the newest {tally.done} executions would have a less severe outcome."
        yield Finding(Code.REPLAY_RELAXED, "", message)
