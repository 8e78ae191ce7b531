"""Comparing: a page of executions judged again on every target, and what becomes of them counted.

Before anything is compared, each execution is judged once more by the version that it was judged with: what does not
come out as it was recorded cannot be explained by rules, and ends the replay.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from millwright_judgment.domain.difference.causes import Cause, Causes
from millwright_judgment.domain.difference.comparison import ERROR, Change, change_of, label_of
from millwright_judgment.domain.difference.hybrids import Hybrids
from millwright_judgment.domain.difference.signatures import Signatures
from millwright_judgment.domain.evaluation.columns import ColumnEvaluator, Indices, JudgedColumns
from millwright_judgment.domain.evaluation.rows import Evaluator
from millwright_judgment.domain.executions import STATUS_NUMBERS
from millwright_judgment.domain.input.changes import InputChange, change_columns
from millwright_judgment.domain.input.columns import Column, NumberColumn, TextColumn
from millwright_judgment.domain.input.decoding import take
from millwright_judgment.domain.replays.page import DIMENSIONS, Page, Recorded
from millwright_judgment.domain.replays.tally import (
    CLUSTERS,
    DIFFERENCES,
    EXAMPLES,
    NO_CAUSE,
    SEGMENT_CLUSTERS,
    SegmentTally,
    Tally,
    TargetTally,
)
from millwright_judgment.domain.ruleset.predicates import UNBOUNDED, Numbers

_HOUR_MILLISECONDS = 3_600_000
_KEPT_SIGNATURES = 200_000
_FAR = 1e300
"""The distance of what is near no threshold."""


class NotReproducible(Exception):
    """Executions do not come out as they were recorded."""

    def __init__(self, executions: Sequence[str], count: int) -> None:
        super().__init__(f"{count} executions")
        self.executions = executions
        """The first of them."""
        self.count = count


class Move(NamedTuple):
    """What becomes of a judgment."""

    change: Change
    from_outcome: str
    to_outcome: str
    from_rule: str
    to_rule: str

    @property
    def transition(self) -> tuple[str, str]:
        """Give the outcomes before and after."""
        return self.from_outcome, self.to_outcome

    @property
    def is_judged(self) -> bool:
        """Tell whether the target gives a judgment: what it refuses is an error, and no changed outcome."""
        return self.to_outcome != ERROR

    @property
    def is_pair(self) -> bool:
        """Tell whether there is a judgment before and after: what tests of pairs are made of."""
        return self.is_judged and self.from_outcome != ERROR


class Difference(NamedTuple):
    """An execution that differs."""

    execution: str
    move: Move
    cause: int
    """The place of its cause in the tally."""


@dataclass(frozen=True, slots=True)
class Differences:
    """Executions that differ on a target, in columns."""

    target: int
    executions: Sequence[str]
    moves: Sequence[Move]
    """Those that occur, and perhaps others."""
    move: Indices
    """The place of each execution's among them."""
    cause: NDArray[np.int64]
    """The place of each execution's cause in the tally."""


@dataclass(frozen=True, slots=True)
class Aim:
    """A target, or the baseline: one version, or for each execution the one that it was judged with."""

    evaluator: Evaluator | None
    """None for the recorded one."""


@dataclass(slots=True)
class _Part:
    """The rows of a page that were judged with one version."""

    page: Page
    rows: Indices
    given: Mapping[str, Column]
    changed: Mapping[str, Column]


