"""Spaces: all inputs that rules may meet, cut where cells tell a difference.

The values of a field fall into atoms, between whose members no cell of the ruleset tells a difference. A box is a set
of atoms for each field; a rule is a box, and so is the space. What holds of boxes holds of inputs, exactly.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce

import numpy as np

from millwright_judgment.domain.evaluation.index import NumberIndex, TextIndex, index_of
from millwright_judgment.domain.ruleset import predicates
from millwright_judgment.domain.ruleset.fields import Field
from millwright_judgment.domain.ruleset.model import Ruleset
from millwright_judgment.domain.ruleset.predicates import NO_NUMBERS, NO_TEXTS, Numbers, Predicate, Texts

Box = tuple[int, ...]
"""Of each dimension the atoms, bit i for atom i. Without any in one dimension it is empty."""


@dataclass(frozen=True, slots=True)
class Dimension:
    """One field of the input, cut into atoms."""

    field: Field
    atoms: tuple[Predicate, ...]
    rules: tuple[int, ...]
    """Of each atom, the rules that let it through: bit i is rule i of `Ruleset.rule_ids`."""

    def atoms_by_rule(self, count: int) -> list[int]:
        """Give the atoms that each of so many rules lets through."""
        size = (count + 7) // 8
        table = np.frombuffer(b"".join(rules.to_bytes(size, "little") for rules in self.rules), dtype=np.uint8)
        bits = np.unpackbits(table.reshape(len(self.rules), size), axis=1, count=count, bitorder="little")
        turned = np.packbits(bits.T, axis=1, bitorder="little")
        return [int.from_bytes(row.tobytes(), "little") for row in turned]

    def values(self, atoms: int) -> Predicate:
        """Give the values of some atoms, of one at least."""
        return reduce(predicates.either, [atom for place, atom in enumerate(self.atoms) if atoms >> place & 1])


@dataclass(frozen=True)
class Space:
    """The fields that cells speak of; all others make no difference."""

    dimensions: tuple[Dimension, ...]
    boxes: tuple[Box, ...]
    """What each rule lets through, as far as its cells speak of the input."""

    @cached_property
    def whole(self) -> Box:
        """Give the box of all inputs."""
        return tuple((1 << len(dimension.atoms)) - 1 for dimension in self.dimensions)

    def values(self, box: Box) -> Mapping[Field, Predicate]:
        """Give the values of the fields that a box narrows."""
        return {
            dimension.field: dimension.values(atoms)
            for dimension, atoms, whole in zip(self.dimensions, box, self.whole, strict=True)
            if atoms != whole
        }


def space_of(ruleset: Ruleset) -> Space:
    """Cut the inputs of a ruleset."""
    dimensions = tuple(_dimensions(ruleset))
    count = len(ruleset.rule_ids)
    boxes = (
        zip(*(dimension.atoms_by_rule(count) for dimension in dimensions), strict=True) if dimensions else [()] * count
    )
    return Space(dimensions, tuple(boxes))


def meet(left: Box, right: Box) -> Box:
    """Give what two boxes share."""
    return tuple(one & other for one, other in zip(left, right, strict=True))


def is_empty(box: Box) -> bool:
    """Tell whether no input is in a box."""
    return not all(box)


def bits(mask: int) -> Iterator[int]:
    """Give the places of the bits that are set, rising."""
    while mask:
        lowest = mask & -mask
        yield lowest.bit_length() - 1
        mask ^= lowest


def without(box: Box, taken: Box) -> Iterator[Box]:
    """Give what is left of a box, as boxes that share nothing."""
    for place, (one, other) in enumerate(zip(box, taken, strict=True)):
        rest = (*meet(box[:place], taken[:place]), one & ~other, *box[place + 1 :])
        if not is_empty(rest):
            yield rest


def _dimensions(ruleset: Ruleset) -> Iterator[Dimension]:
    for field in ruleset.fields:
        said = [
            ruleset.predicate(table, rule, field.name) if field.name in rule.cells else None
            for table, each in enumerate(ruleset.tables)
            for rule in each.rules
        ]
        if any(said):
            yield _dimension(field, said)


def _dimension(field: Field, said: Sequence[Predicate | None]) -> Dimension:
    anything = predicates.either(field.domain, predicates.inverse(field.domain))
    index = index_of([predicate or anything for predicate in said])
    pieces = _numbers(index, field) if isinstance(index, NumberIndex) else _texts(index, field)
    merged: dict[int, Predicate] = {}
    for rules, values in pieces:
        merged[rules] = predicates.either(merged[rules], values) if rules in merged else values
    return Dimension(field, tuple(merged.values()), tuple(merged))


_Piece = tuple[int, Predicate]


def _numbers(index: NumberIndex, field: Field) -> Iterator[_Piece]:
    domain = field.domain.values
    assert isinstance(domain, Numbers)
    ((first, last),) = domain.spans
    begins = [first, *index.bounds]
    ends = [*(bound - 1 for bound in index.bounds), last]
    for low, high, rules in zip(begins, ends, index.masks, strict=True):
        if max(low, first) <= min(high, last):
            yield rules, Predicate(Numbers(((max(low, first), min(high, last)),)))
    if field.is_nullable:
        yield index.null_mask, Predicate(NO_NUMBERS, is_null=True)


def _texts(index: TextIndex, field: Field) -> Iterator[_Piece]:
    domain = field.domain.values
    assert isinstance(domain, Texts)
    named = {text: rules for text, rules in index.masks.items() if field.domain.holds(text)}
    for text, rules in named.items():
        yield rules, Predicate(Texts(frozenset({text})))
    others = predicates.both(Predicate(domain), Predicate(Texts(frozenset(named), is_excluding=True)))
    if not others.is_empty:
        yield index.other_mask, others
    if field.is_nullable:
        yield index.null_mask, Predicate(NO_TEXTS, is_null=True)
