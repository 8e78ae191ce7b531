"""Replaying: what callers can make happen to a replay."""

from __future__ import annotations

import uuid
from datetime import datetime

from millwright_runtime.events.log import Event, EventLog
from millwright_runtime.postgres.database import Connection

from millwright_judgment.domain.errors import TooManyReplays
from millwright_judgment.domain.replays.replay import OPEN_REPLAYS, Order, Progress, Replay, Step
from millwright_judgment.store import events
from millwright_judgment.store import replays as store


async def create(
    connection: Connection, log: EventLog, tenant: str, order: Order, total: int, creator: str, now: datetime
) -> Replay:
    """Make a replay, which waits for its turn; raise TooManyReplays."""
    count = await store.hold_open(connection, tenant)
    if count >= OPEN_REPLAYS:
        raise TooManyReplays(count=count, limit=OPEN_REPLAYS)
    replay = Replay(uuid.uuid4(), order, Step.CREATE.to_state, Progress(total), "", creator, 1, now)
    await store.insert(connection, tenant, replay)
    await log.append(connection, [_event(tenant, replay, now)])
    return replay


async def cancel(connection: Connection, log: EventLog, tenant: str, replay: uuid.UUID, now: datetime) -> Replay:
    """Stop a replay: whoever works on it can write nothing any more. One that has ended stays as it is."""
    found = await store.get(connection, replay, lock=True)
    ended = await store.cancel(connection, replay)
    if ended is None:
        return found
    await store.clear(connection, replay)
    await log.append(connection, [_event(tenant, ended, now)])
    return ended


def _event(tenant: str, replay: Replay, now: datetime) -> Event:
    return events.of_replay(
        tenant,
        replay.replay,
        replay.sequence,
        replay.state,
        replay.progress,
        create_time=replay.create_time,
        event_time=now,
        error=replay.error,
    )
