"""Quarantined rows: read, and dealt with. Runs set them aside and release them in the pipeline's own statement."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from millwright_runtime.postgres.database import TENANT, Connection

from millwright_etl.domain.quarantine import Actor, Quarantined, State, Wanted

_FETCHED_ROWS = 20
"""At once: each may have a megabyte."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A quarantined row that is open, and the row that it is about."""

    id: uuid.UUID
    date: date | None
    payload: str
    """With what was corrected before, JSON."""
    event_time: datetime


@dataclass(frozen=True, slots=True)
class Correction:
    """What a row is after people have mended it."""

    id: uuid.UUID
    corrections: str
    """Laid over the payload, JSON."""
    stated_date: date | None
    faults: str | None
    date: date
    """The business day that it belongs to now."""


async def page(
    connection: Connection, wanted: Wanted, before: uuid.UUID | None, limit: int, enough_bytes: int
) -> Sequence[Quarantined]:
    """Give at most `limit` rows, the newest first, those before the row `before`.

    Rows are as large as their payloads: it ends with the one by which they have more than `enough_bytes` together.
    """
    values = (wanted.state, wanted.from_date, wanted.to_date, wanted.code, before, limit)
    found: list[Quarantined] = []
    taken = 0
    async for row in connection.cursor(_PAGE, *values, prefetch=_FETCHED_ROWS):
        found.append(_quarantined(row))
        taken += len(row["payload"])
        if taken > enough_bytes:
            break
    return found


async def find(connection: Connection, ids: Sequence[uuid.UUID]) -> Sequence[Quarantined]:
    """Give rows by their ids, in the order of the ids."""
    found = {row["quarantined"]: _quarantined(row) for row in await connection.fetch(_FIND, ids)}
    return [found[each] for each in ids if each in found]


async def lock(connection: Connection, ids: Sequence[uuid.UUID]) -> Sequence[Opened]:
    """Give those of the rows that are open, and of which there is no newer revision; they stay so until the end.

    The rows that they are about are locked in the order of their keys, as landing does.
    """
    return [Opened(*row) for row in await connection.fetch(_LOCK, ids)]


async def correct(connection: Connection, corrections: Sequence[Correction], actor: Actor) -> None:
    """Lay corrections over rows, and note in quarantine what was corrected, and by whom. The rows are locked."""
    columns = [[getattr(each, name) for each in corrections] for name in Correction.__slots__]
    await connection.execute(_CORRECT, *columns)
    await connection.execute(_NOTE_CORRECTIONS, *columns, actor.subject, actor.note)


async def ignore(connection: Connection, ids: Sequence[uuid.UUID], actor: Actor) -> None:
    """Leave rows out for good. The rows are locked."""
    await connection.execute(_IGNORE, ids)
    await connection.execute(_NOTE_IGNORED, ids, actor.subject, actor.note)


def _quarantined(row: Any) -> Quarantined:
    values = dict(row)
    return Quarantined(
        id=values.pop("quarantined"),
        reasons=json.loads(values.pop("reasons")),
        corrections=json.loads(values.pop("corrections") or "{}"),
        state=State(values.pop("state")),
        **values,
    )


_SELECT = f"""
SELECT quarantined, kept.date, raw.source_type, kept.source_system, kept.record_type, kept.external_id,
       CASE WHEN raw.revision = kept.revision THEN raw.payload ELSE older.payload END AS payload,
       CASE WHEN raw.revision = kept.revision THEN raw.event_time ELSE older.event_time END AS event_time,
       CASE WHEN raw.revision = kept.revision THEN raw.source_time ELSE older.source_time END AS source_time,
       reasons, state, kept.corrections, note, actor, run, create_time, update_time
FROM etl.quarantine AS kept
JOIN core.erp_mes_data AS raw USING (tenant, source_system, record_type, external_id)
LEFT JOIN core.erp_mes_data_history AS older
    ON older.tenant = kept.tenant AND older.source_system = kept.source_system
    AND older.record_type = kept.record_type AND older.external_id = kept.external_id
    AND older.revision = kept.revision
WHERE kept.tenant = {TENANT}
"""
_PAGE = f"""
{_SELECT} AND state = $1 AND ($2::date IS NULL OR kept.date >= $2) AND ($3::date IS NULL OR kept.date <= $3)
  AND ($4 = '' OR reasons @> jsonb_build_array(jsonb_build_object('code', $4::text)))
  AND ($5::uuid IS NULL OR quarantined < $5)
ORDER BY quarantined DESC LIMIT $6
"""
_FIND = f"{_SELECT} AND quarantined = ANY ($1::uuid[])"
_LOCK = f"""
SELECT quarantined, kept.date, coalesce(raw.payload || raw.corrections, raw.payload), raw.event_time
FROM etl.quarantine AS kept
JOIN core.erp_mes_data AS raw USING (tenant, source_system, record_type, external_id, revision)
WHERE kept.tenant = {TENANT} AND quarantined = ANY ($1::uuid[]) AND state = 'OPEN'
ORDER BY source_system, record_type, external_id FOR UPDATE
"""
_GIVEN = "unnest($1::uuid[], $2::text[], $3::date[], $4::text[], $5::date[])"
_CORRECT = f"""
UPDATE core.erp_mes_data AS raw
SET corrections = coalesce(raw.corrections, '{{}}') || given.corrections::jsonb, stated_date = given.stated_date,
    faults = given.faults::jsonb
FROM etl.quarantine AS kept
JOIN {_GIVEN} AS given (quarantined, corrections, stated_date, faults, date) USING (quarantined)
WHERE kept.tenant = {TENANT} AND raw.tenant = kept.tenant
  AND (raw.source_system, raw.record_type, raw.external_id)
      = (kept.source_system, kept.record_type, kept.external_id)
"""
_NOTE_CORRECTIONS = f"""
UPDATE etl.quarantine AS kept
SET corrections = coalesce(kept.corrections, '{{}}') || given.corrections::jsonb, date = given.date, actor = $6,
    note = $7, update_time = clock_timestamp()
FROM {_GIVEN} AS given (quarantined, corrections, stated_date, faults, date)
WHERE kept.tenant = {TENANT} AND kept.quarantined = given.quarantined
"""
_IGNORE = f"""
UPDATE core.erp_mes_data AS raw SET ignored = true
FROM etl.quarantine AS kept
WHERE kept.tenant = {TENANT} AND kept.quarantined = ANY ($1::uuid[]) AND raw.tenant = kept.tenant
  AND (raw.source_system, raw.record_type, raw.external_id)
      = (kept.source_system, kept.record_type, kept.external_id)
"""
_NOTE_IGNORED = f"""
UPDATE etl.quarantine SET state = 'IGNORED', actor = $2, note = $3, update_time = clock_timestamp()
WHERE tenant = {TENANT} AND quarantined = ANY ($1::uuid[])
"""
