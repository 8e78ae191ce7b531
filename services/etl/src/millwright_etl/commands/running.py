"""Runs: ordered, cancelled, and their windows begun and ended. Each function is part of a transaction that is given.

A run is locked before its windows are, so that its counts, its sequence and how many windows run at once are exact.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from importlib import metadata

from millwright_runtime import tracing
from millwright_runtime.events.log import EventLog
from millwright_runtime.postgres.database import Connection

from millwright_etl.commands.publishing import Job
from millwright_etl.domain import planning, runs
from millwright_etl.domain.planning import Planned, Redo
from millwright_etl.domain.quality import Result
from millwright_etl.domain.runs import Happening, Kind, Run, RunState, RunWindow, WindowState
from millwright_etl.store import calendars, days, events, windows
from millwright_etl.store import runs as store
from millwright_etl.store.runs import Key

Plan = Callable[[Connection], Awaitable[Sequence[Planned]]]
"""Gives the days of a run, in the order in which they are begun."""


@dataclass(frozen=True, slots=True)
class Order:
    """The wish for a run."""

    tenant: str
    kind: Kind
    requester: str
    parallel: int = planning.MOST_PARALLEL
    pipeline: str = runs.DAILY_PRODUCTION


@dataclass(frozen=True, slots=True)
class Ending:
    """How the work on a window came to an end."""

    state: WindowState
    duration_ms: int
    reason: str = ""
    message: str = ""
    tally: runs.Tally = runs.NOTHING
    quality: Sequence[Result] = ()
    """What the quality rules found."""
    is_attempt: bool = True
    """Whether it was tried: a window that is given back because its worker leaves was not."""


class WindowLost(Exception):
    """Another worker works on the window by now; whoever had it must leave no trace."""


async def plan_due(connection: Connection, tenant: str, pipeline: str) -> Sequence[Planned]:
    """Give the days that are due."""
    plant = await calendars.read(connection, tenant)
    newest = plant.newest_over(await store.now(connection))
    return planning.due(newest, await days.read(connection, pipeline, date.min, newest))


async def plan_backfill(
    connection: Connection, pipeline: str, from_date: date, to_date: date, redo: Redo
) -> Sequence[Planned]:
    """Give the days of a range that are to be done."""
    return planning.backfill(from_date, to_date, redo, await days.read(connection, pipeline, from_date, to_date))


async def today(connection: Connection, tenant: str) -> date:
    """Give the business day that it is at the plant."""
    return (await calendars.read(connection, tenant)).business_date(await store.now(connection))


async def order(connection: Connection, log: EventLog, wish: Order, plan: Plan) -> tuple[Run, Sequence[Planned]]:
    """Order a run of the days of a plan. What is due is planned by one at a time: none orders what another one has."""
    await days.lock_plans(connection, wish.tenant)
    planned = await plan(connection)
    return await start(connection, log, wish, planned), planned


async def start(connection: Connection, log: EventLog, wish: Order, planned: Sequence[Planned]) -> Run:
    """Order a run of days, which are begun in the order given; without any it is completed at once."""
    now = await store.now(connection)
    run = Run(
        tenant=wish.tenant,
        run=uuid.uuid4(),
        pipeline=wish.pipeline,
        kind=wish.kind,
        state=RunState.PENDING if planned else RunState.COMPLETED,
        parallel=wish.parallel,
        code_version=metadata.version("millwright-etl"),
        sql_hash=windows.sql_hash(),
        requester=wish.requester,
        from_date=min((each.date for each in planned), default=None),
        to_date=max((each.date for each in planned), default=None),
        windows_total=len(planned),
        create_time=now,
        start_time=None if planned else now,
        end_time=None if planned else now,
        traceparent=tracing.origin(),
    )
    await store.insert(connection, run, planned)
    await log.append(connection, [events.of_run(run, Happening.CREATED, runs.UNKNOWN_PACE, now)])
    return run


async def cancel(connection: Connection, log: EventLog, tenant: str, run_id: uuid.UUID) -> Run:
    """Stop a run: what is being worked on ends, the rest is not begun. Raises RunNotFound; twice changes nothing."""
    run = await store.lock(connection, tenant, run_id)
    if run.state.is_terminal or run.cancel_time:
        return run
    now = await store.now(connection)
    run = run.cancelled(await store.cancel_pending(connection, run, now), now)
    return await _settle(connection, log, run, now)


async def begin_window(
    connection: Connection, log: EventLog, tenant: str, run_id: uuid.UUID, owner: uuid.UUID, lease: timedelta
) -> Job | None:
    """Take the next window of a run for a while; None if there is none to take now.

    One whose worker is gone is taken over, unless that happened too often or the run is cancelled: then it ends.
    """
    run = await store.lock(connection, tenant, run_id)
    found = await store.next_window(connection, run)
    if found is None:
        return None
    now = await store.now(connection)
    if run.cancel_time:
        await _end(connection, log, run, found, Ending(WindowState.CANCELLED, 0), now)
        return None
    if found.attempts >= runs.MOST_ATTEMPTS:
        message = f"It was begun {found.attempts} times and never ended; the log of the service says why."
        await days.fail(connection, tenant, run.pipeline, found.date, run.run)
        await _end(connection, log, run, found, Ending(WindowState.FAILED, 0, "DATABASE", message), now)
        return None
    moved, happening = found.moved(WindowState.RUNNING)
    window = replace(moved, attempts=found.attempts + 1)
    await store.begin(connection, window, owner, lease)
    run = run.begun(now)
    await store.update(connection, run)
    pace = await store.latest_pace(connection, tenant, run_id)
    await log.append(connection, [events.of_run(run, happening, pace, now, window)])
    return Job(tenant, run.pipeline, window.date, run_id, run.create_time, run.traceparent)


async def end_window(connection: Connection, log: EventLog, key: Key, owner: uuid.UUID, ending: Ending) -> Run:
    """Write how the work of `owner` on a window ended; raise WindowLost if it is not the owner's any more."""
    run = await store.lock(connection, key.tenant, key.run)
    window = await store.find_owned(connection, key, owner)
    if window is None:
        raise WindowLost
    if ending.state is WindowState.PENDING and run.cancel_time:
        ending = replace(ending, state=WindowState.CANCELLED)
    if ending.state is WindowState.FAILED:
        await days.fail(connection, key.tenant, run.pipeline, key.date, key.run)
    return await _end(connection, log, run, window, ending, await store.now(connection))


async def _end(
    connection: Connection, log: EventLog, run: Run, window: RunWindow, ending: Ending, now: datetime
) -> Run:
    moved, happening = window.moved(ending.state)
    is_released = ending.state is WindowState.PENDING
    ended = replace(
        moved,
        attempts=moved.attempts - (not ending.is_attempt),
        tally=ending.tally,
        reason=ending.reason,
        message=ending.message,
        quality=tuple(ending.quality),
        duration_ms=ending.duration_ms,
        end_time=None if is_released else now,
    )
    await store.end(connection, ended)
    run = run.released() if is_released else run.with_ended(ended)
    pace = await store.latest_pace(connection, run.tenant, run.run)
    await log.append(connection, [events.of_run(run, happening, pace, now, ended)])
    return await _settle(connection, log, run, now)


async def _settle(connection: Connection, log: EventLog, run: Run, now: datetime) -> Run:
    """Write where a run stands, and end it if nothing of it is left."""
    if ended := run.ended(now):
        run, happening = ended
        pace = await store.latest_pace(connection, run.tenant, run.run)
        await log.append(connection, [events.of_run(run, happening, pace, now)])
    await store.update(connection, run)
    return run
