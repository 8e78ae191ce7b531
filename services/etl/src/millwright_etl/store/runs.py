"""Runs and their windows. The tables `run` and `run_window`; leases are kept on the clock of the database."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

import asyncpg
from millwright_runtime.postgres.database import TENANT, Connection

from millwright_etl.domain.errors import RunNotFound
from millwright_etl.domain.planning import Planned
from millwright_etl.domain.quality import Check, Result, Severity
from millwright_etl.domain.runs import Kind, Pace, Run, RunState, RunWindow, Tally, WindowState, pace

_PACE_WINDOWS = 20
_FORGET_BATCH = 100
_DECIMALS = ("total_qty", "fact_total_qty")


class Key(NamedTuple):
    """What tells a window of a run from every other."""

    tenant: str
    run: uuid.UUID
    date: date


async def now(connection: Connection) -> datetime:
    """Give the time of the database."""
    time: datetime = await connection.fetchval("SELECT clock_timestamp()")
    return time


async def insert(connection: Connection, run: Run, planned: Sequence[Planned]) -> None:
    """Write a new run and its windows, in the order in which they are begun."""
    await connection.execute(
        _INSERT,
        run.tenant,
        run.run,
        run.pipeline,
        run.kind,
        run.state,
        run.parallel,
        run.code_version,
        run.sql_hash,
        run.requester,
        run.from_date,
        run.to_date,
        run.windows_total,
        run.create_time,
        run.start_time,
        run.end_time,
        run.sequence,
        run.traceparent,
    )
    dates, causes = [each.date for each in planned], [each.cause.value for each in planned]
    await connection.execute(_INSERT_WINDOWS, run.tenant, run.run, run.pipeline, dates, causes)


async def get(connection: Connection, run: uuid.UUID) -> Run:
    """Give a run of the transaction's tenant; raise RunNotFound."""
    row = await connection.fetchrow(_GET, run)
    if row is None:
        raise RunNotFound(run=run)
    return _run(row)


async def lock(connection: Connection, tenant: str, run: uuid.UUID) -> Run:
    """Give a run, locked until the transaction ends; raise RunNotFound."""
    row = await connection.fetchrow(_LOCK, tenant, run)
    if row is None:
        raise RunNotFound(run=run)
    return _run(row)


async def update(connection: Connection, run: Run) -> None:
    """Write where a run that is locked here stands."""
    await connection.execute(
        _UPDATE,
        run.tenant,
        run.run,
        run.state,
        run.windows_done,
        run.windows_failed,
        run.windows_cancelled,
        _written(run.tally),
        run.sequence,
        run.error,
        run.start_time,
        run.end_time,
        run.cancel_time,
    )


async def page(
    connection: Connection, state: RunState | None, before: tuple[datetime, uuid.UUID] | None, limit: int
) -> Sequence[Run]:
    """Give at most `limit` runs, newest first, older than the place `before`."""
    create_time, run = before or (None, None)
    return [_run(row) for row in await connection.fetch(_PAGE, state, create_time, run, limit)]


async def windows(
    connection: Connection, run: uuid.UUID, state: WindowState | None, after: date | None, limit: int
) -> Sequence[RunWindow]:
    """Give at most `limit` windows of a run by day, after a day."""
    return [_window(row) for row in await connection.fetch(_WINDOWS, run, state, after, limit)]


async def latest_pace(connection: Connection, tenant: str, run: uuid.UUID) -> Pace:
    """Give the pace of a run over its latest windows."""
    row = await connection.fetchrow(_PACE, tenant, run, _PACE_WINDOWS)
    return pace(row["windows"], int(row["rows"] or 0), float(row["seconds"] or 0))


async def waiting(connection: Connection, limit: int) -> Sequence[tuple[str, uuid.UUID]]:
    """Give at most `limit` runs of every tenant that have a window to begin, in the order in which they are served.

    A backfill waits for every other run, so that a long one holds up no night.
    """
    return [(row["tenant"], row["run"]) for row in await connection.fetch(_WAITING, limit)]


async def open_runs(connection: Connection, tenants: Sequence[str]) -> Sequence[tuple[str, uuid.UUID]]:
    """Give the runs of what is due, of these tenants, that have not ended."""
    return [(row["tenant"], row["run"]) for row in await connection.fetch(_OPEN, tenants)]


