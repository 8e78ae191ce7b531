"""The replay of the publish gate: what the newest executions would become with a document that is no version yet."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from millwright_runtime.postgres.database import Database

from millwright_judgment.domain.difference.comparison import ERROR, Change
from millwright_judgment.domain.difference.words import in_words
from millwright_judgment.domain.evaluation.rows import Evaluator
from millwright_judgment.domain.executions import Filter
from millwright_judgment.domain.findings import Code, Finding
from millwright_judgment.domain.gate_report import GateReplay
from millwright_judgment.domain.releases import DEFAULT_CHANNEL, Channel
from millwright_judgment.domain.replays.comparing import Aim, Comparer, NotReproducible
from millwright_judgment.domain.replays.page import Page
from millwright_judgment.domain.replays.replay import Selection
from millwright_judgment.domain.replays.report import rank
from millwright_judgment.domain.replays.tally import CauseTally, Tally, TargetTally
from millwright_judgment.domain.ruleset.model import Ruleset
from millwright_judgment.engine.versions import Versions
from millwright_judgment.store import copied_pages, releases
from millwright_judgment.store.execution_pages import PAGE_ROWS


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of it."""

    replay: GateReplay | None
    """None if it was not asked for."""
    findings: tuple[Finding, ...]


class GateReplays:
    """Replays the newest executions of a ruleset."""

    def __init__(self, database: Database, versions: Versions) -> None:
        self._database = database
        self._versions = versions

    async def replay(
        self, tenant: str, ruleset: Ruleset, executions: int, promote_to: str | None = None
    ) -> Replayed | None:
        """Compare what a channel points to with a ruleset, on so many of the newest executions.

        None if there are no executions, or if no channel points to anything. If there are some and none was compared,
        that is a finding.
        """
        async with self._database.snapshot(tenant) as connection:
            baseline = _baseline(await releases.list_channels(connection, ruleset.id), promote_to)
        if baseline is None:
            return None
        if not executions:
            return await self._left_out(tenant, ruleset)
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

    async def _left_out(self, tenant: str, ruleset: Ruleset) -> Replayed | None:
        """Find that a replay was not asked for; None if there is nothing to replay."""
        if await self._page(tenant, Selection(filter=Filter(ruleset=ruleset.id), most_executions=1), Tally([])) is None:
            return None
        message = "There are executions, and none was replayed: nobody knows what would change."
        return Replayed(None, (Finding(Code.NOT_REPLAYED, "", message),))

    async def _page(self, tenant: str, selection: Selection, tally: Tally) -> Page | None:
        left = selection.most_executions - tally.done
        if left <= 0:
            return None
        async with self._database.snapshot(tenant) as connection:
            return await copied_pages.page(connection, selection, tally.position, min(left, PAGE_ROWS))


def _baseline(channels: Sequence[Channel], promote_to: str | None) -> int | None:
    """Give the version to compare with: that of the channel to be moved, else of `prod`, else of the one moved last."""
    versions = {each.channel: each.version for each in sorted(channels, key=lambda it: it.revision)}
    named = (name for name in (promote_to, DEFAULT_CHANNEL, *reversed(versions)) if name in versions)
    return next((versions[name] for name in named), None)


def _replay(baseline: int, tally: Tally) -> GateReplay:
    (target,) = tally.targets
    return GateReplay(
        baseline_version=baseline,
        executions=tally.done,
        changed_outcomes=target.changes[Change.OUTCOME],
        changed_details=target.changes[Change.DETAIL] + target.changes[Change.RULE],
        not_reproducible=0,
        transitions=tuple(
            (before, after, count) for (before, after), count in sorted(target.transitions.items()) if before != after
        ),
        errors=target.errors,
    )


def _not_reproducible(baseline: int, tally: Tally, found: NotReproducible) -> Replayed:
    message = (
        f"The newest executions cannot be compared: {found.count} do not come out again as they were recorded, "
        f"such as executions/{found.executions[0] if found.executions else ''}."
    )
    replay = GateReplay(baseline, tally.done, 0, 0, found.count)
    return Replayed(replay, (Finding(Code.NOT_REPLAYED, "", message),))


def _findings(tally: Tally) -> Iterator[Finding]:
    (target,) = tally.targets
    if changed := target.changes[Change.OUTCOME]:
        yield _finding(Code.REPLAY_CHANGED, tally, changed, "have another outcome")
    if refused := target.changes[Change.ERROR]:
        yield _finding(Code.REPLAY_REFUSED, tally, refused, "be refused")
    if target.relaxed:
        message = f"{target.relaxed} of the newest {tally.done} executions would have a less severe outcome."
        yield Finding(Code.REPLAY_RELAXED, "", message)


def _finding(code: Code, tally: Tally, count: int, what: str) -> Finding:
    """Give a finding with the cause that explains most of it, and an example of that."""
    (target,) = tally.targets
    message = f"{count} of the newest {tally.done} executions ({100 * count / tally.done:.3g} %) would {what}."
    main = next((place for place in rank(target) if _leads(target.causes[place], code)), None)
    if main is None:
        return Finding(code, "", message)
    cause = target.causes[main]
    example = f"executions/{cause.examples[0][1]}"
    return Finding(code, "", f"{message} Most of all: {in_words(cause.cause)['en']}", example=example)


def _leads(cause: CauseTally, code: Code) -> bool:
    """Tell whether a cause leads to what is found: to refusals, or to other outcomes."""
    moved = [after for before, after in cause.transitions if before != after]
    return any((after == ERROR) is (code is Code.REPLAY_REFUSED) for after in moved)
