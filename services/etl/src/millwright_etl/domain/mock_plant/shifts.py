"""What is made on one line in one shift: orders, work, inspections and states of equipment, without any disturbance.

Numbers that are no whole ones are halves, so that sums are exact in any arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta

from millwright_runtime.json import Json

from millwright_etl.domain.calendar import ShiftSpan
from millwright_etl.domain.mock_plant.plan import Plan, draws
from millwright_etl.domain.records import Record, RecordType, SourceType

DEFECT_TYPES = ("bridge", "crack", "misplaced", "scratch", "tombstone")
_ERP, _MES = (SourceType.ERP, "erp-1"), (SourceType.MES, "mes-1")


def kinds(plan: Plan) -> list[RecordType]:
    """Give the kind of each row of a shift on a line, in the order of `rows`."""
    of_an_order = [RecordType.PRODUCTION_ORDER, RecordType.WORK_ORDER, RecordType.QUALITY]
    return [*(of_an_order * plan.orders_per_shift), RecordType.EQUIPMENT_STATUS, RecordType.EQUIPMENT_STATUS]


def rows(plan: Plan, day: date, line: str, span: ShiftSpan, place: str) -> Iterator[Record]:
    """Give the rows of a shift on a line."""
    random = draws(plan, place, "rows")
    length = span.end_time - span.begin_time
    piece = length / (plan.orders_per_shift + 1)
    for number in range(plan.orders_per_shift):
        time = span.begin_time + piece * (number + random())
        name = f"{day:%Y%m%d}-{line}-{span.code}-{number:04}"
        yield from _order(plan, random, line, span.code, name, time)
    for status, share in (("DOWN", 0.06), ("SETUP", 0.04)):
        seconds = int(length.total_seconds() * share * random())
        payload: dict[str, Json] = {
            "line_code": line,
            "equipment_code": f"{line}-M{1 + int(random() * 3)}",
            "shift": span.code,
            "status": status,
            "duration_seconds": seconds,
        }
        name = f"{day:%Y%m%d}-{line}-{span.code}-{status.lower()}"
        yield _record(_MES, RecordType.EQUIPMENT_STATUS, name, payload, span.begin_time + length * random())


def _order(
    plan: Plan, random: Callable[[], float], line: str, shift: str, name: str, time: datetime
) -> Iterator[Record]:
    product = f"P{1 + int(random() * plan.products):03}"
    ideal = (4 + int(random() * 20)) / 2
    cycle = ideal + int(random() * 6) / 2
    total = 50 + int(random() * 400)
    defect = int(total * 0.05 * random())
    scrap = int(defect * random())
    where: dict[str, Json] = {"line_code": line, "product_code": product}
    planned: dict[str, Json] = {"planned_qty": total + int(random() * 40), "planned_seconds": total * cycle + 600}
    yield _record(_ERP, RecordType.PRODUCTION_ORDER, name, {**where, **planned}, time)
    made: dict[str, Json] = {
        "shift": shift,
        "total_qty": total,
        "good_qty": total - defect,
        "defect_qty": defect - scrap,
        "rework_qty": int((defect - scrap) * random()),
        "scrap_qty": scrap,
        "runtime_seconds": total * cycle,
        "cycle_seconds": cycle,
        "ideal_cycle_seconds": ideal,
    }
    yield _record(_MES, RecordType.WORK_ORDER, name, {**where, **made}, time)
    kind = DEFECT_TYPES[int(random() * len(DEFECT_TYPES))]
    found: dict[str, Json] = {"shift": shift, "defect_type": kind, "defect_qty": defect}
    yield _record(_MES, RecordType.QUALITY, name, {**where, **found}, time)


def _record(
    source: tuple[SourceType, str], kind: RecordType, name: str, payload: dict[str, Json], time: datetime
) -> Record:
    time = time.replace(microsecond=0)
    return Record(*source, kind, name, payload, time, time + timedelta(minutes=5))
