"""What people do about quarantined rows: correct them, send them through again, or leave them out for good.

All that a call names is dealt with, or nothing. Each day that may come out otherwise is marked, so that the next run
makes it anew even if the run ordered here never ends.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import date, datetime

import orjson
from millwright_runtime.errors import InvalidFields, Violation
from millwright_runtime.postgres.database import Connection

from millwright_etl.domain import landing
from millwright_etl.domain.errors import RecordNotFound
from millwright_etl.domain.landing import BusinessDays, Door, Refusal
from millwright_etl.domain.quarantine import Actor, Redrive
from millwright_etl.store import calendars, dirty_days, quarantine
from millwright_etl.store.quarantine import Correction, Opened


async def correct(
    connection: Connection, tenant: str, redrives: Sequence[Redrive], actor: Actor, now: datetime
) -> list[date]:
    """Lay corrections over open rows, and give the days to be made anew: those that the rows leave and come to.

    Raises RecordNotFound for a row that is not there or not open any more, and InvalidFields for a correction that
    makes no payload.
    """
    plant = await calendars.hold(connection, tenant)
    opened = await _open(connection, [each.id for each in redrives])
    door, days = Door(plant, now), BusinessDays(plant)
    corrections = [
        _correction(door, days, opened[each.id], each, f"redrives[{place}].corrections")
        for place, each in enumerate(redrives)
    ]
    await quarantine.correct(connection, corrections, actor)
    changed = {each.date for each in corrections} | {each.date for each in opened.values() if each.date}
    await dirty_days.mark(connection, tenant, sorted(changed))
    return sorted(changed)


async def ignore(connection: Connection, tenant: str, ids: Sequence[uuid.UUID], actor: Actor) -> None:
    """Leave open rows out for good; raise RecordNotFound for one that is not there or not open any more."""
    opened = await _open(connection, ids)
    await quarantine.ignore(connection, ids, actor)
    # Another row may be in order once one is gone: two that shared what must be unique.
    await dirty_days.mark(connection, tenant, sorted({each.date for each in opened.values() if each.date}))


async def _open(connection: Connection, ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, Opened]:
    opened = {each.id: each for each in await quarantine.lock(connection, ids)}
    for each in ids:
        if each not in opened:
            raise RecordNotFound(record=each)
    return opened


def _correction(door: Door, days: BusinessDays, opened: Opened, redrive: Redrive, field: str) -> Correction:
    payload = {**orjson.loads(opened.payload), **redrive.corrections}
    read = landing.read_payload(orjson.dumps(payload).decode())
    if isinstance(read, Refusal):
        raise InvalidFields([Violation(field, read.reason, f"{read.message}, once it is corrected")])
    stated_date, faults = door.look_into(read)
    return Correction(
        redrive.id,
        orjson.dumps(redrive.corrections).decode(),
        stated_date,
        orjson.dumps(faults).decode() if faults else None,
        days.of(stated_date, opened.event_time),
    )
