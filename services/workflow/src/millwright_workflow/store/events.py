"""How events are written down: the protobuf JSON mapping of the contract's Release and InstanceEvent.

A test holds each of these bodies against the contract's own types.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from millwright_runtime.events.bodies import timestamp, without_defaults
from millwright_runtime.events.log import Event, Kind
from millwright_runtime.json import from_text

from millwright_workflow.domain import approvals, names
from millwright_workflow.domain.approvals import Approval
from millwright_workflow.domain.gates import GateResult, Measure
from millwright_workflow.domain.instances import Happening, InstanceEvent
from millwright_workflow.domain.interpreter.effects import WorkflowError
from millwright_workflow.domain.releases import Operation, Release

RELEASE_TYPES = {
    Operation.PUBLISH: "io.millwright.workflow.version.published.v1",
    Operation.PROMOTE: "io.millwright.workflow.channel.promoted.v1",
    Operation.ROLLBACK: "io.millwright.workflow.channel.rolled-back.v1",
    Operation.MARK_BAD: "io.millwright.workflow.version.marked-bad.v1",
    Operation.MARK_GOOD: "io.millwright.workflow.version.marked-good.v1",
    Operation.CANARY_START: "io.millwright.workflow.canary.started.v1",
    Operation.CANARY_STEP: "io.millwright.workflow.canary.stepped.v1",
    Operation.CANARY_ABORT: "io.millwright.workflow.canary.aborted.v1",
}
# The specification's own lifecycle types, where it has one.
INSTANCE_TYPES = {
    Happening.CREATED: "io.millwright.workflow.instance.created.v1",
    Happening.STARTED: "io.serverlessworkflow.workflow.started.v1",
    Happening.TASK_COMPLETED: "io.serverlessworkflow.task.completed.v1",
    Happening.TASK_RETRIED: "io.serverlessworkflow.task.retried.v1",
    Happening.TASK_PROGRESS: "io.millwright.workflow.task.progressed.v1",
    Happening.CORRELATION_STARTED: "io.serverlessworkflow.workflow.correlation-started.v1",
    Happening.CORRELATION_COMPLETED: "io.serverlessworkflow.workflow.correlation-completed.v1",
    Happening.PAUSED: "io.serverlessworkflow.workflow.suspended.v1",
    Happening.RESUMED: "io.serverlessworkflow.workflow.resumed.v1",
    Happening.COMPENSATION_STARTED: "io.millwright.workflow.instance.compensation-started.v1",
    Happening.COMPLETED: "io.serverlessworkflow.workflow.completed.v1",
    Happening.FAULTED: "io.serverlessworkflow.workflow.faulted.v1",
    Happening.CANCELLED: "io.serverlessworkflow.workflow.cancelled.v1",
}
_KINDS: Mapping[Happening, Kind] = MappingProxyType(
    {
        Happening.TASK_COMPLETED: "checkpoint",
        Happening.TASK_RETRIED: "checkpoint",
        Happening.TASK_PROGRESS: "progress",
    }
)
"""What is not of the kind `lifecycle`."""


def of_release(tenant: str, workflow: str, release: Release) -> Event:
    """Give the event of a row of the release log; its sequence is the row's revision."""
    body = {
        "name": names.release(workflow, release.revision),
        "revision": str(release.revision),
        "operation": f"OPERATION_{release.operation.value}",
        "channel": release.channel,
        "fromVersion": release.from_version,
        "toVersion": release.to_version,
        "markedBad": release.marked_bad,
        "runPolicy": f"RUN_POLICY_{release.run_policy.value}" if release.run_policy else None,
        "reason": release.reason,
        "actor": release.actor,
        "automatic": release.automatic,
        "createTime": timestamp(release.create_time),
        "canaryVersion": release.canary_version,
        "canaryWeightBp": release.canary_weight_bp,
        "evidence": [_gate_result(result) for result in release.evidence],
        "runJob": names.run_job(release.run_job) if release.run_job else None,
    }
    return Event(
        tenant=tenant,
        resource=names.workflow(workflow),
        sequence=release.revision,
        kind="rollback" if release.operation is Operation.ROLLBACK else "lifecycle",
        type=RELEASE_TYPES[release.operation],
        data=without_defaults(body),
        event_time=release.create_time,
        is_urgent=True,  # all of a workflow's: a rollback is not to wait for what instances have to tell
    )


def of_instance(event: InstanceEvent) -> Event:
    """Give the event of something that happened to an instance."""
    resource = names.instance(event.instance)
    body = {
        "instance": resource,
        "sequence": str(event.sequence),
        "kind": f"KIND_{event.happening.value}",
        "workflow": names.workflow(event.workflow),
        "version": event.version,
        "task": event.task,
        "error": _error(event.error) if event.error else None,
        "eventTime": timestamp(event.event_time),
        "percent": event.percent,
        "then": event.then,
    }
    return Event(
        tenant=event.tenant,
        resource=resource,
        sequence=event.sequence,
        kind=_KINDS.get(event.happening, "lifecycle"),
        type=INSTANCE_TYPES[event.happening],
        data=without_defaults(body),
        event_time=event.event_time,
        day=event.day,
        traceparent=event.traceparent or None,
    )


def of_approval(approval: Approval, happening: approvals.Happening, time: datetime) -> Event:
    """Give the event of something that happened to an approval."""
    resource = names.approval(approval.id)
    body = {
        "name": resource,
        "instance": names.instance(approval.key.instance),
        "task": approval.key.reference,
        "title": approval.title,
        "details": from_text(approval.details),
        "role": approval.role,
        "state": f"STATE_{approval.state.value}",
        "decider": approval.decider,
        "comment": approval.comment,
        "createTime": timestamp(approval.create_time),
        "escalateTime": timestamp(approval.escalate_time) if approval.escalate_time else None,
        "expireTime": timestamp(approval.expire_time) if approval.expire_time else None,
        "decideTime": timestamp(approval.decide_time) if approval.decide_time else None,
    }
    return Event(
        tenant=approval.key.tenant,
        resource=resource,
        sequence=approval.sequence,
        kind="lifecycle",
        type=f"io.millwright.workflow.approval.{happening.value.lower()}.v1",
        data=without_defaults(body),
        event_time=time,
    )


def _gate_result(result: GateResult) -> dict[str, Any]:
    measure, bound = result.gate.measure, result.gate.bound
    first, *rest = measure.value.lower().split("_")
    name = first + "".join(word.title() for word in rest)
    body = {
        "verdict": f"VERDICT_{result.verdict.value}",
        "value": result.value,
        "canaryInstances": str(result.canary_instances or ""),
        "stableInstances": str(result.stable_instances or ""),
        "measureTime": timestamp(result.measure_time),
    }
    gate = {name: _duration(bound) if measure is Measure.MAX_P95_DURATION else bound}
    return {"gate": gate, **without_defaults(body)}


def _duration(seconds: float) -> str:
    """Give seconds as protobuf's JSON has them: no, three or six digits of a second."""
    return f"{seconds:.6f}".removesuffix("000").removesuffix(".000") + "s"


def _error(error: WorkflowError) -> dict[str, Any]:
    body = {
        "type": error.type,
        "status": error.status,
        "title": error.title,
        "detail": error.detail,
        "instance": error.instance,
    }
    return without_defaults(body)
