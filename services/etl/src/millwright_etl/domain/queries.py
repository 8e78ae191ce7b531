"""What can be asked of production facts: filters, columns to group by, and measures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from millwright_runtime.errors import Violation

MOST_DAYS = 3_660
MOST_GROUPS = 6
MOST_CODES = 1_000
"""Of lines, products or shifts in a filter."""


class Dimension(StrEnum):
    """A column to group by."""

    DATE = "DATE"
    WEEK = "WEEK"
    MONTH = "MONTH"
    LINE = "LINE"
    PRODUCT = "PRODUCT"
    SHIFT = "SHIFT"
    EQUIPMENT = "EQUIPMENT"


GROUPING = frozenset(Dimension) - {Dimension.EQUIPMENT}
"""Those that facts have."""


class Measure(StrEnum):
    """What is measured: sums, and ratios of sums."""

    TOTAL_QTY = "TOTAL_QTY"
    GOOD_QTY = "GOOD_QTY"
    DEFECT_QTY = "DEFECT_QTY"
    REWORK_QTY = "REWORK_QTY"
    SCRAP_QTY = "SCRAP_QTY"
    PLANNED_QTY = "PLANNED_QTY"
    RUNTIME_SECONDS = "RUNTIME_SECONDS"
    DOWNTIME_SECONDS = "DOWNTIME_SECONDS"
    SETUP_SECONDS = "SETUP_SECONDS"
    PLANNED_SECONDS = "PLANNED_SECONDS"
    WORK_ORDERS = "WORK_ORDERS"
    YIELD = "YIELD"
    DEFECT_RATE = "DEFECT_RATE"
    CYCLE_SECONDS = "CYCLE_SECONDS"
    AVAILABILITY = "AVAILABILITY"
    PERFORMANCE = "PERFORMANCE"
    QUALITY = "QUALITY"
    OEE = "OEE"


@dataclass(frozen=True, slots=True)
class Filter:
    """Which facts; an empty tuple is for all."""

    from_date: date
    to_date: date
    """The last business day, included."""
    lines: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    shifts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Query:
    """Facts, grouped and measured."""

    filter: Filter
    group_by: tuple[Dimension, ...]
    measures: tuple[Measure, ...]


def filter_faults(wanted: Filter) -> Iterator[Violation]:
    """Give everything that is wrong with a filter, by its field in the request."""
    if wanted.to_date < wanted.from_date:
        yield Violation("filter.to_date", "OUT_OF_RANGE", "must not be before from_date")
    elif (wanted.to_date - wanted.from_date).days >= MOST_DAYS:
        yield Violation("filter.to_date", "OUT_OF_RANGE", f"must be at most {MOST_DAYS} days from from_date")
    for field in ("lines", "products", "shifts"):
        if len(getattr(wanted, field)) > MOST_CODES:
            yield Violation(f"filter.{field}", "TOO_MANY", f"must be at most {MOST_CODES:,}")


def grouping_faults(group_by: tuple[Dimension, ...]) -> Iterator[Violation]:
    """Give everything that is wrong with what is grouped by."""
    if len(group_by) > MOST_GROUPS:
        yield Violation("group_by", "TOO_MANY", f"must be at most {MOST_GROUPS} columns")
    if len(set(group_by)) < len(group_by):
        yield Violation("group_by", "DUPLICATE", "must name each column once")
    for place, dimension in enumerate(group_by):
        if dimension not in GROUPING:
            yield Violation(f"group_by[{place}]", "UNKNOWN_VALUE", "facts have no such column")
