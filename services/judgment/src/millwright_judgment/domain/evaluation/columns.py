"""Judges many inputs at once, in columns, from the same indexes as `rows`.

For each column of a table, a value becomes the mask of the rules that it lets match by one look-up; masks are combined
by `and`, and the lowest bit of what is left is the first rule that matches. No step goes rule by rule.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from millwright_judgment.domain.evaluation.decisions import INDETERMINATE, Decision
from millwright_judgment.domain.evaluation.index import ColumnIndex, NumberIndex, TableIndex, TextIndex
from millwright_judgment.domain.evaluation.rows import Evaluator
from millwright_judgment.domain.input.columns import (
    Booleans,
    CheckedColumns,
    Column,
    FlagColumn,
    NumberColumn,
    TextColumn,
    check_columns,
)

CHUNK_ROWS = 65_536
"""How many inputs are best judged at once: what is computed in between stays near the processor."""
_LOOK_UP_STEPS = 65_536
"""Up to this many steps between a column's first and last threshold, a table is looked up instead of searched."""
_WORD = 64

Masks = NDArray[np.uint64]
"""Masks of rules, one a row, in words of 64 bits, the lowest first: of one dimension where one word is enough."""
Indices = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class JudgedColumns:
    """What a ruleset says of many inputs."""

    decisions: Sequence[Decision]
    """Those that occur, and perhaps others."""
    decision: NDArray[np.int32]
    """The place of each input's decision among them; -1 for inputs that are refused."""
    matched: NDArray[np.uint64]
    """Of two dimensions: for each input, the matched mask in words of 64 bits, the lowest first."""

    def matched_at(self, row: int) -> int:
        """Give one input's matched mask."""
        return sum(int(word) << _WORD * place for place, word in enumerate(self.matched[row]))

    def decision_at(self, row: int) -> Decision | None:
        """Give one input's decision; None if it is refused."""
        return None if self.decision[row] < 0 else self.decisions[self.decision[row]]