async def next_window(connection: Connection, run: Run) -> RunWindow | None:
    """Give the window of a locked run to begin next: one that nobody works on, of a day that no other run makes now."""
    row = await connection.fetchrow(_NEXT, run.tenant, run.run, run.pipeline, run.parallel)
    return _window(row) if row else None


async def begin(connection: Connection, window: RunWindow, owner: uuid.UUID, lease: timedelta) -> None:
    """Write that a window of a locked run is worked on, and until when its owner may."""
    await connection.execute(
        _BEGIN, window.tenant, window.run, window.date, window.state, window.attempts, owner, lease
    )


async def renew(connection: Connection, windows: Sequence[Key], owner: uuid.UUID, lease: timedelta) -> None:
    """Say that their owner still works on windows."""
    tenants, runs, dates = ([getattr(key, name) for key in windows] for name in Key._fields)
    await connection.execute(_RENEW, tenants, runs, dates, owner, lease)


async def find_owned(connection: Connection, window: Key, owner: uuid.UUID) -> RunWindow | None:
    """Give a window of a locked run if `owner` works on it; None if another one does by now."""
    row = await connection.fetchrow(_FIND_OWNED, *window, owner)
    return _window(row) if row else None


async def end(connection: Connection, window: RunWindow) -> None:
    """Write how a window of a locked run ended, or that it waits again; nobody works on it any more."""
    await connection.execute(
        _END,
        window.tenant,
        window.run,
        window.date,
        window.state,
        _written(window.tally),
        json.dumps([asdict(result) for result in window.quality]),
        window.reason,
        window.message,
        window.duration_ms,
        window.end_time,
        window.attempts,
    )


async def cancel_pending(connection: Connection, run: Run, now: datetime) -> int:
    """Cancel the windows of a locked run that are not begun; give how many."""
    return len(await connection.fetch(_CANCEL_PENDING, run.tenant, run.run, now))


async def forget(connection: Connection, age: timedelta) -> int:
    """Remove runs of every tenant that ended longer ago than `age`, a batch at a time; give how many.

    The last run of a business day stays: it tells why the day is as it is.
    """
    return len(await connection.fetch(_FORGET, age, _FORGET_BATCH))


def _run(row: asyncpg.Record) -> Run:
    values = {field.name: row[field.name] for field in fields(Run) if field.name != "tally"}
    values |= {"kind": Kind(row["kind"]), "state": RunState(row["state"]), "tally": _read(row["counts"])}
    return Run(**values)


def _window(row: asyncpg.Record) -> RunWindow:
    values = {field.name: row[field.name] for field in fields(RunWindow) if field.name != "tally"}
    quality = tuple(map(_result, json.loads(row["quality"])))
    return RunWindow(**values | {"state": WindowState(row["state"]), "tally": _read(row["counts"]), "quality": quality})


def _result(values: dict[str, Any]) -> Result:
    return Result(**values | {"check": Check(values["check"]), "severity": Severity(values["severity"])})


def _written(tally: Tally) -> str:
    values = asdict(tally)
    return json.dumps(values | {name: str(values[name]) for name in _DECIMALS})


def _read(text: str) -> Tally:
    values = json.loads(text)
    return Tally(**values | {name: Decimal(values[name]) for name in _DECIMALS if name in values})


_RUN = """tenant, run, pipeline, kind, state, parallel, code_version, sql_hash, requester, from_date, to_date,
    windows_total, windows_done, windows_failed, windows_cancelled, counts, sequence, error, create_time, start_time,
    end_time, cancel_time, traceparent"""
