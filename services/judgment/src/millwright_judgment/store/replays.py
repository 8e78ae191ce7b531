"""Replays, what is counted of them, and what differs, in Postgres.

Who works on a replay owns it until its lease runs out on the database's clock; every write names the owner, so that one
who was taken for dead writes nothing. Each statement that writes a state names the states that its step leads from
(`REPLAY_TRANSITIONS`): a replay that has ended stays as it is.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import orjson
from millwright_runtime.postgres.database import TENANT, Connection

from millwright_judgment.domain.difference.comparison import Change
from millwright_judgment.domain.errors import ReplayNotFound
from millwright_judgment.domain.replays.comparing import Difference, Differences, Move
from millwright_judgment.domain.replays.replay import KEPT, Order, Progress, Replay, ReplayState, Step
from millwright_judgment.domain.replays.tally import Tally

LEASE = timedelta(seconds=10)
_FORGET_BATCH = 10


@dataclass(frozen=True, slots=True)
class Claim:
    """A replay that is ours until its lease runs out."""

    tenant: str
    owner: uuid.UUID
    replay: Replay
    is_first: bool
    """Nobody had begun with it."""


@dataclass(frozen=True, slots=True)
class DifferenceFilter:
    """Which differences; None for all."""

    target: int
    change: int | None = None
    cause: int | None = None
    from_outcome: str | None = None
    to_outcome: str | None = None


async def hold_open(connection: Connection, tenant: str) -> int:
    """Keep others of the tenant from making replays until the transaction ends; give how many have not ended."""
    await connection.execute("SELECT pg_advisory_xact_lock(7416, hashtext($1))", tenant)
    count: int = await connection.fetchval(_COUNT_OPEN)
    return count


async def insert(connection: Connection, tenant: str, replay: Replay) -> None:
    """Write a replay that waits for its turn."""
    await connection.execute(
        _INSERT,
        tenant,
        replay.replay,
        replay.order.ruleset,
        _text(replay.order.to_json()),
        replay.state.value,
        _text(asdict(replay.progress)),
        replay.creator,
        replay.sequence,
        replay.create_time,
        bytes.fromhex(replay.order.selection.content) or None,
    )


async def get(connection: Connection, replay: uuid.UUID, *, lock: bool = False) -> Replay:
    """Give a replay, locked if asked; raise ReplayNotFound."""
    row = await connection.fetchrow(_GET_LOCKED if lock else _GET, replay)
    if row is None:
        raise ReplayNotFound(replay=replay)
    return _replay(row)


async def page(
    connection: Connection, ruleset: str | None, before: tuple[datetime, uuid.UUID] | None, limit: int
) -> Sequence[Replay]:
    """Give at most `limit` replays, newest first, before a position."""
    create_time, replay = before or (None, None)
    return [_replay(row) for row in await connection.fetch(_PAGE, ruleset, create_time, replay, limit)]


async def claim(connection: Connection, owner: uuid.UUID) -> Claim | None:
    """Take the replay, of any tenant, that nobody owns and that has waited longest; None if there is none."""
    row = await connection.fetchrow(_CLAIM, owner, LEASE, Step.CLAIM.to_state)
    if row is None:
        return None
    return Claim(row["tenant"], owner, _replay(row), is_first=row["former_state"] == ReplayState.PENDING)


async def renew(connection: Connection, claimed: Claim) -> bool:
    """Make the lease longer; give whether it is ours still."""
    return await connection.fetchval(_RENEW, claimed.replay.replay, claimed.owner, LEASE) is not None


async def let_go(connection: Connection, claimed: Claim) -> None:
    """Let another take it at once."""
    await connection.execute(_RENEW, claimed.replay.replay, claimed.owner, timedelta(0))


async def advance(
    connection: Connection, claimed: Claim, progress: Progress, step: Step, *, events: int, error: str = ""
) -> int | None:
    """Write how far it is and where a step leads, and count `events` more; give the newest sequence.

    None if it is not ours any more, or was cancelled. Who gets a sequence holds the row until the transaction ends.
    """
    sequence: int | None = await connection.fetchval(
        _ADVANCE,
        claimed.replay.replay,
        claimed.owner,
        LEASE,
        _text(asdict(progress)),
        events,
        step.to_state,
        error,
        step.to_state.is_terminal,
        step.from_states,
    )
    return sequence


async def cancel(connection: Connection, replay: uuid.UUID) -> Replay | None:
    """Cancel a replay, which nobody owns any more; None if it has ended."""
    step = Step.CANCEL
    row = await connection.fetchrow(_CANCEL, replay, step.to_state, step.from_states)
    return _replay(row) if row else None


async def write_tally(connection: Connection, claimed: Claim, tally: Tally) -> None:
    """Write what is counted so far."""
    await connection.execute(_WRITE_TALLY, claimed.tenant, claimed.replay.replay, _text(tally.to_json()))


async def read_tally(connection: Connection, replay: uuid.UUID) -> Tally | None:
    """Give what is counted so far; None before the first page."""
    text = await connection.fetchval(_READ_TALLY, replay)
    return Tally.from_json(orjson.loads(text)) if text else None


async def insert_differences(connection: Connection, claimed: Claim, found: Sequence[Differences]) -> None:
    """Write what differs."""
    for each in found:
        await connection.execute(
            _INSERT_DIFFERENCES,
            claimed.tenant,
            claimed.replay.replay,
            each.target,
            each.executions,
            each.move.tolist(),
            each.cause.tolist(),
            *map(list, zip(*each.moves, strict=True)),
        )


async def page_of_differences(
    connection: Connection, replay: uuid.UUID, wanted: DifferenceFilter, after: str, limit: int
) -> Sequence[Difference]:
    """Give at most `limit` differences in the order of their ids, after one."""
    rows = await connection.fetch(
        _PAGE_OF_DIFFERENCES,
        replay,
        wanted.target,
        after,
        wanted.change,
        wanted.cause,
        wanted.from_outcome,
        wanted.to_outcome,
        limit,
    )
    return [Difference(execution, Move(Change(change), *move), cause) for execution, cause, change, *move in rows]


async def clear(connection: Connection, replay: uuid.UUID) -> None:
    """Remove what was counted and what differs: there is no report."""
    await connection.execute(_CLEAR_DIFFERENCES, replay)
    await connection.execute(_CLEAR_TALLY, replay)


async def forget(connection: Connection) -> int:
    """Remove replays, of any tenant, that are no longer kept, a few at a time; give how many."""
    return len(await connection.fetch(_FORGET, KEPT, _FORGET_BATCH))


def _replay(row: asyncpg.Record) -> Replay:
    return Replay(
        replay=row["replay"],
        order=Order.from_json(orjson.loads(row["request"])),
        state=ReplayState(row["state"]),
        progress=Progress(**orjson.loads(row["progress"])),
        error=row["error"],
        creator=row["creator"],
        sequence=row["sequence"],
        create_time=row["create_time"],
        start_time=row["start_time"],
        end_time=row["end_time"],
    )


def _text(value: Any) -> str:
    return orjson.dumps(value).decode()


_COLUMNS = "replay, request, state, progress, error, creator, sequence, create_time, start_time, end_time"
_OPEN = "state IN ({})".format(", ".join(f"'{state}'" for state in Step.CLAIM.from_states))
"""As literals, so that the index of what has not ended is used."""
_COUNT_OPEN = f"SELECT count(*) FROM judgment.replay WHERE tenant = {TENANT} AND {_OPEN}"
_INSERT = """
INSERT INTO judgment.replay
    (tenant, replay, ruleset, request, state, progress, creator, sequence, create_time, content)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
