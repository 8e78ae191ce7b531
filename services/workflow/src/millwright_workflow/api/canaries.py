"""Canaries as callers send them and get them: requests checked and taken apart, and the domain's values as messages."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import timedelta

from google.protobuf import duration_pb2
from millwright.workflow.v1 import release_pb2, release_service_pb2
from millwright_runtime.api import fields, messages
from millwright_runtime.errors import InvalidFields, Violation

from millwright_workflow.domain import names
from millwright_workflow.domain.canaries import DEFAULT_MIN_INSTANCES, WHOLE_BP, Canary, CanaryStep
from millwright_workflow.domain.canary_decisions import CanaryMove, CanaryStart
from millwright_workflow.domain.gates import SAMPLE_LIMIT, Gate, GateResult, Measure

_MOST_STEPS = 20
_MOST_GATES = 8
_LONGEST_STEP = timedelta(days=30)
_LARGEST_RATIO = 1000.0


def start(request: release_service_pb2.StartCanaryRequest) -> tuple[str, CanaryStart]:
    """Give the workflow and the wish in a request to begin a canary."""
    name = names.parse_channel(request.channel, "channel")
    expected = request.expected_revision if request.HasField("expected_revision") else None
    violations = [*_faults_of_steps(request.steps), *fields.revision_faults(expected, automatic=request.automatic)]
    if request.version <= 0:
        violations.append(Violation("version", "REQUIRED", "must be the number of a version, from 1"))
    if violations:
        raise InvalidFields(violations)
    steps = tuple(_step(step) for step in request.steps)
    return name.workflow, CanaryStart(name.channel, request.version, steps, request.promote_at_end, expected)


def move(
    request: release_service_pb2.StepCanaryRequest | release_service_pb2.AbortCanaryRequest, *, mark_bad: bool = False
) -> tuple[str, CanaryMove]:
    """Give the workflow and the wish in a request to step a canary on or to take it back."""
    name = names.parse_channel(request.channel, "channel")
    expected = request.expected_revision if request.HasField("expected_revision") else None
    if violations := list(fields.revision_faults(expected)):
        raise InvalidFields(violations)
    return name.workflow, CanaryMove(name.channel, expected, mark_bad)


def message(value: Canary | None) -> release_pb2.Canary | None:
    """Give a canary."""
    if value is None:
        return None
    return release_pb2.Canary(
        version=value.version,
        steps=[_step_message(step) for step in value.steps],
        step=value.step,
        weight_bp=value.current.weight_bp,
        state=release_pb2.Canary.State.Value(f"STATE_{value.state.value}"),
        gates=[result(each) for each in value.gates],
        start_time=messages.timestamp(value.start_time),
        step_time=messages.timestamp(value.step_time),
        revision=value.revision,
        promote_at_end=value.promote_at_end,
    )


def result(value: GateResult) -> release_pb2.GateResult:
    """Give what a gate said."""
    return release_pb2.GateResult(
        gate=_gate_message(value.gate),
        verdict=release_pb2.GateResult.Verdict.Value(f"VERDICT_{value.verdict.value}"),
        value=value.value or 0.0,
        canary_instances=value.canary_instances,
        stable_instances=value.stable_instances,
        measure_time=messages.timestamp(value.measure_time),
    )


def _faults_of_steps(steps: Sequence[release_pb2.CanaryStep]) -> Iterator[Violation]:
    if not 1 <= len(steps) <= _MOST_STEPS:
        yield Violation("steps", "OUT_OF_RANGE", f"must be 1 to {_MOST_STEPS} steps")
        return
    before = 0
    for place, step in enumerate(steps):
        path = f"steps[{place}]"
        if not before < step.weight_bp <= WHOLE_BP:
            yield Violation(f"{path}.weight_bp", "OUT_OF_RANGE", f"must be from {before + 1} to {WHOLE_BP}")
        before = min(max(before, step.weight_bp), WHOLE_BP - 1)
        span = _span(step.min_duration)
        if span is None or not timedelta(0) <= span <= _LONGEST_STEP:
            yield Violation(f"{path}.min_duration", "OUT_OF_RANGE", "must be from 0 to 30 days")
        if not 0 <= step.min_instances <= SAMPLE_LIMIT:
            yield Violation(f"{path}.min_instances", "OUT_OF_RANGE", f"must be from 0 to {SAMPLE_LIMIT}")
        if len(step.gates) > _MOST_GATES:
            yield Violation(f"{path}.gates", "TOO_MANY", f"must be at most {_MOST_GATES} gates")
            continue
        for number, gate in enumerate(step.gates):
            yield from _faults_of_gate(f"{path}.gates[{number}]", gate, is_whole=step.weight_bp == WHOLE_BP)


def _faults_of_gate(path: str, gate: release_pb2.Gate, *, is_whole: bool) -> Iterator[Violation]:
    field = gate.WhichOneof("measure")
    if field is None:
        yield Violation(path, "REQUIRED", "must say what is measured")
        return
    if field == "max_p95_duration":
        if (_span(gate.max_p95_duration) or timedelta(0)) <= timedelta(0):
            yield Violation(f"{path}.{field}", "OUT_OF_RANGE", "must be a duration above 0")
        return
    bound, largest = getattr(gate, field), _LARGEST_RATIO if field == "max_p95_ratio" else 1.0
    if not (math.isfinite(bound) and 0 <= bound <= largest):
        yield Violation(f"{path}.{field}", "OUT_OF_RANGE", f"must be from 0 to {largest:g}")
    if is_whole and Measure(field.upper()).compares:
        yield Violation(f"{path}.{field}", "NOTHING_TO_COMPARE", "must not stand in a step that takes all instances")


def _step(step: release_pb2.CanaryStep) -> CanaryStep:
    gates = tuple(_gate(gate) for gate in step.gates)
    min_duration = _span(step.min_duration) or timedelta(0)
    return CanaryStep(step.weight_bp, min_duration, step.min_instances or DEFAULT_MIN_INSTANCES, gates)


def _gate(gate: release_pb2.Gate) -> Gate:
    field = gate.WhichOneof("measure")
    assert field is not None
    if field == "max_p95_duration":
        return Gate(Measure.MAX_P95_DURATION, gate.max_p95_duration.ToTimedelta().total_seconds())
    return Gate(Measure(field.upper()), getattr(gate, field))


def _step_message(step: CanaryStep) -> release_pb2.CanaryStep:
    return release_pb2.CanaryStep(
        weight_bp=step.weight_bp,
        min_duration=messages.duration(step.min_duration),
        min_instances=step.min_instances,
        gates=[_gate_message(gate) for gate in step.gates],
    )


def _gate_message(gate: Gate) -> release_pb2.Gate:
    if gate.measure is Measure.MAX_P95_DURATION:
        return release_pb2.Gate(max_p95_duration=messages.duration(timedelta(seconds=gate.bound)))
    made = release_pb2.Gate()
    setattr(made, gate.measure.value.lower(), gate.bound)
    return made


def _span(value: duration_pb2.Duration) -> timedelta | None:
    """Give a duration, or None if it is no valid one."""
    try:
        return value.ToTimedelta()
    except (ValueError, OverflowError):
        return None
