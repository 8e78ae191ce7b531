"""Working on runs: takes windows of every tenant and publishes them, several at once, on each replica.

A window belongs to whoever took it, for as long as the lease is renewed. A worker that is killed lets its lease run out
on the database's clock, and another one begins the window anew: what was not committed has not happened. A worker that
was frozen finds, in the transaction that publishes, that the window is not its own any more, and commits nothing.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Sequence
from datetime import timedelta

import asyncpg
from millwright_runtime import mistakes, tracing
from millwright_runtime.concurrency.patience import to_the_end
from millwright_runtime.events.log import EventLog
from millwright_runtime.events.signals import Draining
from millwright_runtime.postgres.database import ALL_TENANTS, is_away
from millwright_runtime.service import Platform
from prometheus_client import Counter, Histogram

from millwright_etl.commands import publishing, running
from millwright_etl.commands.publishing import Job, Limits, WindowRefused
from millwright_etl.commands.running import Ending, WindowLost
from millwright_etl.domain import names
from millwright_etl.domain.runs import WindowState
from millwright_etl.settings import EtlSettings
from millwright_etl.store import runs as store
from millwright_etl.store.runs import Key

WORK = "runs"
"""The signal that there is a window to work on."""
_LOOK_SECONDS = 1.0
_RETRY_SECONDS = 1.0
_RUNS_AT_ONCE = 20
_RENEWALS = 3
"""How often a lease is renewed before it would run out."""

WINDOWS = Counter("millwright_etl_windows_total", "Business days that were worked on, by how that ended.", ["end"])
for _end in ("published", "failed", "released"):
    WINDOWS.labels(_end)  # from the first look on: what begins at 1 has not risen
WINDOW_SECONDS = Histogram(
    "millwright_etl_window_seconds",
    "From taking a business day to its publication.",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
)
ROWS = Counter("millwright_etl_rows_total", "Rows of days that were published, by what became of them.", ["fate"])
_log = logging.getLogger(__name__)


class Worker:
    """Works on the windows of runs, `settings.windows_at_once` at once."""

    name = "runs"

    def __init__(self, platform: Platform, log: EventLog, settings: EtlSettings) -> None:
        self._platform = platform
        self._log = log
        self._at_once = settings.windows_at_once
        self._lease = timedelta(seconds=settings.window_lease_seconds)
        self._limits = Limits(settings.window_seconds, settings.window_memory_megabytes)
        self._owner = uuid.uuid4()
        self._held: set[Key] = set()
        self._is_leaving = False
        self._is_idle = asyncio.Event()
        self._is_idle.set()

    async def run(self) -> None:
        """Work until cancelled, or until drained: then no window is taken any more, and those in hand end."""
        self._is_idle.clear()
        try:
            async with asyncio.TaskGroup() as group:
                renewing = group.create_task(self._renew())
                slots = [group.create_task(self._work()) for _ in range(self._at_once)]
                await asyncio.wait(slots)
                renewing.cancel()
        finally:
            self._is_idle.set()
        raise Draining

    async def drain(self) -> None:
        """Take no window any more, and wait until those in hand have ended."""
        self._is_leaving = True
        self._platform.signals.notify(WORK)
        await self._is_idle.wait()

    async def run_once(self) -> bool:
        """Take one window, if there is one, and work on it to its end; tell whether there was one."""
        for tenant, run in await self._waiting():
            async with self._platform.database.transaction(tenant) as connection:
                job = await running.begin_window(connection, self._log, tenant, run, self._owner, self._lease)
            self._platform.committed(tenant, names.run(run))
            if job:
                await self._attend(job)
                return True
        return False

    async def _work(self) -> None:
        with self._platform.signals.listen(WORK) as listener:
            while not self._is_leaving:
                try:
                    worked = await self.run_once()
                except Exception as error:
                    if not is_away(error):
                        raise
                    _log.warning("a worker waits for the database", extra={"fault": repr(error)})
                    worked = False
                    await asyncio.sleep(_RETRY_SECONDS)
                if not worked:
                    try:
                        await listener.wait(_LOOK_SECONDS)
                    except Draining:
                        return

    async def _waiting(self) -> Sequence[tuple[str, uuid.UUID]]:
        async with self._platform.database.snapshot(ALL_TENANTS) as connection:
            return await store.waiting(connection, _RUNS_AT_ONCE)

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(self._lease.total_seconds() / _RENEWALS)
            if not self._held:
                continue
            try:
                async with self._platform.database.transaction(ALL_TENANTS) as connection:
                    await store.renew(connection, list(self._held), self._owner, self._lease)
            except Exception as error:  # noqa: BLE001 - the next renewal may be in time
                _log.warning("a lease could not be renewed", extra={"fault": repr(error)})

    async def _attend(self, job: Job) -> None:
        """Work on a window that was taken, and write how that ended; it is never left in hand."""
        key, began = Key(job.tenant, job.run, job.date), time.monotonic()
        self._held.add(key)
        try:
            with tracing.working("window", job.traceparent):
                await self._publish(job, key, began)
        except WindowLost:
            _log.warning("a window was taken over by another worker", extra={"window": str(key)})
        except asyncio.CancelledError:
            await to_the_end(self._release(key, began, is_attempt=False))
            raise
        except Exception as error:
            if not is_away(error):
                raise
            _log.warning("a window is begun anew", extra={"window": str(key), "fault": repr(error)})
            await self._release(key, began, is_attempt=True)
        finally:
            self._held.discard(key)
            self._platform.committed(job.tenant, names.run(job.run))
            self._platform.signals.notify(WORK)

    async def _publish(self, job: Job, key: Key, began: float) -> None:
        """Make the facts of a window and publish them, or write why they are not."""
        try:
            await self._make_room(job, began)
            async with self._platform.database.transaction(job.tenant) as connection:
                made = await publishing.publish(connection, job, self._limits)
                ending = Ending(WindowState.PUBLISHED, _elapsed_ms(began), tally=made.tally, quality=made.quality)
                await running.end_window(connection, self._log, key, self._owner, ending)
            _count(ending)
        except WindowRefused as refused:
            await self._refuse(job, key, began, refused)
        except (asyncpg.QueryCanceledError, asyncpg.LockNotAvailableError):
            message = f"It took longer than {self._limits.seconds:g} s (WINDOW_SECONDS)."
            await self._end(key, Ending(WindowState.FAILED, _elapsed_ms(began), "DATABASE", message))
        except WindowLost:
            raise
        except Exception as error:
            if is_away(error):
                raise
            mistake = mistakes.record(_log, "a window failed", error, window=str(key))
            await self._end(key, Ending(WindowState.FAILED, _elapsed_ms(began), mistake.reason, str(mistake)))

    async def _make_room(self, job: Job, began: float) -> None:
        """Make room for the facts of a day, and wait for whoever is in the way: that is no attempt at the window."""
        while True:
            try:
                async with self._platform.database.transaction(job.tenant) as connection:
                    await publishing.prepare(connection, job)
            except asyncpg.LockNotAvailableError:
                if time.monotonic() - began > self._limits.seconds:
                    raise
                _log.info("a window waits for its month: its dimensions are in use", extra={"window": str(job)})
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                return

    async def _refuse(self, job: Job, key: Key, began: float, refused: WindowRefused) -> None:
        """Set aside what is wrong with the rows of a window that is not published, and write why it is not."""
        reason, message = refused.refusal.reason, refused.refusal.message
        async with self._platform.database.transaction(job.tenant) as connection:
            await publishing.set_aside(connection, job, self._limits)
            ending = Ending(
                WindowState.FAILED, _elapsed_ms(began), reason, message, refused.tally, quality=refused.quality
            )
            await running.end_window(connection, self._log, key, self._owner, ending)
        _count(ending)

    async def _end(self, key: Key, ending: Ending) -> None:
        async with self._platform.database.transaction(key.tenant) as connection:
            await running.end_window(connection, self._log, key, self._owner, ending)
        _count(ending)

    async def _release(self, key: Key, began: float, *, is_attempt: bool) -> None:
        """Give a window back, so that another worker need not wait for the lease to run out.

        Is the database gone, then that was an attempt: the window may be what ends it.
        """
        try:
            await self._end(key, Ending(WindowState.PENDING, _elapsed_ms(began), is_attempt=is_attempt))
        except Exception as error:  # noqa: BLE001 - the lease runs out
            _log.warning("a window could not be given back", extra={"window": str(key), "fault": repr(error)})


def _count(ending: Ending) -> None:
    """Count how the work on a window ended; a window that waits again was given back."""
    WINDOWS.labels("released" if ending.state is WindowState.PENDING else ending.state.lower()).inc()
    if ending.state is WindowState.PUBLISHED:
        WINDOW_SECONDS.observe(ending.duration_ms / 1000)
        for fate in ("used", "quarantined", "superseded"):
            ROWS.labels(fate).inc(getattr(ending.tally, f"rows_{fate}"))


def _elapsed_ms(began: float) -> int:
    return round((time.monotonic() - began) * 1000)
