"""What became of the rows of a stream so far, whichever connections they came over; it goes when the stream goes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from millwright_runtime.json import Json
from millwright_runtime.postgres.database import Connection

from millwright_etl.domain.landing import Counts

MOST_REFUSALS = 1000


class Report(NamedTuple):
    """How many rows became what, and the first of those that were refused."""

    counts: Counts
    refusals: Sequence[Mapping[str, Any]]


async def add(
    connection: Connection, tenant: str, stream: str, counts: Counts, refusals: Iterable[Mapping[str, Json]]
) -> Counts:
    """Add what became of rows, in their transaction; give how many of the whole stream became what."""
    told = json.dumps(list(islice(refusals, MOST_REFUSALS)))
    return Counts(*await connection.fetchrow(_ADD, tenant, stream, *counts, told))


async def read(connection: Connection, tenant: str, stream: str) -> Report:
    """Give what became of the rows of a stream."""
    found = await connection.fetchrow(_READ, tenant, stream)
    if found is None:
        return Report(Counts(), [])
    *counts, refusals = found
    return Report(Counts(*counts), json.loads(refusals))


# What is full is left as it is, so that its bytes are not written again with each batch.
_ADD = f"""
INSERT INTO core.ingest_report AS report
    (tenant, stream_id, inserted, updated, unchanged, outdated, refused, refusals)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8::jsonb)
ON CONFLICT (tenant, stream_id) DO UPDATE
SET inserted = report.inserted + excluded.inserted, updated = report.updated + excluded.updated,
    unchanged = report.unchanged + excluded.unchanged, outdated = report.outdated + excluded.outdated,
    refused = report.refused + excluded.refused,
    refusals = CASE WHEN excluded.refused = 0 OR report.refused >= {MOST_REFUSALS} THEN report.refusals
               ELSE jsonb_path_query_array(report.refusals || excluded.refusals, '$[0 to {MOST_REFUSALS - 1}]') END
RETURNING inserted, updated, unchanged, outdated, refused
"""
_READ = """
SELECT inserted, updated, unchanged, outdated, refused, refusals::text FROM core.ingest_report
WHERE tenant = $1 AND stream_id = $2
"""