class Comparer:
    """Compares pages of one replay. It remembers causes, and is used by one thread at a time."""

    def __init__(
        self, baseline: Aim, targets: Sequence[Aim], changes: Sequence[InputChange] = (), tolerance: float = 0.0
    ) -> None:
        self._baseline = baseline
        self._targets = tuple(targets)
        self._changes = tuple(changes)
        self._tolerance = tolerance
        self._columns: dict[int, ColumnEvaluator] = {}
        self._pairs: dict[tuple[int, int, int], _Pair] = {}

    def compare(self, page: Page, recorded: Mapping[int, Evaluator], tally: Tally) -> list[Differences]:
        """Judge a page again, count it, and give what differs; raise NotReproducible before anything is counted.

        `recorded` are the versions that the page's executions were judged with.
        """
        parts = [(recorded[int(it)], self._part(page, int(it), recorded)) for it in np.unique(page.versions)]
        judged = [(evaluator, part, self._judge(evaluator, part, part.given)) for evaluator, part in parts]
        if page.recorded is not None:
            self._reproduce(page, page.recorded, judged)
            tally.reproduced += page.rows
        clusters = _clusters(page)
        differences: list[Differences] = []
        for evaluator, part, own in judged:
            for number, target in enumerate(self._targets):
                before = self._baseline.evaluator or evaluator
                pair = self._pair(number, before, target.evaluator or evaluator)
                old = own if before is evaluator else self._judge(before, part, part.given)
                new = self._judge(pair.after, part, part.changed)
                counted = tally.targets[number]
                if page.expected is not None:
                    _count_expected(page.expected, part.rows, old, new, counted)
                if (found := pair.compare(part, old, new, clusters[part.rows], counted)) is not None:
                    differences.append(found)
        tally.done += page.rows
        tally.see(page.milliseconds)
        tally.position = page.name(page.rows - 1)
        return differences

    def _part(self, page: Page, version: int, recorded: Mapping[int, Evaluator]) -> _Part:
        rows = np.flatnonzero(page.versions == version)
        given = page.inputs.columns(recorded[version].ruleset.fields, rows)
        changed = change_columns(given, self._changes, len(rows)) if self._changes else given
        return _Part(page, rows, given, changed)

    def _judge(self, evaluator: Evaluator, part: _Part, given: Mapping[str, Column]) -> JudgedColumns:
        if id(evaluator) not in self._columns:
            self._columns[id(evaluator)] = ColumnEvaluator(evaluator)
        return self._columns[id(evaluator)].judge(given, len(part.rows))

    def _pair(self, target: int, before: Evaluator, after: Evaluator) -> _Pair:
        key = (target, id(before), id(after))
        if key not in self._pairs:
            self._pairs[key] = _Pair(target, Hybrids(before, after), self._changes, self._tolerance)
        return self._pairs[key]

    def _reproduce(
        self, page: Page, recorded: Recorded, judged: Sequence[tuple[Evaluator, _Part, JudgedColumns]]
    ) -> None:
        """Raise NotReproducible unless every execution comes out as it was recorded."""
        lengths = np.zeros(page.rows, dtype=np.int64)
        for evaluator, part, _ in judged:
            lengths[part.rows] = evaluator.matched_bytes
        ends = np.cumsum(lengths)
        is_whole = page.rows == 0 or int(ends[-1]) == len(recorded.matched)
        masks = np.frombuffer(recorded.matched, dtype=np.uint8)
        different: list[int] = []
        for evaluator, part, own in judged:
            is_same = _has_same_decision(recorded, part.rows, own)
            if is_whole and evaluator.matched_bytes:
                size = evaluator.matched_bytes
                stored = (
                    masks.reshape(page.rows, size)
                    if len(judged) == 1
                    else masks[(ends[part.rows] - size)[:, None] + np.arange(size)]
                )
                is_same &= (stored == own.matched.astype("<u8").view(np.uint8)[:, :size]).all(axis=1)
            different += part.rows[~is_same].tolist()
        if different or not is_whole:
            raise NotReproducible(page.names(np.array(sorted(different)[:EXAMPLES], dtype=np.intp)), len(different))


def _has_same_decision(recorded: Recorded, rows: Indices, own: JudgedColumns) -> NDArray[np.bool_]:
    """Tell which rows have the status, the outcome, the confidence and the rule that were recorded."""
    known = own.decisions
    outcomes = _places(recorded.outcome.texts, [decision.outcome for decision in known])
    rules = _places(recorded.rule.texts, [decision.rule for decision in known])
    statuses = np.array([STATUS_NUMBERS[decision.status] for decision in known])
    confidences = np.array([decision.confidence for decision in known])
    at = own.decision
    is_same: NDArray[np.bool_] = (
        (at >= 0)
        & (statuses[at] == recorded.status[rows])
        & (outcomes[at] == recorded.outcome.codes[rows])
        & (rules[at] == recorded.rule.codes[rows])
        & (confidences[at] == recorded.confidence[rows])
    )
    return is_same


def _places(texts: Sequence[str], wanted: Sequence[str]) -> NDArray[np.int64]:
    """Give the place of each text; -1, which is null, for an empty one, and -2 for what is not there."""
    places = {text: place for place, text in enumerate(texts)}
    return np.array([places.get(text, -2) if text else -1 for text in wanted])


def _clusters(page: Page) -> NDArray[np.int64]:
    """Give the group of each execution's lot; without a lot, of its line and hour."""
    unit, line = page.segments["unit"], page.segments["line"]
    # Of rows of a data set nobody knows when they were made: without a lot, each is for itself.
    hours = page.milliseconds // _HOUR_MILLISECONDS if page.recorded is not None else page.numbers
    by_hour = _hashes(line)[line.codes] * 31 + hours
    return np.where(unit.codes >= 0, _hashes(unit)[unit.codes], by_hour) % CLUSTERS