"""
_GET = f"SELECT {_COLUMNS} FROM judgment.replay WHERE tenant = {TENANT} AND replay = $1"
_GET_LOCKED = f"{_GET} FOR UPDATE"
_PAGE = f"""
SELECT {_COLUMNS} FROM judgment.replay
WHERE tenant = {TENANT} AND ($1::text IS NULL OR ruleset = $1)
  AND ($2::timestamptz IS NULL OR (create_time, replay) < ($2, $3::uuid))
ORDER BY create_time DESC, replay DESC LIMIT $4
"""
_CLAIM = f"""
WITH found AS (
    SELECT tenant, replay, state AS former_state FROM judgment.replay
    WHERE {_OPEN} AND (lease_time IS NULL OR lease_time <= clock_timestamp())
    ORDER BY coalesce(lease_time, create_time) LIMIT 1 FOR UPDATE SKIP LOCKED
)
UPDATE judgment.replay AS replay
SET owner = $1, lease_time = clock_timestamp() + $2::interval, state = $3,
    start_time = coalesce(start_time, clock_timestamp()),
    sequence = sequence + (CASE former_state WHEN 'PENDING' THEN 1 ELSE 0 END)
FROM found WHERE (replay.tenant, replay.replay) = (found.tenant, found.replay)
RETURNING replay.tenant, former_state, {", ".join(f"replay.{name}" for name in _COLUMNS.split(", "))}
"""
_RENEW = f"""
UPDATE judgment.replay SET lease_time = clock_timestamp() + $3::interval
WHERE tenant = {TENANT} AND replay = $1 AND owner = $2 AND state = 'RUNNING' RETURNING true
"""
_ADVANCE = f"""
UPDATE judgment.replay
SET lease_time = clock_timestamp() + $3::interval, progress = $4, sequence = sequence + $5, state = $6, error = $7,
    owner = CASE WHEN $8::boolean THEN NULL ELSE owner END,
    end_time = CASE WHEN $8 THEN clock_timestamp() END
