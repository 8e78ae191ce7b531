"""Causes: the fewest edits that lead from one judgment of an input to another.

Of the edits between two versions, and of the changes of the input, the smallest set is looked for that gives the new
result by itself: of one, of two, of three; past that, all of them are made and those that can be spared taken back.
What is tried first is what has to do with the rules that decided.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations

from millwright_judgment.domain.difference.comparison import Change, is_alike
from millwright_judgment.domain.difference.edits import Edit, EditKind
from millwright_judgment.domain.difference.hybrids import CONDITIONS, Hybrids
from millwright_judgment.domain.evaluation.rows import Evaluator, Judgment
from millwright_judgment.domain.explanation.margins import margin_of
from millwright_judgment.domain.input.changes import InputChange, change_input
from millwright_judgment.domain.input.check import Refused
from millwright_judgment.domain.ruleset.fields import Field, Scalar
from millwright_judgment.domain.ruleset.model import Rule, Ruleset

_LARGEST_SEARCHED = 3
_MOST_SEARCHED = 16
"""Of more than so many, pairs and triples are not looked for."""
_MOST_SPARED = 64


class CauseKind(StrEnum):
    """What kind of cause."""

    OUTPUT_CHANGED = "OUTPUT_CHANGED"
    RULE_STOPPED_MATCHING = "RULE_STOPPED_MATCHING"
    RULE_STARTED_MATCHING = "RULE_STARTED_MATCHING"
    RULE_ADDED = "RULE_ADDED"
    RULE_REMOVED = "RULE_REMOVED"
    PRIORITY_CHANGED = "PRIORITY_CHANGED"
    INTERACTION = "INTERACTION"
    INPUT_CHANGED = "INPUT_CHANGED"
    SCHEMA_CHANGED = "SCHEMA_CHANGED"


@dataclass(frozen=True, slots=True)
class Flip:
    """A condition that turned."""

    table: str
    rule: str
    field: str
    value: Scalar | None
    """After the input was changed, where it was."""
    cell_before: str
    cell_after: str
    held_before: bool
    held_after: bool
    margin_before: float | None
    margin_after: float | None


@dataclass(frozen=True, slots=True)
class Cause:
    """What led to a change."""

    kind: CauseKind
    minimal_edits: tuple[Edit, ...]
    input_changes: tuple[InputChange, ...]
    """Those that are needed beside the edits."""
    necessary_edits: tuple[Edit, ...]
    flips: tuple[Flip, ...]

    @property
    def key(self) -> tuple[object, ...]:
        """Give what is the same for all executions of one cause."""
        return (self.kind, self.minimal_edits, self.input_changes)


Atom = Edit | InputChange
"""What can lead to another result."""

_KINDS = {
    EditKind.OUTPUT_CHANGED: CauseKind.OUTPUT_CHANGED,
    EditKind.SETTING_CHANGED: CauseKind.OUTPUT_CHANGED,
    EditKind.RULE_ADDED: CauseKind.RULE_ADDED,
    EditKind.RULE_REMOVED: CauseKind.RULE_REMOVED,
    EditKind.ORDER_CHANGED: CauseKind.PRIORITY_CHANGED,
    EditKind.TABLE_CHANGED: CauseKind.PRIORITY_CHANGED,
    EditKind.SCHEMA_CHANGED: CauseKind.SCHEMA_CHANGED,
}


@dataclass(frozen=True, slots=True)
class _Case:
    """One input, judged before and after."""

    given: Mapping[str, object]
    before: Judgment | None
    after: Judgment | None
    matched_before: frozenset[str]
    matched_after: frozenset[str]
    change: Change

    @property
    def turned(self) -> frozenset[str]:
        """Give the rules that match in one of the two alone."""
        return self.matched_before ^ self.matched_after

    @property
    def winners(self) -> tuple[str, str]:
        """Give the rules that decided, after and before."""
        return _winner(self.after), _winner(self.before)


class Causes:
    """Finds why two versions, or an input before and after changes, give different judgments."""

    def __init__(self, hybrids: Hybrids, changes: Sequence[InputChange] = ()) -> None:
        self._hybrids = hybrids
        self._changes = tuple(changes)
        self._atoms: tuple[Atom, ...] = (*hybrids.edits, *self._changes)

    def find(self, given: Mapping[str, object], change: Change) -> Cause:
        """Give the cause of a change of that depth. `given` is the input before it is changed."""
        case = self._case(given, change)
        ranked = self._ranked(case)
        minimal = next(self._sufficient(case, ranked), None) or self._spared(case, ranked)
        edits = tuple(edit for edit in self._hybrids.edits if edit in minimal)
        changes = tuple(each for each in self._changes if each in minimal)
        considered = ranked if len(ranked) <= _MOST_SEARCHED else minimal
        needed = {atom for atom in considered if not self._leads(case, [it for it in self._atoms if it != atom])}
        necessary = tuple(edit for edit in self._hybrids.edits if edit in needed)
        kind = _kind(case, edits, changes)
        return Cause(kind, edits, changes, necessary, tuple(self._flips(case, edits, kind)))

    def _case(self, given: Mapping[str, object], change: Change) -> _Case:
        before, after = self._hybrids.before, self._hybrids.after
        judged_before = _judge(before, given)
        judged_after = _judge(after, change_input(given, self._changes))
        return _Case(
            given,
            judged_before,
            judged_after,
            _matched(before, judged_before),
            _matched(after, judged_after),
            change,
        )

    def _ranked(self, case: _Case) -> list[Atom]:
        """Give what has to do with the rules that decided or turned, and what concerns all rules; the likeliest first.

        All there is, if nothing has.
        """
        winner_after, winner_before = case.winners

        def rank(atom: Atom) -> int:
            if isinstance(atom, InputChange):
                return 2
            if not atom.rule:
                return 3
            return 0 if atom.rule == winner_after else 1 if atom.rule == winner_before else 2

        def is_relevant(atom: Atom) -> bool:
            if isinstance(atom, InputChange) or not atom.rule:
                return True
            return atom.rule in case.winners or atom.rule in case.turned

        return sorted(filter(is_relevant, self._atoms), key=rank) or list(self._atoms)

    def _sufficient(self, case: _Case, ranked: Sequence[Atom]) -> Iterator[Sequence[Atom]]:
        """Give sets that lead to the new result by themselves, the smallest first."""
        for size in range(1, _LARGEST_SEARCHED + 1):
            if size > 1 and len(ranked) > _MOST_SEARCHED:
                return
            for chosen in combinations(ranked, size):
                if self._leads(case, chosen):
                    yield chosen

    def _spared(self, case: _Case, ranked: Sequence[Atom]) -> Sequence[Atom]:
        """Give a set that leads to the new result, and of which nothing can be spared; all where there is too much."""
        left = list(ranked) if self._leads(case, ranked) else list(self._atoms)
        if len(left) > _MOST_SPARED:
            return left
        for atom in reversed(left.copy()):
            fewer = [each for each in left if each != atom]
            if self._leads(case, fewer):
                left = fewer
        return left

    def _leads(self, case: _Case, atoms: Collection[Atom]) -> bool:
        """Tell whether these alone give the new result."""
        evaluator = self._hybrids.evaluator(frozenset(atom for atom in atoms if isinstance(atom, Edit)))
        if evaluator is None:
            return False
        judged = _judge(evaluator, change_input(case.given, [each for each in self._changes if each in atoms]))
        after = case.after.decision if case.after else None
        return is_alike(case.change, judged.decision if judged else None, after)

    def _flips(self, case: _Case, edits: Sequence[Edit], kind: CauseKind) -> Iterator[Flip]:
        before, after = self._hybrids.before.ruleset, self._hybrids.after.ruleset
        if kind is CauseKind.INPUT_CHANGED:
            places = [(rule, field) for rule in dict.fromkeys(case.winners) if rule for field in _cells(after, rule)]
        else:
            places = [(edit.rule, edit.field) for edit in edits if edit.kind in CONDITIONS]
        for rule, field in places:
            flip = _flip(_side(before, case.before, rule, field), _side(after, case.after, rule, field))
            if flip is not None and (kind is not CauseKind.INPUT_CHANGED or flip.held_before != flip.held_after):
                yield flip


@dataclass(frozen=True, slots=True)
class _Side:
    """One condition against one input, in one version."""

    table: str
    rule: str
    field: Field
    cell: str
    value: Scalar | None
    held: bool
    margin: float | None


def _side(ruleset: Ruleset, judged: Judgment | None, rule_id: str, name: str) -> _Side | None:
    """Give what a condition makes of an input; None where that is not known: of what an earlier table puts out."""
    found = _find(ruleset, rule_id)
    place = next((place for place, field in enumerate(ruleset.fields) if field.name == name), None)
    if found is None or place is None or judged is None:
        return None
    number, rule = found
    field, value = ruleset.fields[place], judged.values[place]
    predicate = ruleset.predicate(number, rule, name)
    margin = margin_of(predicate, field, value)
    cell = rule.cells[name].text if name in rule.cells else ""
    held = predicate.holds(field.point(value))
    return _Side(ruleset.tables[number].name, rule_id, field, cell, value, held, margin.size if margin else None)


def _flip(before: _Side | None, after: _Side | None) -> Flip | None:
    if before is None or after is None:
        return None
    return Flip(
        table=after.table,
        rule=after.rule,
        field=after.field.name,
        value=after.value,
        cell_before=before.cell,
        cell_after=after.cell,
        held_before=before.held,
        held_after=after.held,
        margin_before=before.margin,
        margin_after=after.margin,
    )


def _find(ruleset: Ruleset, rule_id: str) -> tuple[int, Rule] | None:
    for number, table in enumerate(ruleset.tables):
        for rule in table.rules:
            if rule.id == rule_id:
                return number, rule
    return None


def _cells(ruleset: Ruleset, rule_id: str) -> Sequence[str]:
    found = _find(ruleset, rule_id)
    return list(found[1].cells) if found else []


def _kind(case: _Case, edits: Sequence[Edit], changes: Sequence[InputChange]) -> CauseKind:
    if not edits:
        return CauseKind.INPUT_CHANGED
    if changes or len(edits) > 1:
        return CauseKind.INTERACTION
    (edit,) = edits
    if edit.kind in CONDITIONS:
        is_new = edit.rule in case.matched_after and edit.rule not in case.matched_before
        return CauseKind.RULE_STARTED_MATCHING if is_new else CauseKind.RULE_STOPPED_MATCHING
    return _KINDS[edit.kind]


def _judge(evaluator: Evaluator, given: Mapping[str, object]) -> Judgment | None:
    """Judge an input, of which a field that the ruleset does not have is left out; None if it is refused."""
    known = {name: value for name, value in given.items() if name in evaluator.names}
    judged = evaluator.judge(known)
    return None if isinstance(judged, Refused) else judged


def _matched(evaluator: Evaluator, judged: Judgment | None) -> frozenset[str]:
    return frozenset(evaluator.matched_rules(judged.matched)) if judged else frozenset()


def _winner(judged: Judgment | None) -> str:
    return judged.decision.rule if judged else ""
