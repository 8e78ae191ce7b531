"""How events are written down: the protobuf JSON mapping of the contract's own messages.

A test holds each of these bodies against the contract's own types.
"""

from __future__ import annotations

import uuid
from datetime import datetime

from millwright_runtime.events.bodies import timestamp, without_defaults
from millwright_runtime.events.log import Event

from millwright_judgment.domain import names
from millwright_judgment.domain.releases import Operation, Release
from millwright_judgment.domain.replays.replay import Progress, ReplayState

RELEASE_TYPES = {
    Operation.PUBLISH: "io.millwright.judgment.version.published.v1",
    Operation.PROMOTE: "io.millwright.judgment.channel.promoted.v1",
    Operation.ROLLBACK: "io.millwright.judgment.channel.rolled-back.v1",
    Operation.MARK_BAD: "io.millwright.judgment.version.marked-bad.v1",
    Operation.MARK_GOOD: "io.millwright.judgment.version.marked-good.v1",
    Operation.RETIRE: "io.millwright.judgment.version.retired.v1",
    Operation.PLAN: "io.millwright.judgment.promotion.planned.v1",
    Operation.UNPLAN: "io.millwright.judgment.promotion.unplanned.v1",
    Operation.EXPERIMENT_START: "io.millwright.judgment.experiment.started.v1",
    Operation.EXPERIMENT_STEP: "io.millwright.judgment.experiment.stepped.v1",
    Operation.EXPERIMENT_STOP: "io.millwright.judgment.experiment.stopped.v1",
}

REPLAY_TYPES = {
    ReplayState.PENDING: "io.millwright.judgment.replay.created.v1",
    ReplayState.RUNNING: "io.millwright.judgment.replay.progressed.v1",
    ReplayState.COMPLETED: "io.millwright.judgment.replay.completed.v1",
    ReplayState.FAILED: "io.millwright.judgment.replay.failed.v1",
    ReplayState.CANCELLED: "io.millwright.judgment.replay.cancelled.v1",
    ReplayState.NOT_REPRODUCIBLE: "io.millwright.judgment.replay.not-reproducible.v1",
}


def of_release(tenant: str, ruleset: str, release: Release) -> Event:
    """Give the event of a row of the release log; its sequence is the row's revision."""
    body = {
        "name": names.release(ruleset, release.revision),
        "revision": str(release.revision),
        "operation": f"OPERATION_{release.operation.value}",
        "channel": release.channel,
        "fromVersion": release.from_version,
        "toVersion": release.to_version,
        "markedBad": release.marked_bad,
        "reason": release.reason,
        "actor": release.actor,
        "automatic": release.automatic,
        "createTime": timestamp(release.create_time),
        "experiment": names.experiment(release.experiment) if release.experiment else None,
        "evidence": release.evidence,
        "plannedTime": timestamp(release.planned_time) if release.planned_time else None,
    }
    return Event(
        tenant=tenant,
        resource=names.ruleset(ruleset),
        sequence=release.revision,
        kind="rollback" if release.operation is Operation.ROLLBACK else "lifecycle",
        type=RELEASE_TYPES[release.operation],
        data=without_defaults(body),
        event_time=release.create_time,
        is_urgent=True,
    )


def of_replay(
    tenant: str,
    replay: uuid.UUID,
    sequence: int,
    state: ReplayState,
    progress: Progress,
    *,
    create_time: datetime,
    event_time: datetime,
    error: str = "",
) -> Event:
    """Give the event of where a replay stands and how far it is."""
    counts = {
        "total": progress.total,
        "done": progress.done,
        "changed": progress.changed,
        "errors": progress.errors,
    }
    shares = {"percent": progress.percent, "rate": progress.rate, "secondsLeft": progress.seconds_left}
    body = {
        "sequence": str(sequence),
        "replay": names.replay(replay),
        "state": f"STATE_{state.value}",
        "progress": without_defaults({**{name: str(count) for name, count in counts.items() if count}, **shares}),
        "error": error,
        "eventTime": timestamp(event_time),
    }
    return Event(
        tenant=tenant,
        resource=names.replay(replay),
        sequence=sequence,
        kind="progress" if state is ReplayState.RUNNING else "lifecycle",
        type=REPLAY_TYPES[state],
        data=without_defaults(body),
        event_time=event_time,
        day=create_time.date(),
    )
