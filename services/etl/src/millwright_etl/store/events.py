"""How events are written down: the protobuf JSON mapping of the contract's RunEvent.

A test holds each of these bodies against the contract's own types.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from millwright_runtime.events.bodies import timestamp, without_defaults
from millwright_runtime.events.log import Event

from millwright_etl.domain import names
from millwright_etl.domain.quality import Result
from millwright_etl.domain.runs import Happening, Pace, Run, RunWindow, Tally

RUN_TYPES = {
    Happening.CREATED: "io.millwright.etl.run.created.v1",
    Happening.WINDOW_STARTED: "io.millwright.etl.window.started.v1",
    Happening.WINDOW_RELEASED: "io.millwright.etl.window.released.v1",
    Happening.WINDOW_PUBLISHED: "io.millwright.etl.window.published.v1",
    Happening.WINDOW_FAILED: "io.millwright.etl.window.failed.v1",
    Happening.WINDOW_CANCELLED: "io.millwright.etl.window.cancelled.v1",
    Happening.COMPLETED: "io.millwright.etl.run.completed.v1",
    Happening.FAILED: "io.millwright.etl.run.failed.v1",
    Happening.CANCELLED: "io.millwright.etl.run.cancelled.v1",
}


def of_run(run: Run, happening: Happening, pace: Pace, time: datetime, window: RunWindow | None = None) -> Event:
    """Give the event of something that happened to a run, or to a window of it; its sequence is the run's."""
    body = {
        "sequence": str(run.sequence),
        "run": names.run(run.run),
        "state": f"STATE_{run.state}",
        "fromDate": run.from_date.isoformat() if run.from_date else None,
        "toDate": run.to_date.isoformat() if run.to_date else None,
        "progress": _progress(run, pace),
        "window": _window(window) if window else None,
        "eventTime": timestamp(time),
    }
    return Event(
        tenant=run.tenant,
        resource=names.run(run.run),
        sequence=run.sequence,
        kind="progress" if window else "lifecycle",
        type=RUN_TYPES[happening],
        data=without_defaults(body),
        event_time=time,
        day=run.create_time.astimezone(UTC).date(),
        traceparent=run.traceparent,
    )


def _progress(run: Run, pace: Pace) -> dict[str, Any]:
    body = {
        "windowsTotal": run.windows_total,
        "windowsDone": run.windows_done,
        "percent": run.percent,
        "rate": pace.rows_a_second,
        "secondsLeft": pace.seconds_left(run),
    }
    return without_defaults(body)


def _window(window: RunWindow) -> dict[str, Any]:
    body = {
        "name": names.window(window.run, window.date),
        "date": window.date.isoformat(),
        "cause": window.cause,
        "state": f"STATE_{window.state}",
        "counts": _counts(window.tally),
        "reason": window.reason,
        "message": window.message,
        "quality": [_result(result) for result in window.quality],
        "attempts": window.attempts,
        "durationMs": str(window.duration_ms) if window.duration_ms else None,
        "endTime": timestamp(window.end_time) if window.end_time else None,
    }
    return without_defaults(body)


def _result(result: Result) -> dict[str, Any]:
    body = {
        "rule": result.rule,
        "severity": f"SEVERITY_{result.severity}",
        "held": result.held,
        "rows": str(result.rows) if result.rows else None,
        "value": result.value,
        "message": result.message,
    }
    return without_defaults(body)


def _counts(tally: Tally) -> dict[str, Any]:
    body = {
        "rowsRead": tally.rows_read,
        "rowsUsed": tally.rows_used,
        "rowsQuarantined": tally.rows_quarantined,
        "rowsSuperseded": tally.rows_superseded,
        "factsInserted": tally.facts_inserted,
        "factsUpdated": tally.facts_updated,
        "factsUnchanged": tally.facts_unchanged,
        "factsDeleted": tally.facts_deleted,
    }
    totals = {"totalQty": float(tally.total_qty), "factTotalQty": float(tally.fact_total_qty)}
    return {name: str(count) for name, count in body.items() if count} | without_defaults(totals)
