"""Windows: one business day of one plant, as the pipeline works on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from millwright_etl.domain.calendar import Calendars, ShiftSpan
from millwright_etl.domain.records import RecordType

MEASURES = (
    "total_qty",
    "good_qty",
    "defect_qty",
    "rework_qty",
    "scrap_qty",
    "planned_qty",
    "runtime_seconds",
    "downtime_seconds",
    "setup_seconds",
    "planned_seconds",
    "cycle_seconds_sum",
    "ideal_seconds_sum",
)
"""What facts hold: all of it may be added up."""


@dataclass(frozen=True, slots=True)
class Window:
    """A business day: the instants [begin, end) and its shifts."""

    tenant: str
    date: date
    begin_time: datetime
    end_time: datetime
    shifts: tuple[ShiftSpan, ...]


def window(calendars: Calendars, tenant: str, day: date) -> Window:
    """Give the window of a business day, by the calendar that holds for it."""
    return Window(tenant, day, *calendars.span(day), tuple(calendars.shift_spans(day)))


@dataclass(frozen=True, slots=True)
class Counts:
    """What was counted while the facts of a window were made."""

    rows_read: int
    rows_used: int
    rows_quarantined: int
    """Those set aside, and those that people have left out for good."""
    rows_superseded: int
    """Those that their system has deleted."""
    work_orders: int
    total_qty: Decimal
    """Pieces in the rows that are used: the control total."""
    facts: int
    facts_inserted: int
    facts_updated: int
    facts_deleted: int
    measures: Sequence[Decimal | None]
    """The sum of each of MEASURES over the facts as they were made; None without facts."""
    defect_facts: int
    defects: Decimal | None
    """The sum over the facts of defects as they were made."""

    @property
    def facts_unchanged(self) -> int:
        """Give how many facts stayed as they were; nothing was written for them."""
        return self.facts - self.facts_inserted - self.facts_updated


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found about the quality of a window's rows while its facts were made."""

    checked_rows: Mapping[RecordType, int]
    """How many rows of each kind the rules of rows looked at; kinds that no rule is about may be missing."""
    rows_refused: int
    """Rows that are set aside now; those that people have left out are not among them."""
    sources: Mapping[str, float]
    """The newest event of each source system, in seconds since 1970."""
    broken: Sequence[int]
    """How many rows broke each rule of rows, in the order of the rules."""


@dataclass(frozen=True, slots=True)
class Written:
    """What the facts of a window hold after they were made, read anew."""

    facts: int
    work_orders: int
    total_qty: Decimal
    measures: Sequence[Decimal | None]
    defect_facts: int
    defects: Decimal | None


def discrepancies(counts: Counts, written: Written) -> list[str]:
    """Give everything that does not add up; such a window must not be published."""
    accounted = counts.rows_used + counts.rows_quarantined + counts.rows_superseded
    pairs = (
        ("rows read, and rows used, quarantined and superseded", counts.rows_read, accounted),
        ("facts made, and facts there", counts.facts, written.facts),
        ("work orders used, and work orders in the facts", counts.work_orders, written.work_orders),
        ("pieces in the rows used, and pieces in the facts", counts.total_qty, written.total_qty),
        *(
            (f"{measure} made, and {measure} there", made, there)
            for measure, made, there in zip(MEASURES, counts.measures, written.measures, strict=True)
        ),
        ("facts of defects made, and facts of defects there", counts.defect_facts, written.defect_facts),
        ("defects by type made, and defects by type there", counts.defects, written.defects),
    )
    return [f"{what}: {one} and {other}" for what, one, other in pairs if one != other]
