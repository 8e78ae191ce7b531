"""Search: is there an input in a box that none of some rules lets through?

That question has no quick answer in general (it is co-NP-complete), and a quick one for the tables that people write.
So a search is given up as undecided after so many steps; it never takes long, and is never wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import reduce
from operator import and_, or_

from millwright_judgment.domain.analysis.space import Box, Space, bits, is_empty, meet

_KEPT = 10_000
"""Of how many sets of atoms a dimension is known which rules they meet."""


class Undecided(Exception):
    """A question was given up."""


class Search:
    """Answers questions about one space. Bit i of `rules` is rule i, as in the space.

    A step is one dimension of a box, or one run of atoms in it, that is looked at.
    """

    def __init__(self, space: Space, steps: int) -> None:
        """Give up for good after so many steps in all."""
        self.space = space
        self._left = steps
        self._step = len(space.dimensions) * (1 + len(space.boxes) // 500)
        self._trees = [_Tree(dimension.rules) for dimension in space.dimensions]
        self._met: list[dict[int, tuple[int, int]]] = [{} for _ in space.dimensions]

    @property
    def is_spent(self) -> bool:
        """Tell whether every further question is given up."""
        return self._left <= 0

    def uncovered(self, boxes: Iterable[Box], rules: int, steps: int) -> Box | None:
        """Give a box in one of `boxes` that none of the rules touches; None if they cover all.

        Raises Undecided after so many steps.
        """
        end = self._left - steps
        waiting = [box for box in boxes if not is_empty(box)]
        while waiting:
            box: Box | None = waiting.pop()
            while box is not None:
                self._left -= self._step
                if self._left < max(end, 0):
                    raise Undecided
                touching = self.touching(box, rules)
                if not touching:
                    return box
                box = self._narrow(box, touching, waiting)
        return None

    def touching(self, box: Box, rules: int) -> int:
        """Give those of the rules that let through something of a box that is not empty."""
        return reduce(and_, [self._meet(place, atoms)[0] for place, atoms in enumerate(box)], rules)

    def holding(self, box: Box, rules: int) -> int:
        """Give those of the rules that let through all of a box that is not empty."""
        return reduce(and_, [self._meet(place, atoms)[1] for place, atoms in enumerate(box)], rules)

    def widen(self, box: Box, within: Box, rules: int) -> Box:
        """Make a box that none of the rules touches as large as it can be within another one."""
        wide = list(box)
        for place, dimension in enumerate(self.space.dimensions):
            others = [self._meet(other, atoms)[0] for other, atoms in enumerate(wide) if other != place]
            blocking = reduce(and_, others, rules)
            free = [1 << atom for atom, let_through in enumerate(dimension.rules) if not let_through & blocking]
            wide[place] = sum(free) & within[place]
        return tuple(wide)

    def _narrow(self, box: Box, touching: int, waiting: list[Box]) -> Box | None:
        """Give the part of a box that is to be looked at next, and put its other parts in line; None if it is covered.

        A rule that says something of one dimension alone, as far as the box goes, takes its atoms there from the box.
        Where there is none, one of the rules that say least is what the box is split by.
        """
        once = twice = thrice = 0
        said = [touching & ~self._meet(place, atoms)[1] for place, atoms in enumerate(box)]
        for rules in said:
            thrice |= twice & rules
            twice |= once & rules
            once |= rules
        if touching & ~once:
            return None
        if single := once & ~twice:
            narrowed = tuple(
                atoms & ~self._let_through(place, atoms, said[place] & single) for place, atoms in enumerate(box)
            )
            return None if is_empty(narrowed) else narrowed
        fewest = (twice & ~thrice) or touching
        rule = (fewest & -fewest).bit_length() - 1
        taken = meet(box, self.space.boxes[rule])
        parts = []
        for place in range(len(box)):
            rest = box[place] & ~taken[place]
            if rest:
                parts.append((*taken[:place], rest, *box[place + 1 :]))
        waiting += parts[1:]
        return parts[0]

    def _let_through(self, place: int, atoms: int, rules: int) -> int:
        """Give those of the atoms that one of the rules lets through."""
        if not rules:
            return 0
        return reduce(or_, [self.space.boxes[rule][place] for rule in bits(rules)]) & atoms

    def _meet(self, place: int, atoms: int) -> tuple[int, int]:
        """Give the rules that let through one of a dimension's atoms, and those that let through all."""
        known = self._met[place]
        if atoms not in known:
            if len(known) >= _KEPT:
                known.clear()
            found = [self._trees[place].meet(begin, end) for begin, end in _runs(atoms)]
            self._left -= len(found)
            known[atoms] = (reduce(or_, [some for some, _ in found]), reduce(and_, [all_ for _, all_ in found]))
        return known[atoms]


class _Tree:
    """Gives the rules that let through one, and all, of atoms that stand side by side, by halves (a segment tree)."""

    def __init__(self, rules: Sequence[int]) -> None:
        """Take the rules of each atom."""
        self._atoms = len(rules)
        self._some = [0] * self._atoms + [*rules]
        self._all = [0] * self._atoms + [*rules]
        for node in range(self._atoms - 1, 0, -1):
            self._some[node] = self._some[2 * node] | self._some[2 * node + 1]
            self._all[node] = self._all[2 * node] & self._all[2 * node + 1]

    def meet(self, begin: int, end: int) -> tuple[int, int]:
        """Give the rules that let through one, and those that let through all, of the atoms from `begin` to `end`."""
        some, all_ = 0, -1
        low, high = begin + self._atoms, end + self._atoms
        while low < high:
            if low & 1:
                some |= self._some[low]
                all_ &= self._all[low]
                low += 1
            if high & 1:
                high -= 1
                some |= self._some[high]
                all_ &= self._all[high]
            low >>= 1
            high >>= 1
        return some, all_


def _runs(atoms: int) -> Iterator[tuple[int, int]]:
    """Give where runs of bits begin and end."""
    at = 0
    while atoms:
        skipped = (atoms & -atoms).bit_length() - 1
        atoms >>= skipped
        length = (~atoms & atoms + 1).bit_length() - 1
        yield at + skipped, at + skipped + length
        atoms >>= length
        at += skipped + length