_WINDOW = "tenant, run, date, cause, state, counts, reason, message, quality, attempts, duration_ms, end_time"
_IS_FREE = "(state = 'PENDING' OR state = 'RUNNING' AND lease_time <= clock_timestamp())"
_INSERT = """
INSERT INTO etl.run
    (tenant, run, pipeline, kind, state, parallel, code_version, sql_hash, requester, from_date, to_date, windows_total,
     create_time, start_time, end_time, sequence, traceparent)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
"""
_INSERT_WINDOWS = """
INSERT INTO etl.run_window (tenant, run, pipeline, date, cause, place)
SELECT $1, $2, $3, date, cause, place
FROM unnest($4::date[], $5::text[]) WITH ORDINALITY AS planned (date, cause, place)
"""
_GET = f"SELECT {_RUN} FROM etl.run WHERE tenant = {TENANT} AND run = $1"
_LOCK = f"SELECT {_RUN} FROM etl.run WHERE tenant = $1 AND run = $2 FOR UPDATE"
_UPDATE = """
UPDATE etl.run
SET state = $3, windows_done = $4, windows_failed = $5, windows_cancelled = $6, counts = $7, sequence = $8, error = $9,
    start_time = $10, end_time = $11, cancel_time = $12
WHERE tenant = $1 AND run = $2
"""
_PAGE = f"""
SELECT {_RUN} FROM etl.run
WHERE tenant = {TENANT} AND ($1::text IS NULL OR state = $1)
  AND ($2::timestamptz IS NULL OR (create_time, run) < ($2, $3::uuid))
ORDER BY create_time DESC, run DESC LIMIT $4
"""
_WINDOWS = f"""
SELECT {_WINDOW} FROM etl.run_window
WHERE tenant = {TENANT} AND run = $1 AND ($2::text IS NULL OR state = $2) AND ($3::date IS NULL OR date > $3)
ORDER BY date LIMIT $4
"""
# From when the first of them was begun to when the last of them ended.
_PACE = """
SELECT count(*) AS windows, sum((counts::jsonb ->> 'rows_read')::bigint) AS rows,
       extract(epoch FROM max(end_time) - min(end_time - duration_ms * interval '1 millisecond')) AS seconds
FROM (
    SELECT counts, end_time, duration_ms FROM etl.run_window
    WHERE tenant = $1 AND run = $2 AND state IN ('PUBLISHED', 'FAILED') ORDER BY end_time DESC LIMIT $3
) AS latest
"""
_WAITING = f"""
SELECT tenant, run FROM etl.run
WHERE state IN ('PENDING', 'RUNNING') AND EXISTS (
    SELECT FROM etl.run_window WHERE tenant = run.tenant AND run_window.run = run.run AND {_IS_FREE}
)
ORDER BY kind = 'BACKFILL', create_time LIMIT $1
"""
_OPEN = """
SELECT tenant, run FROM etl.run WHERE tenant = ANY ($1) AND kind = 'DUE' AND state IN ('PENDING', 'RUNNING')
"""
_NEXT = f"""
SELECT {_WINDOW} FROM etl.run_window AS candidate
WHERE tenant = $1 AND run = $2 AND {_IS_FREE}
  AND $4 > (SELECT count(*) FROM etl.run_window
            WHERE tenant = $1 AND run = $2 AND state = 'RUNNING' AND lease_time > clock_timestamp())
  AND NOT EXISTS (
      SELECT FROM etl.run_window AS other
      WHERE other.tenant = $1 AND other.date = candidate.date AND other.pipeline = $3 AND other.run <> $2
        AND other.state = 'RUNNING' AND other.lease_time > clock_timestamp()
  )
ORDER BY place LIMIT 1
"""
_BEGIN = """
UPDATE etl.run_window SET state = $4, attempts = $5, owner = $6, lease_time = clock_timestamp() + $7::interval
WHERE tenant = $1 AND run = $2 AND date = $3
"""
_RENEW = """
UPDATE etl.run_window AS worked SET lease_time = clock_timestamp() + $5::interval
FROM unnest($1::text[], $2::uuid[], $3::date[]) AS held (tenant, run, date)
WHERE (worked.tenant, worked.run, worked.date) = (held.tenant, held.run, held.date)
  AND worked.state = 'RUNNING' AND worked.owner = $4
"""
_FIND_OWNED = f"""
SELECT {_WINDOW} FROM etl.run_window
WHERE tenant = $1 AND run = $2 AND date = $3 AND state = 'RUNNING' AND owner = $4
"""
_END = """
UPDATE etl.run_window
SET state = $4, counts = $5, quality = $6, reason = $7, message = $8, duration_ms = $9, end_time = $10, attempts = $11,
    owner = NULL, lease_time = NULL
WHERE tenant = $1 AND run = $2 AND date = $3
"""
_FORGET = """
DELETE FROM etl.run WHERE (tenant, run) IN (
    SELECT tenant, run FROM etl.run
    WHERE end_time < clock_timestamp() - $1::interval
      AND NOT EXISTS (SELECT FROM etl.day WHERE day.tenant = run.tenant AND day.run = run.run)
    LIMIT $2
) RETURNING 1
"""
_CANCEL_PENDING = """
UPDATE etl.run_window SET state = 'CANCELLED', end_time = $3 WHERE tenant = $1 AND run = $2 AND state = 'PENDING'
RETURNING 1
"""
