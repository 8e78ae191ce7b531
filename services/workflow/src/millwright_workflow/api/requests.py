"""What callers send, checked and taken apart. Every wrong field is reported, with its path."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Literal

from google.protobuf import struct_pb2
from millwright.workflow.v1 import (
    instance_pb2,
    instance_service_pb2,
    release_pb2,
    release_service_pb2,
    workflow_service_pb2,
)
from millwright_runtime.api import calls, fields
from millwright_runtime.errors import InvalidFields, Violation
from millwright_runtime.json import NESTING_LIMIT, Json, is_deeper
from millwright_runtime.names import check_label

from millwright_workflow.commands.running import Start
from millwright_workflow.domain import names
from millwright_workflow.domain.errors import InputTooLarge
from millwright_workflow.domain.instances import INPUT_LIMIT_BYTES, State
from millwright_workflow.domain.releases import DEFAULT_CHANNEL, DEFAULT_FREEZE, Actor, Promotion, Rollback, RunPolicy
from millwright_workflow.store.instances import Filter

_ROUTING_KEY_LIMIT = 200


def actor(reason: str, *, required: bool, automatic: bool = False) -> Actor:
    """Give who calls, with the reason that they give; raise InvalidFields if it is missing or too long."""
    return Actor(calls.current().principal.subject, fields.reason(reason, required=required), automatic)


def promote_to(request: workflow_service_pb2.PublishVersionRequest) -> str | None:
    """Give the channel to promote to, if one is asked for."""
    return check_label(request.promote_to, "promote_to") if request.promote_to else None


def promotion(request: release_service_pb2.PromoteVersionRequest) -> tuple[str, Promotion]:
    """Give the workflow and the wish in a request to promote."""
    name = names.parse_channel(request.channel, "channel")
    expected = request.expected_revision if request.HasField("expected_revision") else None
    violations = []
    if request.version <= 0:
        violations.append(Violation("version", "REQUIRED", "must be the number of a version, from 1"))
    violations += fields.revision_faults(expected, automatic=request.automatic)
    if violations:
        raise InvalidFields(violations)
    return name.workflow, Promotion(name.channel, request.version, expected)


def rollback(request: release_service_pb2.RollbackVersionRequest) -> tuple[str, Rollback]:
    """Give the workflow and the wish in a request to roll back."""
    name = names.parse_channel(request.channel, "channel")
    wish = fields.rollback(request, DEFAULT_FREEZE, _run_policy_faults(request.run_policy))
    return name.workflow, Rollback(channel=name.channel, run_policy=_run_policy(request.run_policy), **wish)


def _run_policy_faults(value: release_pb2.RunPolicy.ValueType) -> Iterator[Violation]:
    if value not in release_pb2.RunPolicy.values():
        yield Violation("run_policy", "UNKNOWN_VALUE", "must be a value of RunPolicy")


def _run_policy(value: release_pb2.RunPolicy.ValueType) -> RunPolicy:
    if value == release_pb2.RUN_POLICY_UNSPECIFIED:
        return RunPolicy.DRAIN
    return RunPolicy(release_pb2.RunPolicy.Name(value).removeprefix("RUN_POLICY_"))


def start(request: instance_service_pb2.StartInstanceRequest) -> Start:
    """Give the wish in a request to start an instance."""
    workflow = names.parse_workflow(request.workflow, "workflow")
    if request.version and request.channel:
        raise InvalidFields([Violation("version", "EXCLUSIVE", "must not be set together with channel")])
    if request.version < 0:
        raise InvalidFields([Violation("version", "OUT_OF_RANGE", "must be the number of a version, from 1")])
    channel = None if request.version else check_label(request.channel or DEFAULT_CHANNEL, "channel")
    return Start(
        workflow=workflow,
        channel=channel,
        version=request.version or None,
        input=_input(request.input),
        instance=fields.identifier(request.instance_id, "instance_id") if request.instance_id else None,
        routing_key=fields.text(request.routing_key, "routing_key", _ROUTING_KEY_LIMIT) or None,
    )


def instance_filter(request: instance_service_pb2.ListInstancesRequest) -> Filter:
    """Give which instances a request to list asks for."""
    if request.version and not request.workflow:
        raise InvalidFields([Violation("version", "NEEDS_WORKFLOW", "must come with workflow")])
    unknown = [state for state in request.states if state not in _STATES]
    if unknown:
        raise InvalidFields([Violation("states", "UNKNOWN_VALUE", "must be values of Instance.State")])
    return Filter(
        workflow=names.parse_workflow(request.workflow, "workflow") if request.workflow else None,
        version=request.version or None,
        states=tuple(_STATES[state] for state in request.states),
        created_after=_time(request, "created_after"),
        created_before=_time(request, "created_before"),
        parent=names.parse_instance(request.parent, "parent") if request.parent else None,
    )


def _time(
    request: instance_service_pb2.ListInstancesRequest, field: Literal["created_after", "created_before"]
) -> datetime | None:
    return fields.time(getattr(request, field), field) if request.HasField(field) else None


def _input(value: struct_pb2.Value) -> Json:
    size = value.ByteSize()
    if size > INPUT_LIMIT_BYTES:
        raise InputTooLarge(size=size, limit=INPUT_LIMIT_BYTES)
    data = fields.json(value, "input")
    if is_deeper(data, NESTING_LIMIT):
        raise InvalidFields([Violation("input", "TOO_DEEP", f"must have at most {NESTING_LIMIT} nested levels")])
    return data


_STATES = {instance_pb2.Instance.State.Value(f"STATE_{state.value}"): state for state in State}