class ColumnEvaluator:
    """A ruleset that is ready to judge columns. It holds no state, and may be shared by threads."""

    def __init__(self, evaluator: Evaluator) -> None:
        self._evaluator = evaluator
        self._fields = evaluator.ruleset.fields
        self._tables = [TableMatcher(table) for table in evaluator.indexes]
        self._first_bits = [0]
        for table in evaluator.indexes:
            self._first_bits.append(self._first_bits[-1] + table.rules)
        self._fixed = self._fixed_decisions()

    def judge(self, given: Mapping[str, Column], rows: int) -> JudgedColumns:
        """Check `rows` inputs and judge them; see `check_columns`."""
        return self.judge_checked(check_columns(self._fields, given, rows))

    def judge_checked(self, checked: CheckedColumns) -> JudgedColumns:
        """Judge inputs that were checked already. At best `CHUNK_ROWS` at a time."""
        masks: list[Masks] = []
        winners: list[Indices] = []
        for table in self._tables:
            masks.append(table.match(checked, winners))
            winners.append(_first(masks[-1], table.rules))
        decisions, decision = self._decide(masks[-1], winners)
        matched = self._pack(masks)
        is_unjudged = checked.is_indeterminate | checked.is_refused
        if is_unjudged.any():
            decision[checked.is_indeterminate] = len(decisions)
            decision[checked.is_refused] = -1
            matched[is_unjudged] = 0
        return JudgedColumns([*decisions, INDETERMINATE], decision, matched)

    def _fixed_decisions(self) -> list[Decision] | None:
        """Give the decision of each rule, and of none, where nothing else matters."""
        table = self._evaluator.decisions
        if table.is_collecting or table.earlier_tables:
            return None
        nobody = (-1,) * (len(self._tables) - 1)
        rules = range(self._tables[-1].rules)
        return [*(table.decide(1 << rule, nobody) for rule in rules), table.decide(0, nobody)]

    def _decide(self, last: Masks, winners: Sequence[Indices]) -> tuple[list[Decision], NDArray[np.int32]]:
        if self._fixed is not None:
            return self._fixed, winners[-1].astype(np.int32)
        words = last[:, None] if last.ndim == 1 else last
        if not self._evaluator.decisions.is_collecting:
            words = winners[-1].astype(np.uint64)[:, None]
        earlier = self._evaluator.decisions.earlier_tables
        keys = np.column_stack([words, *(winners[table].astype(np.uint64) for table in earlier)])
        found, decision = _distinct(keys)
        return [self._decide_key(key, words.shape[1]) for key in found], decision

    def _decide_key(self, key: NDArray[np.uint64], words: int) -> Decision:
        mask = sum(int(word) << _WORD * place for place, word in enumerate(key[:words]))
        last = self._tables[-1]
        if not self._evaluator.decisions.is_collecting:
            mask = 1 << mask if mask < last.rules else 0
        winners = [-1] * (len(self._tables) - 1)
        for place, table in enumerate(self._evaluator.decisions.earlier_tables):
            winner = int(key[words + place])
            winners[table] = winner if winner < self._tables[table].rules else -1
        return self._evaluator.decide(mask, winners)

    def _pack(self, masks: Sequence[Masks]) -> NDArray[np.uint64]:
        if len(masks) == 1:
            return masks[0][:, None] if masks[0].ndim == 1 else masks[0]
        words = (self._first_bits[-1] + _WORD - 1) // _WORD
        packed = np.zeros((len(masks[0]), words), dtype=np.uint64)
        for first_bit, mask in zip(self._first_bits, masks, strict=False):
            word, shift = divmod(first_bit, _WORD)
            for place, part in enumerate([mask] if mask.ndim == 1 else mask.T):
                packed[:, word + place] |= part << np.uint64(shift)
                if shift and word + place + 1 < words:
                    packed[:, word + place + 1] |= part >> np.uint64(_WORD - shift)
        return packed


class TableMatcher:
    """One index of rules, with its masks as arrays."""

    def __init__(self, table: TableIndex) -> None:
        self.rules = table.rules
        self._words = (table.rules + _WORD - 1) // _WORD
        self._columns = [self._look_up(column) for column in table.columns]
        self._derived = {source: self._array(masks) for source, masks in table.derived.items()}
        self._all = self._array([table.all_mask])[0]

    def match(self, checked: CheckedColumns, winners: Sequence[Indices]) -> Masks:
        """Give the rules that match, for each input."""
        found: Masks | None = None
        for column in self._columns:
            part = column.masks(checked.columns[column.input])
            found = part if found is None else np.bitwise_and(found, part, out=found)
        for source, masks in self._derived.items():
            part = masks.take(winners[source], axis=0)
            found = part if found is None else np.bitwise_and(found, part, out=found)
        if found is None:
            found = np.broadcast_to(self._all, (checked.rows, *self._all.shape)).copy()
        return found

    def _look_up(self, column: ColumnIndex) -> _NumberLookUp | _FlagLookUp | _TextLookUp:
        null_mask = self._array([column.index.null_mask])[0]
        if isinstance(column.index, TextIndex):
            named = {text: place for place, text in enumerate(column.index.masks)}
            masks = self._array([*column.index.masks.values(), column.index.other_mask, column.index.null_mask])
            return _TextLookUp(column.input, named, masks)
        masks = self._array(column.index.masks)
        if column.field.grid is None:
            by_step = masks[np.searchsorted(column.index.bounds, [0, 1], side="right")]
            return _FlagLookUp(column.input, np.concatenate([by_step, null_mask[None]]))
        return _NumberLookUp(column, column.index, masks, null_mask)

    def _array(self, masks: Sequence[int]) -> Masks:
        """Give masks as words; all bits of a mask of -1 are set."""
        whole = (1 << self._words * _WORD) - 1
        data = b"".join((mask & whole).to_bytes(8 * self._words, "little") for mask in masks)
        words = np.frombuffer(data, dtype="<u8").astype(np.uint64).reshape(len(masks), self._words)
        return words[:, 0].copy() if self._words == 1 else words


