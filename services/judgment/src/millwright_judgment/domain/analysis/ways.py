"""Ways: how the tables before a table can come out, as far as its cells look at what they put out.

What an earlier table puts out depends on the same input that the later table sees. So a later table is not looked at
by itself: for each way there is, its rules meet just the inputs that lead there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from millwright_judgment.domain.analysis.search import Search
from millwright_judgment.domain.analysis.space import Box, meet
from millwright_judgment.domain.evaluation.index import TableIndex

NOBODY = -1
"""Stands for no rule, and is the place of what follows from that."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way: the inputs in `box` that none of the rules `passed` lets through."""

    box: Box
    passed: int
    winners: Mapping[int, int]
    """Of each table that matters, the rule that speaks; NOBODY where none does."""


class TooManyWays(Exception):
    """The tables before can come out in more ways than are looked at."""


class Ways:
    """Gives the ways into the tables of one ruleset."""

    def __init__(self, search: Search, indexes: Sequence[TableIndex], *, steps: int, limit: int) -> None:
        """Search each way for at most so many steps."""
        self._search = search
        self._indexes = indexes
        self._steps = steps
        self._limit = limit
        self.first_bits = tuple(accumulate((index.rules for index in indexes), initial=0))

    def into(self, table: int) -> list[Way]:
        """Give the ways into a table that some input takes. Raises TooManyWays and Undecided."""
        ways = [Way(self._search.space.whole, 0, {})]
        for source in sorted(self._sources(table)):
            ways = [longer for way in ways for longer in self._through(source, way)]
            if len(ways) > self._limit:
                raise TooManyWays
        return ways

    def active(self, table: int, way: Way) -> int:
        """Give the rules of a table that what was put out on a way lets match."""
        index = self._indexes[table]
        rules = index.all_mask
        for source, masks in index.derived.items():
            rules &= masks[way.winners[source]]
        return rules << self.first_bits[table]

    def _sources(self, table: int) -> set[int]:
        found: set[int] = set()
        for source in self._indexes[table].derived:
            found |= {source} | self._sources(source)
        return found

    def _through(self, table: int, way: Way) -> Iterator[Way]:
        active = self.active(table, way)
        passed = way.passed
        for winner in range(self._indexes[table].rules):
            rule = self.first_bits[table] + winner
            if active >> rule & 1:
                box = meet(way.box, self._search.space.boxes[rule])
                if self._is_taken(box, passed):
                    yield Way(box, passed, {**way.winners, table: winner})
                passed |= 1 << rule
        if self._is_taken(way.box, passed):
            yield Way(way.box, passed, {**way.winners, table: NOBODY})

    def _is_taken(self, box: Box, passed: int) -> bool:
        return self._search.uncovered([box], passed, self._steps) is not None
