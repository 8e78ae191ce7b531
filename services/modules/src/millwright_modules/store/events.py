"""How events are written down: the protobuf JSON mapping of the contract's own messages.

A test holds each of these bodies against the contract's own types.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from millwright_runtime.events.bodies import timestamp, without_defaults
from millwright_runtime.events.log import Event

from millwright_modules.domain import names
from millwright_modules.domain.module import Activation, MoveKind
from millwright_modules.domain.operation import Operation, Progress, Stage
from millwright_modules.domain.problem import Problem

PROGRESS_TYPE = "io.millwright.modules.operation.progressed.v1"
ENTERED_TYPES = {
    Stage.UPLOADED: "io.millwright.modules.operation.created.v1",
    Stage.EXTRACTING: "io.millwright.modules.operation.stage-entered.v1",
    Stage.VALIDATING: "io.millwright.modules.operation.stage-entered.v1",
    Stage.BUILDING: "io.millwright.modules.operation.stage-entered.v1",
    Stage.ACTIVATING: "io.millwright.modules.operation.stage-entered.v1",
    Stage.COMPLETED: "io.millwright.modules.operation.completed.v1",
    Stage.FAILED: "io.millwright.modules.operation.failed.v1",
    Stage.CANCELLED: "io.millwright.modules.operation.cancelled.v1",
    Stage.ROLLED_BACK: "io.millwright.modules.operation.rolled-back.v1",
}
MOVE_TYPES = {
    MoveKind.INSTALL: "io.millwright.modules.module.installed.v1",
    MoveKind.UPGRADE: "io.millwright.modules.module.upgraded.v1",
    MoveKind.ROLLBACK: "io.millwright.modules.module.rolled-back.v1",
    MoveKind.ENABLE: "io.millwright.modules.module.enabled.v1",
    MoveKind.DISABLE: "io.millwright.modules.module.disabled.v1",
    MoveKind.UNINSTALL: "io.millwright.modules.module.uninstalled.v1",
}


def of_operation(operation: Operation, *, entered: bool, found: Sequence[Problem] = ()) -> Event:
    """Give the event of where an operation stands now; `entered` if it entered its stage, `found` what it found."""
    body = {
        "sequence": str(operation.sequence),
        "operation": names.operation(operation.id),
        "module": names.module(operation.code) if operation.code else "",
        "stage": f"STAGE_{operation.stage.value}",
        "progress": _progress(operation.progress),
        "problems": [_problem(problem) for problem in found],
        "eventTime": timestamp(operation.update_time),
    }
    return Event(
        tenant=operation.tenant,
        resource=names.operation(operation.id),
        sequence=operation.sequence,
        kind="progress",
        type=ENTERED_TYPES[operation.stage] if entered else PROGRESS_TYPE,
        data=without_defaults(body),
        event_time=operation.update_time,
        day=operation.day,
        traceparent=operation.traceparent,
    )


def of_activation(tenant: str, activation: Activation) -> Event:
    """Give the event of a move of the pointer; its sequence is the module's generation."""
    move = activation.move
    body = {
        "name": names.activation(move.code, move.generation),
        "kind": f"KIND_{move.kind.value}",
        "fromVersion": move.from_version,
        "toVersion": move.to_version,
        "reason": move.reason,
        "actor": move.actor,
        "automatic": move.is_automatic,
        "operation": names.operation(move.operation) if move.operation else "",
        "createTime": timestamp(activation.create_time),
    }
    return Event(
        tenant=tenant,
        resource=names.module(move.code),
        sequence=move.generation,
        kind="rollback" if move.kind is MoveKind.ROLLBACK else "lifecycle",
        type=MOVE_TYPES[move.kind],
        data=without_defaults(body),
        event_time=activation.create_time,
        is_urgent=True,
    )


def _progress(progress: Progress) -> dict[str, Any]:
    done = progress.done
    return without_defaults(
        {
            "percent": progress.percent,
            "bytesDone": str(done.bytes_done) if done.bytes_done else "",
            "bytesTotal": str(done.bytes_total) if done.bytes_total else "",
            "filesDone": str(done.files_done) if done.files_done else "",
            "filesTotal": str(done.files_total) if done.files_total else "",
            "stepsDone": done.steps_done,
            "stepsTotal": done.steps_total,
            "rate": progress.bytes_per_second,
            "secondsLeft": progress.seconds_left,
            "messages": dict(progress.activity.messages),
            "queuePlace": progress.place,
        }
    )


def _problem(problem: Problem) -> dict[str, Any]:
    return without_defaults(
        {
            "reason": problem.reason.value,
            "severity": f"SEVERITY_{problem.severity.value}",
            "path": problem.path,
            "line": problem.line,
            "expected": problem.expected,
            "found": problem.found,
            "messages": dict(problem.messages),
            "hints": dict(problem.hints),
        }
    )
