"""Indexes: for each column of a table, which rules a value lets match, as one mask of bits.

The line of numbers falls into segments between thresholds; within one, every rule of the table holds or does not. So
one search in the thresholds gives the answer of all rules at once, and the masks of a table's columns, combined by
`and`, give the rules that match. Bit i is rule i. Both evaluators read these indexes and nothing else.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from millwright_judgment.domain.ruleset.fields import Field
from millwright_judgment.domain.ruleset.model import Ruleset
from millwright_judgment.domain.ruleset.outputs import Constant
from millwright_judgment.domain.ruleset.predicates import UNBOUNDED, Numbers, Point, Predicate, Texts


@dataclass(frozen=True, slots=True)
class NumberIndex:
    """The segments of a number or boolean column."""

    bounds: tuple[int, ...]
    """The first steps of all segments but the first, rising."""
    masks: tuple[int, ...]
    """Of each segment: one more than there are bounds."""
    null_mask: int


@dataclass(frozen=True, slots=True)
class TextIndex:
    """The texts that cells name."""

    masks: Mapping[str, int]
    other_mask: int
    """Of every text that no cell names."""
    null_mask: int


@dataclass(frozen=True, slots=True)
class ColumnIndex:
    """The index of one input field in one table."""

    field: Field
    input: int
    """The place of the field in the schema."""
    index: NumberIndex | TextIndex


@dataclass(frozen=True, slots=True)
class TableIndex:
    """What a table's rules make of what they see."""

    rules: int
    """How many there are."""
    columns: tuple[ColumnIndex, ...]
    """Of input fields; those that no rule speaks of are left out."""
    derived: Mapping[int, tuple[int, ...]]
    """By table before this one: what each of its rules, when it speaks, lets match here; the last entry is for none."""

    @property
    def all_mask(self) -> int:
        """Give the mask of all rules."""
        return (1 << self.rules) - 1


def build(ruleset: Ruleset) -> tuple[TableIndex, ...]:
    """Build the indexes of all tables."""
    places = {field.name: index for index, field in enumerate(ruleset.fields)}
    indexes = []
    for number, table in enumerate(ruleset.tables):
        spoken_of = [column.field for column in table.inputs if any(column.field in rule.cells for rule in table.rules)]
        scope = ruleset.scopes[number]
        predicates = {name: [ruleset.predicate(number, rule, name) for rule in table.rules] for name in spoken_of}
        columns = [
            ColumnIndex(scope[name], places[name], index_of(predicates[name])) for name in spoken_of if name in places
        ]
        derived = {
            source: combined
            for source in range(number)
            if (combined := _derived(ruleset, source, scope, {n: p for n, p in predicates.items() if n not in places}))
        }
        indexes.append(TableIndex(len(table.rules), tuple(columns), derived))
    return tuple(indexes)


def index_of(predicates: Sequence[Predicate]) -> NumberIndex | TextIndex:
    """Build the index of one column from the predicates of its cells, one a rule."""
    null_mask = sum(1 << rule for rule, predicate in enumerate(predicates) if predicate.is_null)
    if isinstance(predicates[0].values, Numbers):
        return _number_index(predicates, null_mask)
    return _text_index(predicates, null_mask)


def _number_index(predicates: Sequence[Predicate], null_mask: int) -> NumberIndex:
    turns: defaultdict[int, int] = defaultdict(int)
    for rule, predicate in enumerate(predicates):
        assert isinstance(predicate.values, Numbers)
        for low, high in predicate.values.spans:
            turns[low] ^= 1 << rule
            turns[high + 1] ^= 1 << rule
    mask = turns.pop(-UNBOUNDED, 0)
    turns.pop(UNBOUNDED + 1, None)
    bounds, masks = [], [mask]
    for bound in sorted(turns):
        if turns[bound]:
            mask ^= turns[bound]
            bounds.append(bound)
            masks.append(mask)
    return NumberIndex(tuple(bounds), tuple(masks), null_mask)


def _text_index(predicates: Sequence[Predicate], null_mask: int) -> TextIndex:
    other_mask = 0
    turns: defaultdict[str, int] = defaultdict(int)
    for rule, predicate in enumerate(predicates):
        assert isinstance(predicate.values, Texts)
        if predicate.values.is_excluding:
            other_mask |= 1 << rule
        for text in predicate.values.values:
            turns[text] ^= 1 << rule
    return TextIndex({text: other_mask ^ turn for text, turn in turns.items()}, other_mask, null_mask)


def _derived(
    ruleset: Ruleset, source: int, scope: Mapping[str, Field], predicates: Mapping[str, Sequence[Predicate]]
) -> tuple[int, ...]:
    """Combine what the outputs of one earlier table let match, for each of its rules and for none."""
    table = ruleset.tables[source]
    names = [column.field for column in table.outputs if column.field in predicates]
    if not names:
        return ()
    combined = []
    for rule in (*table.rules, None):
        mask = -1
        for name in names:
            output = rule.outputs.get(name) if rule else None
            value = output.value if isinstance(output, Constant) else None
            assert value is None or isinstance(value, bool | int | float | str)
            mask &= _mask_of(predicates[name], scope[name].point(value))
        combined.append(mask)
    return tuple(combined)


def _mask_of(predicates: Sequence[Predicate], point: Point) -> int:
    return sum(1 << rule for rule, predicate in enumerate(predicates) if predicate.holds(point))
