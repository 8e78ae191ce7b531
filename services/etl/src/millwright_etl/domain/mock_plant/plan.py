"""What plant to make up, and what becomes of each of its rows on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import NamedTuple

from millwright_runtime.errors import Violation

from millwright_etl.domain.mock_plant.faults import KINDS
from millwright_etl.domain.records import RecordType

LIMITS = {"days": 366, "lines": 100, "products": 1_000, "orders_per_shift": 2_000}
MOST_SHARE = 0.5
MOST_LATE_DAYS = 3


@dataclass(frozen=True, slots=True)
class Plan:
    """A made-up plant; shares are of rows, from 0 to MOST_SHARE."""

    seed: int
    from_date: date
    days: int
    lines: int = 4
    products: int = 8
    orders_per_shift: int = 6
    late_share: float = 0.0
    duplicate_share: float = 0.0
    corrected_share: float = 0.0
    bad_share: float = 0.0

    @property
    def dates(self) -> list[date]:
        """Give its business days, in order."""
        return [self.from_date + timedelta(days=place) for place in range(self.days)]

    @property
    def line_codes(self) -> list[str]:
        """Give the codes of its lines."""
        return [f"L{number:02}" for number in range(1, self.lines + 1)]

    @property
    def product_codes(self) -> list[str]:
        """Give the codes of its products."""
        return [f"P{number:03}" for number in range(1, self.products + 1)]


class Fate(NamedTuple):
    """What becomes of a row on its way."""

    late_days: int
    """How many days after its own it comes."""
    is_twice: bool
    is_corrected: bool
    """It comes once as it was first written down, and once as it is."""
    fault: str | None
    """What is wrong with it, for good: the name of one of the faults of its kind."""

    @property
    def times(self) -> int:
        """Give how often it comes."""
        return 1 + self.is_twice + self.is_corrected


def draws(plan: Plan, place: str, what: str) -> Callable[[], float]:
    """Give a source of numbers from 0 to 1 that are always the same for a seed, a place and what they are for."""
    return Random(f"{plan.seed}/{place}/{what}").random  # noqa: S311 - no secret: they must come again


def fates(plan: Plan, place: str, kinds: Sequence[RecordType]) -> Iterator[Fate]:
    """Give what becomes of the rows of a shift on a line, which `place` names, by the kind of each."""
    random = draws(plan, place, "fates")
    for kind in kinds:
        late, twice, corrected, bad, which = random(), random(), random(), random(), random()
        is_bad = bad < plan.bad_share
        yield Fate(
            late_days=1 + int(which * MOST_LATE_DAYS) if late < plan.late_share else 0,
            is_twice=twice < plan.duplicate_share,
            is_corrected=not is_bad and corrected < plan.corrected_share,
            fault=KINDS[kind][int(which * len(KINDS[kind]))] if is_bad else None,
        )


def violations(plan: Plan) -> list[Violation]:
    """Give everything that is wrong with a plan, by its field in the request."""
    found = [
        Violation(field, "OUT_OF_RANGE", f"must be from 1 to {most:,}")
        for field, most in LIMITS.items()
        if not 1 <= getattr(plan, field) <= most
    ]
    shares = ("late_share", "duplicate_share", "corrected_share", "bad_share")
    return found + [
        Violation(field, "OUT_OF_RANGE", f"must be from 0 to {MOST_SHARE}")
        for field in shares
        if not 0 <= getattr(plan, field) <= MOST_SHARE
    ]
