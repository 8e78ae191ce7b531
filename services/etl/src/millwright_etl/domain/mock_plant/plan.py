"""What plant to make up, and what becomes of each of its rows on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random
from typing import NamedTuple

from millwright_runtime.errors import Violation

from millwright_etl.domain.mock_plant.faults import KINDS, REASONS, faults_for
from millwright_etl.domain.records import RecordType

LIMITS = {"days": 366, "lines": 100, "products": 1_000, "orders_per_shift": 2_000}
MOST_SHARE = 0.5
_SHARES = ("late_share", "duplicate_share", "corrected_share", "deleted_share", "bad_share")
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
    deleted_share: float = 0.0
    bad_share: float = 0.0
    """Of rows that are bad in any way."""
    fault_shares: Mapping[str, float] = field(default_factory=dict)
    """By reason: of the rows of kinds that can be set aside for it, besides the bad ones above."""

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
    is_deleted: bool
    """It comes once as it is, and once as one that its source has deleted."""
    fault: str | None
    """What is wrong with it, for good: the name of one of the faults of its kind."""

    @property
    def times(self) -> int:
        """Give how often it comes."""
        return 1 + self.is_twice + self.is_corrected + self.is_deleted


def draws(plan: Plan, place: str, what: str) -> Callable[[], float]:
    """Give a source of numbers from 0 to 1 that are always the same for a seed, a place and what they are for."""
    return Random(f"{plan.seed}/{place}/{what}").random  # noqa: S311 - no secret: they must come again


def fates(plan: Plan, place: str, kinds: Sequence[RecordType]) -> Iterator[Fate]:
    """Give what becomes of the rows of a shift on a line, which `place` names, by the kind of each."""
    random = draws(plan, place, "fates")
    for kind in kinds:
        late, twice, corrected, deleted, bad, which = (random() for _ in range(6))
        fault, is_deleted = _fault(plan, kind, bad, which), deleted < plan.deleted_share
        yield Fate(
            late_days=1 + int(which * MOST_LATE_DAYS) if late < plan.late_share else 0,
            is_twice=twice < plan.duplicate_share,
            is_corrected=not fault and not is_deleted and corrected < plan.corrected_share,
            is_deleted=is_deleted,
            fault=fault,
        )


def _fault(plan: Plan, kind: RecordType, bad: float, which: float) -> str | None:
    """Give what is wrong with a row: shares lie beside one another on the line from 0 to 1 that `bad` is drawn from."""
    shares = [(KINDS[kind], plan.bad_share)]
    shares += [(faults_for(kind, why), share) for why, share in sorted(plan.fault_shares.items())]
    for faults, share in shares:
        if faults and bad < share:
            return faults[int(which * len(faults))]
        bad -= share if faults else 0
    return None


def violations(plan: Plan) -> list[Violation]:
    """Give everything that is wrong with a plan, by its field in the request."""
    found = [
        Violation(name, "OUT_OF_RANGE", f"must be from 1 to {most:,}")
        for name, most in LIMITS.items()
        if not 1 <= getattr(plan, name) <= most
    ]
    shares = {name: getattr(plan, name) for name in _SHARES}
    shares |= {f"fault_shares[{why}]": share for why, share in plan.fault_shares.items()}
    found += [
        Violation(name, "OUT_OF_RANGE", f"must be from 0 to {MOST_SHARE}")
        for name, share in shares.items()
        if not 0 <= share <= MOST_SHARE
    ]
    found += [
        Violation(f"fault_shares[{why}]", "UNKNOWN_VALUE", f"must be one of {', '.join(sorted(REASONS))}")
        for why in sorted(plan.fault_shares.keys() - REASONS)
    ]
    if not found and plan.bad_share + sum(plan.fault_shares.values()) > MOST_SHARE:
        found.append(Violation("fault_shares", "OUT_OF_RANGE", f"must be at most {MOST_SHARE} with bad_share"))
    return found
