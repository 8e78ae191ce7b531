"""Raw rows: the newest version of each natural key, and what the older ones said."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import NamedTuple

from millwright_runtime.postgres.database import Connection

from millwright_etl.domain.landing import Row


class Landed(NamedTuple):
    """What became of rows."""

    inserted: int
    updated: int
    unchanged: int
    outdated: int
    versions: Sequence[tuple[date | None, datetime]]
    """What decides the business day, of every version that is new or was replaced."""


async def land(connection: Connection, tenant: str, rows: Sequence[Row]) -> Landed:
    """Put rows in the place of older ones of their keys; each key at most once in `rows`.

    The keys stay locked until the transaction ends; all take them in one order, and so never in a ring.
    """
    landed = await connection.fetchrow(_LAND, tenant, *_columns(rows))
    versions = list(zip(landed["stated_dates"] or (), landed["event_times"] or (), strict=True))
    inserted, updated = landed["inserted"], landed["updated"]
    left = len(rows) - inserted - updated
    unchanged = await connection.fetchval(_CONFIRM, tenant, *_columns(rows)) - inserted - updated if left else 0
    return Landed(inserted, updated, unchanged, left - unchanged, versions)


def _columns(rows: Sequence[Row]) -> Sequence[Sequence[object]]:
    return [[getattr(row, name) for row in rows] for name in _NAMES]


_NAMES = Row.__slots__
_GIVEN = """
given AS (
    SELECT source_type, source_system, record_type, external_id, payload::jsonb AS payload,
           sha256(convert_to(payload::jsonb::text || extract(epoch FROM event_time) || deleted, 'UTF8'))
               AS payload_hash,
           event_time, source_time, deleted, stated_date, faults::jsonb AS faults
    FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[], $8::timestamptz[],
                $9::boolean[], $10::date[], $11::text[])
        AS row (source_type, source_system, record_type, external_id, payload, event_time, source_time, deleted,
                stated_date, faults)
)
"""

# Insert what is new, replace what is not newer and says something else, and keep what that said. Clocks of sources tick
# in seconds: of two corrections within one tick, the later one must not be lost.
_LAND = f"""
WITH {_GIVEN}, landed AS (
    INSERT INTO core.erp_mes_data AS raw
        (tenant, source_type, source_system, record_type, external_id, payload, payload_hash, event_time, source_time,
         deleted, stated_date, faults)
    SELECT $1, source_type, source_system, record_type, external_id, payload, payload_hash, event_time,
           coalesce(source_time, clock_timestamp()), deleted, stated_date, faults
    FROM given ORDER BY source_system, record_type, external_id
    ON CONFLICT (tenant, source_system, record_type, external_id) DO UPDATE
    SET source_type = excluded.source_type, payload = excluded.payload, payload_hash = excluded.payload_hash,
        event_time = excluded.event_time, source_time = excluded.source_time, deleted = excluded.deleted,
        stated_date = excluded.stated_date, faults = excluded.faults, corrections = NULL, ignored = false,
        revision = raw.revision + 1, ingest_time = clock_timestamp()
    WHERE raw.source_time <= excluded.source_time AND raw.payload_hash <> excluded.payload_hash
    RETURNING old.tenant IS NULL AS is_new, source_system, record_type, external_id,
              new.event_time, new.stated_date, old.event_time AS old_event_time, old.stated_date AS old_stated_date,
              old.revision, old.payload, old.source_time, old.deleted, old.ingest_time
), kept AS (
    INSERT INTO core.erp_mes_data_history
        (tenant, source_system, record_type, external_id, revision, payload, event_time, source_time, deleted,
         ingest_time)
    SELECT $1, source_system, record_type, external_id, revision, payload, old_event_time, source_time, deleted,
           ingest_time
    FROM landed WHERE NOT is_new
)
SELECT count(*) FILTER (WHERE is_new) AS inserted, count(*) FILTER (WHERE NOT is_new) AS updated,
       array_agg(event_time) || array_agg(old_event_time) FILTER (WHERE NOT is_new) AS event_times,
       array_agg(stated_date) || array_agg(old_stated_date) FILTER (WHERE NOT is_new) AS stated_dates
FROM landed
"""

# Count the rows that are there as given, and note that their system has confirmed them: what it wrote in between and
# comes later is outdated.
_CONFIRM = f"""
WITH {_GIVEN}, confirmed AS (
    UPDATE core.erp_mes_data AS raw SET source_time = given.source_time FROM given
    WHERE raw.tenant = $1
      AND (raw.source_system, raw.record_type, raw.external_id)
          = (given.source_system, given.record_type, given.external_id)
      AND raw.payload_hash = given.payload_hash AND raw.source_time < given.source_time
)
SELECT count(*) FROM given JOIN core.erp_mes_data AS raw USING (source_system, record_type, external_id)
WHERE raw.tenant = $1 AND raw.payload_hash = given.payload_hash
"""
