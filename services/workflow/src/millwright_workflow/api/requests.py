"""What callers send, checked and taken apart. Every wrong field is reported, with its path."""

from __future__ import annotations

import math
import uuid
from datetime import UTC, datetime, timedelta

from google.protobuf import duration_pb2, struct_pb2, timestamp_pb2
from millwright.workflow.v1 import (
    instance_pb2,
    instance_service_pb2,
    release_pb2,
    release_service_pb2,
    workflow_service_pb2,
)
from millwright_runtime.api import calls
from millwright_runtime.errors import InvalidFields, Violation
from millwright_runtime.json import NESTING_LIMIT, Json, is_deeper

from millwright_workflow.commands.running import Start
from millwright_workflow.domain import names
from millwright_workflow.domain.errors import InputTooLarge
from millwright_workflow.domain.instances import INPUT_LIMIT_BYTES, State
from millwright_workflow.domain.releases import DEFAULT_CHANNEL, DEFAULT_FREEZE, Actor, Promotion, Rollback, RunPolicy
from millwright_workflow.store.instances import Filter

_REASON_LIMIT = 1000
_ROUTING_KEY_LIMIT = 200
_LONGEST_FREEZE = timedelta(days=30)
_LONGEST_WAIT_SECONDS = 30.0
_ANSWER_SECONDS = 0.2


def actor(reason: str, *, required: bool, automatic: bool = False) -> Actor:
    """Give who calls, with the reason that they give; raise InvalidFields if it is missing or too long."""
    if required and not reason.strip():
        raise InvalidFields([Violation("reason", "REQUIRED", "must say why; it is kept in the release log")])
    return Actor(calls.current().principal.subject, checked_reason(reason), automatic)


def checked_reason(reason: str) -> str:
    """Give the reason as it is; raise InvalidFields if it is too long, or if Postgres cannot hold it."""
    if len(reason) > _REASON_LIMIT:
        raise InvalidFields([Violation("reason", "TOO_LONG", f"must be at most {_REASON_LIMIT} characters")])
    if "\x00" in reason:
        raise InvalidFields([Violation("reason", "INVALID_CHARACTER", "must not hold a NUL character")])
    return reason


def promote_to(request: workflow_service_pb2.PublishVersionRequest) -> str | None:
    """Give the channel to promote to, if one is asked for."""
    return names.parse_channel_id(request.promote_to, "promote_to") if request.promote_to else None


def promotion(request: release_service_pb2.PromoteVersionRequest) -> tuple[str, Promotion]:
    """Give the workflow and the wish in a request to promote."""
    name = names.parse_channel(request.channel, "channel")
    expected = request.expected_revision if request.HasField("expected_revision") else None
    violations = []
    if request.version <= 0:
        violations.append(Violation("version", "REQUIRED", "must be the number of a version, from 1"))
    if expected is not None and expected < 0:
        violations.append(Violation("expected_revision", "OUT_OF_RANGE", "must not be negative"))
    if expected is None and request.automatic:
        violations.append(Violation("expected_revision", "REQUIRED", "must be set by an automatic promotion"))
    if violations:
        raise InvalidFields(violations)
    return name.workflow, Promotion(name.channel, request.version, expected)


def rollback(request: release_service_pb2.RollbackVersionRequest) -> tuple[str, Rollback]:
    """Give the workflow and the wish in a request to roll back."""
    name = names.parse_channel(request.channel, "channel")
    target = request.target_version if request.HasField("target_version") else None
    expected = request.expected_revision if request.HasField("expected_revision") else None
    freeze = _duration(request.freeze, "freeze") if request.HasField("freeze") else DEFAULT_FREEZE
    violations = []
    if target is not None and target <= 0:
        violations.append(Violation("target_version", "OUT_OF_RANGE", "must be the number of a version, from 1"))
    if expected is not None and expected < 0:
        violations.append(Violation("expected_revision", "OUT_OF_RANGE", "must not be negative"))
    if not timedelta(0) <= freeze <= _LONGEST_FREEZE:
        violations.append(Violation("freeze", "OUT_OF_RANGE", "must be from 0 to 30 days"))
    if request.run_policy not in release_pb2.RunPolicy.values():
        violations.append(Violation("run_policy", "UNKNOWN_VALUE", "must be a value of RunPolicy"))
    if violations:
        raise InvalidFields(violations)
    return name.workflow, Rollback(
        channel=name.channel,
        target_version=target,
        expected_revision=expected,
        run_policy=_run_policy(request.run_policy),
        keep_source_good=request.keep_source_good,
        allow_bad_target=request.allow_bad_target,
        freeze=freeze,
    )


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
    channel = None if request.version else names.parse_channel_id(request.channel or DEFAULT_CHANNEL, "channel")
    return Start(
        workflow=workflow,
        channel=channel,
        version=request.version or None,
        input=_input(request.input),
        instance=_uuid(request.instance_id, "instance_id") if request.instance_id else None,
        routing_key=_routing_key(request.routing_key),
    )