WHERE tenant = {TENANT} AND replay = $1 AND owner = $2 AND state = ANY ($9::text[]) RETURNING sequence
"""
_CANCEL = f"""
UPDATE judgment.replay SET state = $2, sequence = sequence + 1, owner = NULL, end_time = clock_timestamp()
WHERE tenant = {TENANT} AND replay = $1 AND state = ANY ($3::text[]) RETURNING {_COLUMNS}
"""
_WRITE_TALLY = """
INSERT INTO judgment.replay_tally (tenant, replay, tally) VALUES ($1, $2, $3)
ON CONFLICT (tenant, replay) DO UPDATE SET tally = excluded.tally
"""
_READ_TALLY = f"SELECT tally FROM judgment.replay_tally WHERE tenant = {TENANT} AND replay = $1"
_INSERT_DIFFERENCES = """
INSERT INTO judgment.replay_difference
    (tenant, replay, target, execution, cause, change, from_outcome, to_outcome, from_rule, to_rule)
SELECT $1, $2, $3, execution, cause, ($7::smallint[])[move + 1], ($8::text[])[move + 1], ($9::text[])[move + 1],
       ($10::text[])[move + 1], ($11::text[])[move + 1]
FROM unnest($4::text[], $5::smallint[], $6::integer[]) AS found (execution, move, cause)
"""
_PAGE_OF_DIFFERENCES = f"""
SELECT execution, cause, change, from_outcome, to_outcome, from_rule, to_rule FROM judgment.replay_difference
WHERE tenant = {TENANT} AND replay = $1 AND target = $2 AND execution > $3
  AND ($4::smallint IS NULL OR change = $4) AND ($5::integer IS NULL OR cause = $5)
  AND ($6::text IS NULL OR from_outcome = $6) AND ($7::text IS NULL OR to_outcome = $7)
ORDER BY execution LIMIT $8
"""
_CLEAR_DIFFERENCES = f"DELETE FROM judgment.replay_difference WHERE tenant = {TENANT} AND replay = $1"
_CLEAR_TALLY = f"DELETE FROM judgment.replay_tally WHERE tenant = {TENANT} AND replay = $1"
_FORGET = """
DELETE FROM judgment.replay WHERE ctid = ANY (ARRAY (
    SELECT ctid FROM judgment.replay WHERE end_time < clock_timestamp() - $1::interval LIMIT $2
)) RETURNING 1
"""
