"""Facts as the commands read them: which days and groups are asked for, and rows of values."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

import typer
from millwright.etl.v1 import production_service_pb2 as pb

from millwright_cli.connection import Connection
from millwright_cli.etl.services import ProductionStub
from millwright_cli.paging import collect

_WEEK = re.compile(r"(\d{4})-W(\d{2})")
_MONTH = re.compile(r"(\d{4})-(\d{2})")
_MOST_DEFECTS = 500


class Group(StrEnum):
    """What facts are grouped by."""

    DATE = "date"
    WEEK = "week"
    MONTH = "month"
    LINE = "line"
    PRODUCT = "product"
    SHIFT = "shift"


class Measure(StrEnum):
    """What is measured."""

    TOTAL_QTY = "total_qty"
    GOOD_QTY = "good_qty"
    DEFECT_QTY = "defect_qty"
    REWORK_QTY = "rework_qty"
    SCRAP_QTY = "scrap_qty"
    PLANNED_QTY = "planned_qty"
    RUNTIME_SECONDS = "runtime_seconds"
    DOWNTIME_SECONDS = "downtime_seconds"
    SETUP_SECONDS = "setup_seconds"
    PLANNED_SECONDS = "planned_seconds"
    WORK_ORDERS = "work_orders"
    YIELD = "yield"
    DEFECT_RATE = "defect_rate"
    CYCLE_SECONDS = "cycle_seconds"
    AVAILABILITY = "availability"
    PERFORMANCE = "performance"
    QUALITY = "quality"
    OEE = "oee"

    @property
    def is_share(self) -> bool:
        """Whether it is told in percent."""
        return self in {
            Measure.YIELD,
            Measure.DEFECT_RATE,
            Measure.AVAILABILITY,
            Measure.PERFORMANCE,
            Measure.QUALITY,
            Measure.OEE,
        }


@dataclass(frozen=True)
class Days:
    """Business days, both ends included."""

    first: date
    last: date

    def filter(
        self, lines: Sequence[str] = (), products: Sequence[str] = (), shifts: Sequence[str] = ()
    ) -> pb.ProductionFilter:
        """Give the filter of the contract."""
        return pb.ProductionFilter(
            from_date=self.first.isoformat(),
            to_date=self.last.isoformat(),
            lines=lines,
            products=products,
            shifts=shifts,
        )


def days(text: str) -> Days:
    """Read a day, a week, a month or a range of days: `2025-11-14`, `2025-W46`, `2025-11`, `2025-11-10..2025-11-14`."""
    try:
        if ".." in text:
            first, last = map(date.fromisoformat, text.split("..", 1))
            return Days(first, last)
        if found := _WEEK.fullmatch(text):
            monday = date.fromisocalendar(int(found[1]), int(found[2]), 1)
            return Days(monday, monday + timedelta(days=6))
        if found := _MONTH.fullmatch(text):
            first = date(int(found[1]), int(found[2]), 1)
            return Days(first, (first + timedelta(days=31)).replace(day=1) - timedelta(days=1))
        return Days(date.fromisoformat(text), date.fromisoformat(text))
    except ValueError:
        known = "2025-11-14, 2025-W46, 2025-11 or 2025-11-10..2025-11-14"
        raise typer.BadParameter(f"{text!r} is no day, week, month or range such as {known}") from None


@dataclass(frozen=True)
class Rows:
    """Facts: what they are grouped by, what is measured, and rows of keys and values."""

    groups: Sequence[Group]
    measures: Sequence[Measure]
    rows: Sequence[pb.ProductionRow]

    def __iter__(self) -> Iterator[tuple[tuple[str, ...], dict[Measure, float | None]]]:
        """Give the keys of each row and its values; None where there is none, as of a ratio over zero."""
        for row in self.rows:
            values = (value.value if value.HasField("value") else None for value in row.values)
            yield tuple(row.keys), dict(zip(self.measures, values, strict=True))


@dataclass(frozen=True)
class Report:
    """What a report tells."""

    days: Days
    whole: Rows
    by_day: Rows
    by_line: Rows
    by_shift: Rows
    by_day_and_line: Rows
    defects: Sequence[tuple[str, float]]


def request(
    wanted: pb.ProductionFilter, groups: Sequence[Group], measures: Sequence[Measure], *, arrow: bool = False
) -> pb.QueryProductionRequest:
    """Make the request for facts."""
    return pb.QueryProductionRequest(
        filter=wanted,
        group_by=[pb.Dimension.Value(f"DIMENSION_{group.name}") for group in groups],
        measures=[pb.Measure.Value(f"MEASURE_{measure.name}") for measure in measures],
        arrow=arrow,
    )


def read(
    connection: Connection,
    stub: ProductionStub,
    wanted: pb.ProductionFilter,
    groups: Sequence[Group],
    measures: Sequence[Measure],
) -> Rows:
    """Read facts by a stream."""
    answers = connection.stream(stub.QueryProduction, request(wanted, groups, measures))
    return Rows(groups, measures, [row for answer in answers for row in answer.rows])


def defects(connection: Connection, stub: ProductionStub, wanted: pb.ProductionFilter) -> list[tuple[str, float]]:
    """Read defective pieces by type, the most first."""
    request = pb.ListDefectsRequest(filter=wanted)
    return [
        (row.defect_type, row.defect_qty)
        for row in collect(connection, stub.ListDefects, request, lambda page: page.rows, _MOST_DEFECTS).rows
    ]
