"""Signatures: what tells apart the inputs on which two versions differ for different reasons.

The masks of both versions do not suffice: of a rule that matches in neither, it is not known which condition failed,
and that decides what a hybrid would make of it. So the edited cells, before and after, and what is left of their rules
without them, are rows of an index of their own. Inputs of one signature have one cause, which is looked for once. Cells
that compare what an earlier table puts out are not among them: there the masks of that table tell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from millwright_judgment.domain.difference.edits import EditKind
from millwright_judgment.domain.difference.hybrids import CONDITIONS, Hybrids
from millwright_judgment.domain.evaluation.columns import ColumnEvaluator, Indices, TableMatcher
from millwright_judgment.domain.evaluation.index import ColumnIndex, TableIndex, index_of
from millwright_judgment.domain.evaluation.rows import Evaluator
from millwright_judgment.domain.input.changes import InputChange, change_columns
from millwright_judgment.domain.input.columns import CheckedColumns, Column, check_columns
from millwright_judgment.domain.ruleset.conditions import ANYTHING, resolve
from millwright_judgment.domain.ruleset.predicates import Predicate

Words = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Groups:
    """Inputs by their signatures."""

    group: Indices
    """Of each input, the place of its signature."""
    signatures: Sequence[bytes]
    first: Indices
    """Of each signature, the place of the first input that has it."""


class Signatures:
    """Gives the signatures of inputs under two versions, and under changes of the input."""

    def __init__(self, hybrids: Hybrids, changes: Sequence[InputChange] = ()) -> None:
        edited: dict[str, set[str]] = {}
        for edit in hybrids.edits:
            if edit.kind in CONDITIONS:
                edited.setdefault(edit.rule, set()).add(edit.field)
        fields = {edit.field for edit in hybrids.edits if edit.kind is EditKind.SCHEMA_CHANGED}
        self._changes = tuple(changes)
        self._sides = [_Side(evaluator, edited, fields) for evaluator in (hybrids.before, hybrids.after)]

    def group(self, given: Mapping[str, Column], rows: int) -> Groups:
        """Put `rows` inputs, as they are before they are changed, into groups of one signature."""
        views = [given, change_columns(given, self._changes, rows)] if self._changes else [given]
        words = np.concatenate([side.words(view, rows) for side in self._sides for view in views], axis=1)
        group = np.zeros(rows, dtype=np.intp)
        for column in words.T:
            found, place = np.unique(column, return_inverse=True)
            if len(found) > 1:
                _, group = np.unique(group * len(found) + place, return_inverse=True)
        _, first = np.unique(group, return_index=True)
        return Groups(group, [words[row].tobytes() for row in first], first)


class _Side:
    """One version: its rules, its edited cells, and the fields whose definition is another."""

    def __init__(self, evaluator: Evaluator, edited: Mapping[str, set[str]], fields: set[str]) -> None:
        self._columns = ColumnEvaluator(evaluator)
        self._fields = evaluator.ruleset.fields
        self._changed_fields = [field for field in self._fields if field.name in fields]
        index = _index_of_edited(evaluator, edited)
        self._edited = TableMatcher(index) if index else None

    def words(self, given: Mapping[str, Column], rows: int) -> Words:
        checked = check_columns(self._fields, given, rows)
        is_judged = ~(checked.is_refused | checked.is_indeterminate)
        parts = [_state(checked)[:, None], self._columns.judge_checked(checked).matched]
        if self._edited is not None:
            masks = self._edited.match(checked, [])
            parts.append(np.where(is_judged[:, None], masks[:, None] if masks.ndim == 1 else masks, np.uint64(0)))
        parts += [_state(check_columns([field], given, rows))[:, None] for field in self._changed_fields]
        return np.concatenate(parts, axis=1)


def _state(checked: CheckedColumns) -> Words:
    """Tell which inputs are judged, INDETERMINATE or refused, as 0, 1 and 2."""
    return np.where(checked.is_refused, np.uint64(2), checked.is_indeterminate.astype(np.uint64))


def _index_of_edited(evaluator: Evaluator, edited: Mapping[str, set[str]]) -> TableIndex | None:
    """Give the index whose rows are the edited cells, and the rest of each of their rules."""
    ruleset = evaluator.ruleset
    fields = {field.name: field for field in ruleset.fields}
    rows: list[dict[str, Predicate]] = []
    for number, table in enumerate(ruleset.tables):
        for rule in table.rules:
            cells = {
                name: ruleset.predicate(number, rule, name)
                for name in {*rule.cells, *edited.get(rule.id, ())}
                if name in fields and ruleset.scopes[number].get(name) == fields[name]
            }
            if rule.id in edited:
                rows.append({name: cell for name, cell in cells.items() if name not in edited[rule.id]})
                rows += [{name: cell} for name, cell in sorted(cells.items()) if name in edited[rule.id]]
    if not rows:
        return None
    columns = []
    for place, field in enumerate(ruleset.fields):
        if any(field.name in row for row in rows):
            anything = resolve(ANYTHING, field)
            predicates = [row.get(field.name, anything) for row in rows]
            columns.append(ColumnIndex(field, place, index_of(predicates)))
    return TableIndex(len(rows), tuple(columns), {})