class _NumberLookUp:
    """Gives masks of numbers: by the step where thresholds are near one another, else by a search."""

    def __init__(self, column: ColumnIndex, index: NumberIndex, masks: Masks, null_mask: Masks) -> None:
        grid = column.field.grid
        assert grid is not None
        self.input = column.input
        self._scale = float(grid.scale)
        self._multiple = float(grid.multiple)
        self._null_mask = null_mask
        self._bounds = np.array([grid.value(bound) for bound in index.bounds])
        self._first = index.bounds[0] - 1 if index.bounds else 0
        self._last = index.bounds[-1] if index.bounds else 0
        self._masks = masks
        self._by_step: Masks | None = None
        if self._last - self._first < _LOOK_UP_STEPS:
            lengths = [1, *(after - before for before, after in pairwise(index.bounds)), 1][: len(masks)]
            self._by_step = np.repeat(masks, lengths, axis=0)

    def masks(self, column: Column) -> Masks:
        assert isinstance(column, NumberColumn)
        found = self._search(column.values) if self._by_step is None else self._look_up(column.values, self._by_step)
        if column.is_null is not None:
            found[column.is_null] = self._null_mask
        return found

    def _look_up(self, values: NDArray[np.float64], by_step: Masks) -> Masks:
        steps = values * self._scale
        if self._multiple != 1:
            steps /= self._multiple
        np.rint(steps, out=steps)
        np.clip(steps, self._first, self._last, out=steps)
        steps -= self._first
        return by_step.take(steps.astype(np.intp), axis=0)

    def _search(self, values: NDArray[np.float64]) -> Masks:
        return self._masks.take(np.searchsorted(self._bounds, values, side="right"), axis=0)


class _FlagLookUp:
    """Gives masks of booleans."""

    def __init__(self, place: int, masks: Masks) -> None:
        self.input = place
        self._masks = masks

    def masks(self, column: Column) -> Masks:
        assert isinstance(column, FlagColumn)
        return self._masks.take(column.values.astype(np.intp), axis=0, mode="wrap")


class _TextLookUp:
    """Gives masks of texts."""

    def __init__(self, place: int, named: Mapping[str, int], masks: Masks) -> None:
        self.input = place
        self._named = named
        self._masks = masks

    def masks(self, column: Column) -> Masks:
        assert isinstance(column, TextColumn)
        other, null = len(self._named), len(self._named) + 1
        places = np.array([*(self._named.get(text, other) for text in column.texts), null])
        # The last entry is null's, and -1 is null.
        of_text: Masks = self._masks[places]
        return of_text.take(column.codes, axis=0, mode="wrap")


def _first(masks: Masks, rules: int) -> Indices:
    """Give the lowest bit of each mask; `rules` where there is none."""
    if masks.ndim == 1:
        found = np.bitwise_count((masks & (~masks + np.uint64(1))) - np.uint64(1)).astype(np.intp)
        return np.minimum(found, rules, out=found)
    is_any: Booleans = masks != 0
    word = is_any.argmax(axis=1)
    lowest = _first(np.take_along_axis(masks, word[:, None], axis=1)[:, 0], _WORD)
    return np.where(is_any.any(axis=1), word * _WORD + lowest, rules)


def _distinct(keys: NDArray[np.uint64]) -> tuple[NDArray[np.uint64], NDArray[np.int32]]:
    """Give the distinct rows, and for each row the place of its like among them."""
    if keys.shape[1] == 1:
        found, place = np.unique(keys[:, 0], return_inverse=True)
        return found[:, None], place.astype(np.int32)
    found, place = np.unique(keys, axis=0, return_inverse=True)
    return found, place.reshape(-1).astype(np.int32)
