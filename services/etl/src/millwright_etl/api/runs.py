"""Runs and their windows as messages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from google.protobuf import json_format
from millwright.etl.v1 import run_pb2 as pb
from millwright_runtime.api import messages
from millwright_runtime.events.log import LoggedEvent

from millwright_etl.api import quality_rules
from millwright_etl.domain import names
from millwright_etl.domain.planning import Planned
from millwright_etl.domain.runs import UNKNOWN_PACE, Kind, Pace, Run, RunState, RunWindow, Tally, WindowState

RUN_STATES = {getattr(pb.Run, f"STATE_{state}"): state for state in RunState}
WINDOW_STATES = {getattr(pb.Window, f"STATE_{state}"): state for state in WindowState}


def run(value: Run, pace: Pace = UNKNOWN_PACE) -> pb.Run:
    """Give a run as callers have it."""
    return pb.Run(
        name=names.run(value.run),
        kind=getattr(pb.Run, f"KIND_{value.kind}"),
        pipeline=value.pipeline,
        state=getattr(pb.Run, f"STATE_{value.state}"),
        from_date=_day(value.from_date),
        to_date=_day(value.to_date),
        progress=pb.RunProgress(
            windows_total=value.windows_total,
            windows_done=value.windows_done,
            percent=value.percent,
            rate=pace.rows_a_second,
            seconds_left=pace.seconds_left(value),
        ),
        counts=_counts(value.tally),
        as_of_time=messages.timestamp(value.create_time),
        code_version=value.code_version,
        sql_hash=value.sql_hash,
        requester=value.requester,
        create_time=messages.timestamp(value.create_time),
        start_time=messages.timestamp(value.start_time),
        end_time=messages.timestamp(value.end_time),
        error=value.error,
    )


def window(value: RunWindow) -> pb.Window:
    """Give a window as callers have it."""
    return pb.Window(
        name=names.window(value.run, value.date),
        date=value.date.isoformat(),
        cause=value.cause,
        state=getattr(pb.Window, f"STATE_{value.state}"),
        counts=_counts(value.tally),
        reason=value.reason,
        message=value.message,
        quality=map(quality_rules.result, value.quality),
        attempts=value.attempts,
        duration_ms=value.duration_ms,
        end_time=messages.timestamp(value.end_time),
    )


def planned(day: Planned, of: Run | None = None) -> pb.Window:
    """Give a day of a plan as callers have it, of a run if it is one by now."""
    name = names.window(of.run, day.date) if of else ""
    return pb.Window(name=name, date=day.date.isoformat(), cause=day.cause, state=pb.Window.STATE_PENDING)


def preview(pipeline: str, kind: Kind, days: Sequence[Planned]) -> pb.Run:
    """Give the run that a plan would be; it has no name."""
    progress = pb.RunProgress(windows_total=len(days))
    dates = [day.date for day in days]
    return pb.Run(
        kind=getattr(pb.Run, f"KIND_{kind}"),
        pipeline=pipeline,
        from_date=_day(min(dates, default=None)),
        to_date=_day(max(dates, default=None)),
        progress=progress,
    )


def event(value: LoggedEvent) -> pb.RunEvent:
    """Give an event as callers have it."""
    return json_format.ParseDict(value.data, pb.RunEvent())


def _counts(tally: Tally) -> pb.WindowCounts:
    return pb.WindowCounts(
        rows_read=tally.rows_read,
        rows_used=tally.rows_used,
        rows_quarantined=tally.rows_quarantined,
        rows_superseded=tally.rows_superseded,
        facts_inserted=tally.facts_inserted,
        facts_updated=tally.facts_updated,
        facts_unchanged=tally.facts_unchanged,
        facts_deleted=tally.facts_deleted,
        total_qty=float(tally.total_qty),
        fact_total_qty=float(tally.fact_total_qty),
    )


def _day(day: date | None) -> str:
    return day.isoformat() if day else ""
