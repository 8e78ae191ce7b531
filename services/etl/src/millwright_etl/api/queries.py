"""What callers ask of production facts, checked, and the rows that answer it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

from millwright.etl.v1 import production_service_pb2 as pb
from millwright_runtime.errors import InvalidFields, Violation

from millwright_etl.domain.queries import Dimension, Filter, Measure, Query, filter_faults, grouping_faults

DIMENSIONS = {pb.Dimension.Value(f"DIMENSION_{dimension}"): dimension for dimension in Dimension}
MEASURES = {pb.Measure.Value(f"MEASURE_{measure}"): measure for measure in Measure}


def query(request: pb.QueryProductionRequest | pb.ListProductionRequest) -> Query:
    """Give what is asked for; raise InvalidFields with everything that is wrong with it."""
    group_by, measures = tuple(map(DIMENSIONS.get, request.group_by)), tuple(map(MEASURES.get, request.measures))
    faults = [*_unknown("group_by", group_by), *_unknown("measures", measures)]
    wanted = filter_of(request.filter, group_by, faults)
    return Query(wanted, _known(group_by), _known(measures) or tuple(Measure))


def grouping(request: pb.ListDefectsRequest) -> tuple[Filter, tuple[Dimension, ...]]:
    """Give which defects are asked for, and by what they are grouped."""
    group_by = tuple(map(DIMENSIONS.get, request.group_by))
    return filter_of(request.filter, group_by, [*_unknown("group_by", group_by)]), _known(group_by)


def filter_of(message: pb.ProductionFilter, group_by: Sequence[Dimension | None], faults: list[Violation]) -> Filter:
    """Give the filter; raise InvalidFields with `faults` and everything that is wrong with it and the grouping."""
    from_date, to_date = _date(message.from_date, "from_date", faults), _date(message.to_date, "to_date", faults)
    wanted = Filter(from_date, to_date, tuple(message.lines), tuple(message.products), tuple(message.shifts))
    if not faults:
        faults += [*filter_faults(wanted), *grouping_faults(_known(group_by))]
    if faults:
        raise InvalidFields(faults)
    return wanted


def row(keys: int, found: Iterable[Any]) -> pb.ProductionRow:
    """Give a row, the first `keys` columns of which are keys."""
    values = list(found)
    measured = [pb.MeasuredValue(value=value) for value in values[keys:]]
    return pb.ProductionRow(keys=values[:keys], values=measured)


def _known(found: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(each for each in found if each is not None)


def _unknown(field: str, found: Sequence[object]) -> list[Violation]:
    return [
        Violation(f"{field}[{place}]", "UNKNOWN_VALUE", "is none of those that there are")
        for place, each in enumerate(found)
        if each is None
    ]


def _date(text: str, field: str, faults: list[Violation]) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        faults.append(Violation(f"filter.{field}", "NOT_A_DATE", "must be a date, as 2026-11-01"))
        return date.min