def _hashes(column: TextColumn) -> NDArray[np.int64]:
    """Give a hash of each text of a column; the last one is null's."""
    return np.array([*(zlib.crc32(text.encode()) for text in column.texts), 0], dtype=np.int64)


@dataclass(frozen=True, slots=True)
class _Found:
    """What one signature comes to."""

    place: int
    cause: Cause | None


@dataclass(slots=True)
class _Pair:
    """Two versions on one target."""

    target: int
    hybrids: Hybrids
    changes: Sequence[InputChange]
    tolerance: float
    _found: dict[bytes, _Found] = field(default_factory=dict)
    _causes: Causes | None = None
    _signatures: Signatures | None = None

    @property
    def after(self) -> Evaluator:
        """Give the version that is compared."""
        return self.hybrids.after

    def compare(
        self, part: _Part, old: JudgedColumns, new: JudgedColumns, clusters: NDArray[np.int64], tally: TargetTally
    ) -> Differences | None:
        """Count what becomes of a part's executions, and give those that differ; None if there are none."""
        moves, move = self._moves(old, new)
        depths = np.array([each.change for each in moves])
        counts = np.bincount(move, minlength=len(moves))
        for each, count in zip(moves, counts.tolist(), strict=True):
            tally.changes[each.change] += count
            tally.transitions[each.transition] += count
        is_moved = (depths == Change.OUTCOME)[move]
        is_judged = np.array([each.is_judged for each in moves])[move]
        steps = np.array([self._step(each) for each in moves])[move]
        tally.count_units(clusters, is_judged, is_moved, steps)
        _count_margins(moves, move, clusters, tally)
        _count_segments(part, clusters, is_judged, is_moved, tally)
        changed = np.flatnonzero((depths > Change.NONE)[move])
        if not len(changed):
            return None
        causes = self._explain(part, changed, moves, move[changed], tally)
        kept = changed[: max(0, DIFFERENCES - tally.kept)]
        tally.kept += len(kept)
        return Differences(self.target, part.page.names(part.rows[kept]), moves, move[kept], causes[: len(kept)])

    def _moves(self, old: JudgedColumns, new: JudgedColumns) -> tuple[list[Move], Indices]:
        width = len(new.decisions) + 1
        keys, move = np.unique((old.decision.astype(np.int64) + 1) * width + new.decision + 1, return_inverse=True)
        moves = []
        for key in keys.tolist():
            before = old.decisions[key // width - 1] if key // width else None
            after = new.decisions[key % width - 1] if key % width else None
            rules = (decision.rule if decision else "" for decision in (before, after))
            moves.append(Move(change_of(before, after, self.tolerance), label_of(before), label_of(after), *rules))
        return moves, move

    def _step(self, move: Move) -> int:
        """Give 1 for a move to a more severe outcome, -1 for one to a less severe one."""
        levels = self.after.ruleset.levels
        before, after = move.transition
        if before not in levels or after not in levels:
            return 0
        return (levels.index(after) > levels.index(before)) - (levels.index(after) < levels.index(before))

    def _explain(
        self, part: _Part, rows: Indices, moves: Sequence[Move], move: Indices, tally: TargetTally
    ) -> NDArray[np.int64]:
        """Find and count the causes of what changed, and give their places; `rows` are those of the part."""
        if self._signatures is None:
            self._signatures = Signatures(self.hybrids, self.changes)
        groups = self._signatures.group(take(part.given, rows), len(rows))
        places = np.empty(len(groups.first), dtype=np.int64)
        by_group = np.argsort(groups.group, kind="stable")
        ends = np.cumsum(np.bincount(groups.group, minlength=len(groups.first)))
        for number in np.argsort(groups.first).tolist():  # the newest first, wherever pages are cut
            first = groups.first[number]
            became = moves[move[first]]
            found = self._find(groups.signatures[number], part, rows[first], became.change, tally)
            places[number] = found.place
            members = by_group[ends[number - 1] if number else 0 : ends[number]]
            if found.cause is None:
                tally.other_causes[became.transition] += len(members)
            else:
                examples = self._examples(part, rows[members], found.cause)
                tally.causes[found.place].add(became.transition, len(members), examples)
        return places[groups.group]

    def _find(self, signature: bytes, part: _Part, row: np.intp, change: Change, tally: TargetTally) -> _Found:
        """Give what a signature comes to, which a row of the part has."""
        found = self._found.get(signature)
        if found is None:
            if self._causes is None:
                self._causes = Causes(self.hybrids, self.changes)
            cause = self._causes.find(part.page.inputs.at(int(part.rows[row])), change)
            place = tally.place_of(cause)
            found = _Found(place, cause if place != NO_CAUSE else None)
            if len(self._found) < _KEPT_SIGNATURES:
                self._found[signature] = found
        return found

    def _examples(self, part: _Part, rows: Indices, cause: Cause) -> list[tuple[float, str]]:
        """Give the executions that lie nearest to a threshold of the conditions that turned."""
        distances = np.full(len(rows), _FAR)
        for flip in cause.flips:
            column = part.changed.get(flip.field)
            if isinstance(column, NumberColumn):
                for threshold in self._thresholds(flip.rule, flip.field):
                    np.minimum(distances, np.abs(column.values[rows] - threshold), out=distances)
        nearest = np.lexsort((-rows, distances))[:EXAMPLES]
        return list(zip(distances[nearest].tolist(), part.page.names(part.rows[rows[nearest]]), strict=True))

    def _thresholds(self, rule_id: str, name: str) -> list[float]:
        found = []
        for evaluator in (self.hybrids.before, self.hybrids.after):
            ruleset = evaluator.ruleset
            known = {each.name: each for each in ruleset.fields}
            for number, table in enumerate(ruleset.tables):
                for rule in table.rules:
                    if rule.id == rule_id and name in known:
                        values, grid = ruleset.predicate(number, rule, name).values, known[name].grid
                        ends = [end for span in values.spans for end in span] if isinstance(values, Numbers) else []
                        found += [grid.value(end) for end in ends if grid and abs(end) < UNBOUNDED]
        return found


def _count_expected(
    expected: TextColumn, rows: Indices, old: JudgedColumns, new: JudgedColumns, tally: TargetTally
) -> None:
    """Count what rows should be beside what they are."""
    wanted = expected.codes[rows]
    before, after = (np.array([*_labels(judged), ERROR], dtype=object)[judged.decision] for judged in (old, new))
    for code in np.unique(wanted[wanted >= 0]).tolist():
        text, is_so = expected.texts[code], wanted == code
        tally.expected.update({(text, label): count for label, count in Counter(after[is_so].tolist()).items()})
        tally.met_before += int((before[is_so] == text).sum())


def _labels(judged: JudgedColumns) -> list[str]:
    return [label_of(decision) for decision in judged.decisions]


def _count_margins(moves: Sequence[Move], move: Indices, clusters: NDArray[np.int64], tally: TargetTally) -> None:
    """Count of each group of lots how much more frequent an outcome gets."""
    turns = [each.is_pair and each.from_outcome != each.to_outcome for each in moves]
    rows = np.flatnonzero(np.array(turns)[move])
    outcomes = sorted(
        {outcome for each, turned in zip(moves, turns, strict=True) if turned for outcome in each.transition}
    )

    def counted(of_moves: Iterable[str]) -> NDArray[np.int64]:
        places = np.array([outcomes.index(outcome) if outcome in outcomes else 0 for outcome in of_moves])
        cells = places[move[rows]] * CLUSTERS + clusters[rows]
        return np.bincount(cells, minlength=len(outcomes) * CLUSTERS).reshape(-1, CLUSTERS)

    if outcomes:
        more = counted(each.to_outcome for each in moves) - counted(each.from_outcome for each in moves)
        for outcome, sums in zip(outcomes, more, strict=True):
            tally.count_margin(outcome, sums)


def _count_segments(
    part: _Part,
    clusters: NDArray[np.int64],
    is_judged: NDArray[np.bool_],
    is_moved: NDArray[np.bool_],
    tally: TargetTally,
) -> None:
    groups = clusters % SEGMENT_CLUSTERS
    for dimension in DIMENSIONS:
        column = part.page.segments[dimension]
        codes, size = column.codes[part.rows] + 1, len(column.texts) + 1
        cells = codes * SEGMENT_CLUSTERS + groups
        counts = [np.bincount(cells[chosen], minlength=size * SEGMENT_CLUSTERS) for chosen in (is_moved, is_judged)]
        by_code = np.stack(counts, axis=-1).reshape(size, SEGMENT_CLUSTERS, 2)
        refused = np.bincount(codes[~is_judged], minlength=size).tolist()
        occurs = np.bincount(codes, minlength=size).tolist()
        for code, text in enumerate(column.texts, 1):
            if occurs[code]:
                tally.count_segment(dimension, text, SegmentTally(by_code[code], refused[code]))