def _routing_key(key: str) -> str | None:
    if len(key) > _ROUTING_KEY_LIMIT:
        raise InvalidFields([Violation("routing_key", "TOO_LONG", f"must be at most {_ROUTING_KEY_LIMIT} characters")])
    if "\x00" in key:
        raise InvalidFields([Violation("routing_key", "INVALID_CHARACTER", "must not hold a NUL character")])
    return key or None


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
        created_after=_time(request.created_after, "created_after") if request.HasField("created_after") else None,
        created_before=_time(request.created_before, "created_before") if request.HasField("created_before") else None,
        parent=names.parse_instance(request.parent, "parent") if request.parent else None,
    )


def from_sequence(value: int) -> int:
    """Give where a watch starts; raise InvalidFields if it is negative."""
    if value < 0:
        raise InvalidFields([Violation("from_sequence", "OUT_OF_RANGE", "must not be negative")])
    return value


def wait_seconds(wait: duration_pb2.Duration) -> float:
    """Give how long a poll waits, within the call's deadline; raise InvalidFields past 30 s."""
    seconds = _duration(wait, "wait").total_seconds()
    if not 0 <= seconds <= _LONGEST_WAIT_SECONDS:
        raise InvalidFields([Violation("wait", "OUT_OF_RANGE", "must be from 0 to 30 seconds")])
    return min(seconds, max(0.0, calls.current().remaining_seconds - _ANSWER_SECONDS))


def _duration(value: duration_pb2.Duration, field: str) -> timedelta:
    try:
        return value.ToTimedelta()
    except (ValueError, OverflowError):
        raise InvalidFields([Violation(field, "OUT_OF_RANGE", "is not a valid duration")]) from None


def _time(value: timestamp_pb2.Timestamp, field: str) -> datetime:
    try:
        return value.ToDatetime(UTC)
    except (ValueError, OverflowError):
        raise InvalidFields([Violation(field, "OUT_OF_RANGE", "is not a valid timestamp")]) from None


def _uuid(value: str, field: str) -> uuid.UUID:
    try:
        return uuid.UUID(value)
    except ValueError:
        raise InvalidFields([Violation(field, "NOT_A_UUID", "must be a UUID, or empty")]) from None


def _input(value: struct_pb2.Value) -> Json:
    size = value.ByteSize()
    if size > INPUT_LIMIT_BYTES:
        raise InputTooLarge(size=size, limit=INPUT_LIMIT_BYTES)
    data = to_json(value, "input")
    if is_deeper(data, NESTING_LIMIT):
        raise InvalidFields([Violation("input", "TOO_DEEP", f"must have at most {NESTING_LIMIT} nested levels")])
    return data


def to_json(value: struct_pb2.Value, path: str) -> Json:
    """Give what a protobuf Value holds; whole numbers become int. Raises InvalidFields for NaN and infinities."""
    match value.WhichOneof("kind"):
        case "struct_value":
            return {key: to_json(entry, f"{path}.{key}") for key, entry in value.struct_value.fields.items()}
        case "list_value":
            return [to_json(entry, f"{path}[{place}]") for place, entry in enumerate(value.list_value.values)]
        case "number_value":
            number = value.number_value
            if not math.isfinite(number):
                raise InvalidFields([Violation(path, "NOT_A_NUMBER", "must be a finite number: JSON has no other")])
            return int(number) if number.is_integer() and abs(number) < 2**53 else number
        case "string_value":
            return value.string_value
        case "bool_value":
            return value.bool_value
        case _:
            return None


_STATES = {instance_pb2.Instance.State.Value(f"STATE_{state.value}"): state for state in State}
