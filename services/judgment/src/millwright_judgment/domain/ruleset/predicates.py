"""Predicates: which values of one field a condition lets through, as sets that can be combined and compared.

Numbers are sets of steps (see `grid`), so that open and closed ends, and thresholds between two steps, come down to
closed spans of whole numbers. Booleans are the steps 0 and 1. Everything here is exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

UNBOUNDED = 2**62
"""Farther than any step."""

Span = tuple[int, int]
Point = int | str | None
"""A value as predicates see it: a step, a text, or null."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """Closed spans of steps: sorted, and none touches the next."""

    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Texts:
    """The texts named, or all but those."""

    values: frozenset[str]
    is_excluding: bool = False


@dataclass(frozen=True, slots=True)
class Predicate:
    """The values that a condition lets through."""

    values: Numbers | Texts
    is_null: bool = False
    """True if null is let through."""

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing is let through."""
        if self.is_null:
            return False
        if isinstance(self.values, Numbers):
            return not self.values.spans
        return not self.values.values and not self.values.is_excluding

    def holds(self, point: Point) -> bool:
        """Tell whether a value is let through."""
        if point is None:
            return self.is_null
        if isinstance(self.values, Texts):
            return (point in self.values.values) is not self.values.is_excluding
        assert isinstance(point, int)
        return any(low <= point <= high for low, high in self.values.spans)


ALL_NUMBERS = Numbers(((-UNBOUNDED, UNBOUNDED),))
ALL_TEXTS = Texts(frozenset(), is_excluding=True)
NO_NUMBERS = Numbers(())
NO_TEXTS = Texts(frozenset())


def numbers(spans: Iterable[Span]) -> Numbers:
    """Give the union of spans; those that end before they begin are empty."""
    merged: list[list[int]] = []
    for low, high in sorted(span for span in spans if span[0] <= span[1]):
        if merged and low <= merged[-1][1] + 1:
            merged[-1][1] = max(merged[-1][1], high)
        else:
            merged.append([low, high])
    return Numbers(tuple((low, high) for low, high in merged))


def both(left: Predicate, right: Predicate) -> Predicate:
    """Give what both let through. They are of one field."""
    return Predicate(_meet(left.values, right.values), is_null=left.is_null and right.is_null)


def either(left: Predicate, right: Predicate) -> Predicate:
    """Give what one of them lets through. They are of one field."""
    return Predicate(_join(left.values, right.values), is_null=left.is_null or right.is_null)


def inverse(predicate: Predicate) -> Predicate:
    """Give what a predicate does not let through."""
    return Predicate(_rest(predicate.values), is_null=not predicate.is_null)


def without(left: Predicate, right: Predicate) -> Predicate:
    """Give what `left` lets through and `right` does not."""
    return both(left, inverse(right))


def is_within(inner: Predicate, outer: Predicate) -> bool:
    """Tell whether `outer` lets through all that `inner` does."""
    return without(inner, outer).is_empty


def any_point(predicate: Predicate, taken: Sequence[str] = ()) -> Point:
    """Give a value that is let through: the step nearest to zero, or the first text. Raises ValueError for none.

    Where all texts but some are let through, it is one of `taken` if possible, else one that nobody names.
    """
    values = predicate.values
    if isinstance(values, Numbers) and values.spans:
        return min((min(max(0, low), high) for low, high in values.spans), key=abs)
    if isinstance(values, Texts) and values.is_excluding:
        allowed = [text for text in taken if text not in values.values]
        return allowed[0] if allowed else _unnamed(values.values)
    if isinstance(values, Texts) and values.values:
        return min(values.values)
    if predicate.is_null:
        return None
    message = "nothing is let through"
    raise ValueError(message)


def _unnamed(named: frozenset[str]) -> str:
    text = "other"
    while text in named:
        text += "-"
    return text


def _meet(left: Numbers | Texts, right: Numbers | Texts) -> Numbers | Texts:
    if isinstance(left, Numbers):
        assert isinstance(right, Numbers)
        return Numbers(tuple(_meet_spans(left.spans, right.spans)))
    assert isinstance(right, Texts)
    if left.is_excluding and right.is_excluding:
        return Texts(left.values | right.values, is_excluding=True)
    if left.is_excluding:
        return Texts(right.values - left.values)
    return Texts(left.values - right.values if right.is_excluding else left.values & right.values)


def _meet_spans(left: Sequence[Span], right: Sequence[Span]) -> Iterable[Span]:
    at_left = at_right = 0
    while at_left < len(left) and at_right < len(right):
        low = max(left[at_left][0], right[at_right][0])
        high = min(left[at_left][1], right[at_right][1])
        if low <= high:
            yield low, high
        if left[at_left][1] < right[at_right][1]:
            at_left += 1
        else:
            at_right += 1


def _join(left: Numbers | Texts, right: Numbers | Texts) -> Numbers | Texts:
    if isinstance(left, Numbers):
        assert isinstance(right, Numbers)
        return numbers((*left.spans, *right.spans))
    return _rest(_meet(_rest(left), _rest(right)))


def _rest(values: Numbers | Texts) -> Numbers | Texts:
    if isinstance(values, Texts):
        return Texts(values.values, is_excluding=not values.is_excluding)
    edges = [(0, -UNBOUNDED - 1), *values.spans, (UNBOUNDED + 1, 0)]
    return Numbers(tuple((end + 1, begin - 1) for (_, end), (begin, _) in pairwise(edges) if end + 1 <= begin - 1))
