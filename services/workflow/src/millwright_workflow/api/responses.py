"""What callers get: the domain's values as messages of the contract."""

from __future__ import annotations

from collections.abc import Sequence

from google.protobuf import json_format, struct_pb2
from millwright.workflow.v1 import instance_pb2, release_pb2, workflow_pb2
from millwright_runtime.api import messages
from millwright_runtime.events.log import LoggedEvent
from millwright_runtime.json import NESTING_LIMIT, Json, is_deeper, to_text

from millwright_workflow.api import canaries
from millwright_workflow.domain import names
from millwright_workflow.domain.compensation import Compensation
from millwright_workflow.domain.definition import Change
from millwright_workflow.domain.instances import Instance
from millwright_workflow.domain.interpreter import Outline
from millwright_workflow.domain.interpreter.effects import WorkflowError
from millwright_workflow.domain.releases import Channel, Release, Version
from millwright_workflow.store.schedules import ScheduleRow
from millwright_workflow.store.workflows import Workflow


def workflow(value: Workflow) -> workflow_pb2.Workflow:
    """Give a workflow."""
    return workflow_pb2.Workflow(
        name=names.workflow(value.workflow),
        latest_version=value.latest_version,
        latest_revision=value.latest_revision,
        create_time=messages.timestamp(value.create_time),
        update_time=messages.timestamp(value.update_time),
    )


def version(workflow: str, value: Version) -> workflow_pb2.Version:
    """Give a version as lists show it."""
    state = workflow_pb2.Version.STATE_BAD if value.is_bad else workflow_pb2.Version.STATE_GOOD
    return workflow_pb2.Version(
        name=names.version(workflow, value.number),
        number=value.number,
        semver=value.semver,
        content_hash=value.content_hash.hex(),
        state=state,
        bad_reason=value.bad_reason or "",
        creator=value.creator,
        create_time=messages.timestamp(value.create_time),
    )


def whole_version(workflow: str, value: Version, definition: str, known: Outline) -> workflow_pb2.Version:
    """Give a version with its definition and its outline."""
    found = version(workflow, value)
    found.definition = definition
    for task in known.tasks:
        found.outline.add(pointer=task.pointer, name=task.name, kind=task.kind, conditional=task.condition is not None)
    if known.count is not None:
        found.task_count = known.count
    return found


def change(value: Change) -> workflow_pb2.Change:
    """Give one difference."""
    is_moved = value.kind == "moved"
    return workflow_pb2.Change(
        kind=workflow_pb2.Change.Kind.Value(f"KIND_{value.kind.upper()}"),
        pointer=value.pointer,
        from_pointer=str(value.before) if is_moved else "",
        before=None if is_moved else messages.value(_told(value.before)),
        after=None if is_moved else messages.value(_told(value.after)),
    )


def channel(workflow: str, value: Channel) -> release_pb2.Channel:
    """Give a channel."""
    return release_pb2.Channel(
        name=names.channel(workflow, value.channel),
        version=value.version,
        revision=value.revision,
        freeze_time=messages.timestamp(value.freeze_time),
        update_time=messages.timestamp(value.update_time),
        canary=canaries.message(value.canary),
    )


def channels(workflow: str, values: Sequence[Channel]) -> list[release_pb2.Channel]:
    """Give a workflow's channels."""
    return [channel(workflow, value) for value in values]


def release(workflow: str, value: Release) -> release_pb2.Release:
    """Give a row of the release log."""
    run_policy = value.run_policy.value if value.run_policy else "UNSPECIFIED"
    return release_pb2.Release(
        name=names.release(workflow, value.revision),
        revision=value.revision,
        operation=release_pb2.Release.Operation.Value(f"OPERATION_{value.operation.value}"),
        channel=value.channel or "",
        from_version=value.from_version or 0,
        to_version=value.to_version,
        marked_bad=value.marked_bad,
        run_policy=release_pb2.RunPolicy.Value(f"RUN_POLICY_{run_policy}"),
        reason=value.reason,
        actor=value.actor,
        automatic=value.automatic,
        create_time=messages.timestamp(value.create_time),
        canary_version=value.canary_version or 0,
        canary_weight_bp=value.canary_weight_bp,
        evidence=[canaries.result(each) for each in value.evidence],
        run_job=names.run_job(value.run_job) if value.run_job else "",
    )


def instance(value: Instance, *, whole: bool = True, undone: Sequence[str] = ()) -> instance_pb2.Instance:
    """Give an instance; in lists not whole, without what may be large."""
    message = instance_pb2.Instance(
        name=names.instance(value.instance),
        workflow=names.workflow(value.workflow),
        channel=value.channel or "",
        version=value.version or 0,
        state=instance_pb2.Instance.State.Value(f"STATE_{value.state.value}"),
        error=_error(value.error) if value.error else None,
        cancel_requested=value.cancel_reason is not None and not value.state.is_terminal,
        finished_tasks=value.finished_tasks,
        sequence=value.sequence,
        creator=value.creator,
        create_time=messages.timestamp(value.create_time),
        start_time=messages.timestamp(value.start_time),
        end_time=messages.timestamp(value.end_time),
        parent=names.instance(value.parent) if value.parent else "",
        parent_task=value.parent_task or "",
        compensation=_compensation(value.compensation, undone) if value.compensation else None,
    )
    if whole:
        message.input.CopyFrom(messages.value(value.input))
        if value.state.value == "COMPLETED":
            message.output.CopyFrom(messages.value(value.output))
    return message


def _compensation(value: Compensation, undone: Sequence[str]) -> instance_pb2.Compensation:
    return instance_pb2.Compensation(
        state=instance_pb2.Compensation.State.Value(f"STATE_{value.state.value}"),
        cause=_error(value.cause) if value.cause else None,
        undone=undone,
    )


def schedule(value: ScheduleRow) -> workflow_pb2.Schedule:
    """Give a schedule."""
    return workflow_pb2.Schedule(
        workflow=names.workflow(value.workflow),
        version=value.version,
        definition=json_format.ParseDict(value.schedule, struct_pb2.Struct()),
        begin_time=messages.timestamp(value.begin_time),
        next_time=messages.timestamp(value.next_time),
        last_time=messages.timestamp(value.last_time),
        last_instance=names.instance(value.last_instance) if value.last_instance else "",
    )


def instance_event(event: LoggedEvent) -> instance_pb2.InstanceEvent:
    """Give an event as the log has it."""
    return json_format.ParseDict(event.data, instance_pb2.InstanceEvent(), ignore_unknown_fields=True)


def _told(value: Json) -> Json:
    """Give a part of a definition as it is, or as JSON text if it is nested deeper than a message may be."""
    return to_text(value) if is_deeper(value, NESTING_LIMIT) else value


def _error(value: WorkflowError) -> instance_pb2.InstanceError:
    return instance_pb2.InstanceError(
        type=value.type,
        status=value.status,
        title=value.title or "",
        detail=value.detail or "",
        instance=value.instance or "",
    )
