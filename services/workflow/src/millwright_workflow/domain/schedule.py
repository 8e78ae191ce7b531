"""Schedules: when a workflow starts by itself.

Owns the arithmetic of `every`, `cron` and `after`, and what `on` subscribes to. Reads no clock and starts nothing.

The DSL says nothing of time zones. Cron expressions here count in UTC unless the caller gives a zone; then they keep
to the wall clock of that zone the way Debian's cron does (a fixed time that a clock change skips runs right after it,
one that comes twice runs once). Intervals are lengths of time and know no zone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import islice
from math import floor

from cronsim import CronSim
from millwright_runtime.json import Json

from millwright_workflow.domain.definition import Duration
from millwright_workflow.domain.definition.workflow import Schedule
from millwright_workflow.domain.interpreter.gathering import Gathering
from millwright_workflow.domain.interpreter.subscription import Subscription
from millwright_workflow.domain.interpreter.wants import plan_until, plan_wants


@dataclass(frozen=True, slots=True)
class Trigger:
    """What `on` waits for."""

    subscription: Subscription
    """Kept by the engine for as long as the schedule stands; each delivery goes into one queue."""
    gathering: Gathering
    """Takes the deliveries, in their order. Complete, the events it took, whole, are the input of a new instance,
    and another gathering begins."""
    until: Json
    """The template of an `until` that is an expression: asked after each event taken, on the list of those taken, with
    no variables, whether the gathering is complete. None where the gathering itself says."""


def next_start(
    schedule: Schedule,
    after: datetime,
    begun: datetime,
    last_end: datetime | None = None,
    *,
    is_running: bool = False,
    zone: tzinfo = UTC,
) -> datetime | None:
    """Give when the next instance starts, in UTC; None where that is not for a clock to say.

    All times are aware. `begun` is when the schedule came into force: `every` counts from it, whatever happens to the
    instances, and leaves out what was missed. `cron` and `every` give a time later than `after`. `after` starts the
    first instance at `begun` and each other the delay after `last_end`, so it may give a time that has passed; nothing
    while one `is_running`. `on` gives nothing, and so does a cron expression that never comes true again. Of a
    schedule that has several, the earliest counts.
    """
    times: list[datetime] = []
    if schedule.cron is not None:
        times += islice(CronSim(schedule.cron, after.astimezone(zone)), 1)
    if isinstance(schedule.every, Duration):
        interval = timedelta(seconds=schedule.every.seconds)
        times.append(begun + max(1, floor((after - begun) / interval) + 1) * interval)
    if isinstance(schedule.after, Duration) and not is_running:
        times.append(begun if last_end is None else last_end + timedelta(seconds=schedule.after.seconds))
    return min(times).astimezone(UTC) if times else None


def plan_trigger(schedule: Schedule) -> Trigger | None:
    """Prepare `on`, which may be absent. Its expressions know nothing but the event."""
    if schedule.on is None:
        return None
    wants = plan_wants(schedule.on)
    until = plan_until(schedule.on)
    return Trigger(wants.subscribe_schedule("/schedule/on"), Gathering(wants.strategy), until.value if until else None)
