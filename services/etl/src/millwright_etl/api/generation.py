"""GenerateRecords: a made-up plant as the caller asks for it, landed, and what must come of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Iterator
from datetime import UTC, date, datetime
from itertools import chain, islice
from typing import Any, TypeVar

from millwright.etl.v1 import ingest_service_pb2 as pb
from millwright_runtime.api import calls
from millwright_runtime.errors import InvalidFields, Violation
from millwright_runtime.service import Platform

from millwright_etl.api import records
from millwright_etl.commands import landing
from millwright_etl.domain.calendar import Calendars
from millwright_etl.domain.landing import Counts, Door, Refusal
from millwright_etl.domain.mock_plant.arrivals import arrivals, total
from millwright_etl.domain.mock_plant.expected import Expected, FactKey
from millwright_etl.domain.mock_plant.plan import Plan, violations
from millwright_etl.domain.records import Record
from millwright_etl.store import calendars

ItemT = TypeVar("ItemT")
_ROWS_AT_ONCE = 5000
_FACTS_AT_ONCE = 1000


async def generate(
    platform: Platform, request: pb.GenerateRecordsRequest
) -> AsyncGenerator[pb.GenerateRecordsResponse]:
    """Make up rows, land them and tell how far it is; at the end tell what must come of them.

    Interrupted, it is called again with the same plan: what is there already is found unchanged.
    """
    plan = _plan(request)
    tenant = calls.current().principal.tenant
    async with platform.reading() as connection:
        plant = await calendars.read(connection, tenant)
    door, expected = Door(plant, datetime.now(UTC)), Expected(plant)
    announced = await asyncio.to_thread(total, plan, plant)
    made, counts = 0, Counts()
    pieces = _pieces(plan, plant, expected)
    while piece := await asyncio.to_thread(next, pieces, None):
        if not request.dry_run:
            counts = counts.plus(await _land(platform, tenant, door, piece))
        made += len(piece)
        yield pb.GenerateRecordsResponse(records=made, total=announced, counts=records.counts(counts))
    for some in _batches(_facts(expected), _FACTS_AT_ONCE):
        yield pb.GenerateRecordsResponse(records=made, total=announced, counts=records.counts(counts), expected=some)
    for found in _batches(_defects(expected), _FACTS_AT_ONCE):
        yield pb.GenerateRecordsResponse(
            records=made, total=announced, counts=records.counts(counts), expected_defects=found
        )
    yield pb.GenerateRecordsResponse(
        records=made,
        total=announced,
        counts=records.counts(counts),
        expected_quarantine=expected.reasons,
        shifts=list(dict.fromkeys(span.code for day in plan.dates for span in plant.shift_spans(day))),
    )


def _plan(request: pb.GenerateRecordsRequest) -> Plan:
    try:
        from_date = date.fromisoformat(request.from_date)
    except ValueError:
        raise InvalidFields([Violation("from_date", "NOT_A_DATE", "must be a date, as 2026-11-01")]) from None
    plan = Plan(
        seed=request.seed,
        from_date=from_date,
        days=request.days,
        lines=request.lines or 4,
        products=request.products or 8,
        orders_per_shift=request.orders_per_shift or 6,
        late_share=request.late_share,
        duplicate_share=request.duplicate_share,
        corrected_share=request.corrected_share,
        deleted_share=request.deleted_share,
        bad_share=request.bad_share,
        fault_shares=dict(request.fault_shares),
    )
    if faults := violations(plan):
        raise InvalidFields(faults)
    return plan


def _pieces(plan: Plan, plant: Calendars, expected: Expected) -> Iterator[list[Record]]:
    return _batches(chain.from_iterable(arriving for _, arriving in arrivals(plan, plant, expected)), _ROWS_AT_ONCE)


def _batches(items: Iterable[ItemT], size: int) -> Iterator[list[ItemT]]:
    left = iter(items)
    while batch := list(islice(left, size)):
        yield batch


async def _land(platform: Platform, tenant: str, door: Door, piece: list[Record]) -> Counts:
    seen = [door.admit(record) for record in piece]
    rows = [row for row in seen if not isinstance(row, Refusal)]
    async with platform.database.transaction(tenant) as connection:
        landed = await landing.land(connection, tenant, rows)
    counts = landed.plus(Counts(refused=len(seen) - len(rows)))
    records.count(counts)
    return counts


def _facts(expected: Expected) -> Iterator[pb.ExpectedFact]:
    for key, fact in sorted(expected.facts.items()):
        told = pb.ExpectedFact(**_where(key), work_orders=int(fact.get("work_orders", 0)))
        for measure in fact.keys() - {"work_orders"}:
            setattr(told, measure, float(fact[measure]))
        yield told


def _defects(expected: Expected) -> Iterator[pb.ExpectedDefect]:
    for (key, defect_type), pieces in sorted(expected.defects.items()):
        yield pb.ExpectedDefect(**_where(key), defect_type=defect_type, defect_qty=float(pieces))


def _where(key: FactKey) -> dict[str, Any]:
    return {**key._asdict(), "date": key.date.isoformat()}
