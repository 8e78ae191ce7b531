"""What callers send about experiments, checked and taken apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

from millwright.judgment.v1 import experiment_pb2, experiment_service_pb2
from millwright_runtime.api import fields
from millwright_runtime.errors import InvalidFields, Violation

from millwright_judgment.api import requests
from millwright_judgment.domain import names
from millwright_judgment.domain.experiment_decisions import Move, Start
from millwright_judgment.domain.experiments import (
    BASIS_POINTS,
    DEFAULT_ALPHA,
    DEFAULT_STEP_EXECUTIONS,
    MOST_ARMS,
    Arm,
    Guardrail,
    Measure,
    Mode,
    Step,
    Trial,
)

_OUTCOME_LIMIT = 63


def start(request: experiment_service_pb2.StartExperimentRequest) -> tuple[str, Start]:
    """Give the ruleset and the wish in a request to begin an experiment. What its shares must be, the domain says."""
    given = request.experiment
    name = names.parse_experiment(given.name, "experiment.name")
    channel = names.parse_channel(given.channel, "experiment.channel")
    expected = request.expected_revision if request.HasField("expected_revision") else None
    violations = [*fields.revision_faults(expected), *_faults(given)]
    if violations:
        raise InvalidFields(violations)
    mode = Mode(experiment_pb2.Experiment.Mode.Name(given.mode).removeprefix("MODE_"))
    trial = Trial(
        name,
        mode,
        tuple(Arm(arm.name, arm.version, arm.weight) for arm in given.arms),
        tuple(_guardrail(guardrail, place) for place, guardrail in enumerate(given.guardrails)),
        tuple(_step(step, place) for place, step in enumerate(given.steps)),
    )
    enrolment_bp = given.enrolment_bp or (BASIS_POINTS if mode is Mode.CANARY else 0)
    return channel.ruleset, Start(channel.channel, trial, enrolment_bp, expected)


def _faults(given: experiment_pb2.Experiment) -> Iterator[Violation]:
    """Give what cannot be taken apart."""
    if given.mode not in experiment_pb2.Experiment.Mode.values()[1:]:
        yield Violation("experiment.mode", "REQUIRED", "must be AB, CANARY or SHADOW")
    if len(given.arms) > MOST_ARMS:
        yield Violation("experiment.arms", "OUT_OF_RANGE", f"must be at most {MOST_ARMS}")
    if given.mode == experiment_pb2.Experiment.MODE_CANARY and given.enrolment_bp not in (0, BASIS_POINTS):
        yield Violation("experiment.enrolment_bp", "NOT_ALLOWED", "must be left out: all take part in a canary")
    for place, guardrail in enumerate(given.guardrails):
        if guardrail.measure not in experiment_pb2.Guardrail.Measure.values()[1:]:
            yield Violation(f"experiment.guardrails[{place}].measure", "REQUIRED", "must say what is measured")


def _guardrail(given: experiment_pb2.Guardrail, place: int) -> Guardrail:
    return Guardrail(
        Measure(experiment_pb2.Guardrail.Measure.Name(given.measure).removeprefix("MEASURE_")),
        fields.text(given.outcome, f"experiment.guardrails[{place}].outcome", _OUTCOME_LIMIT),
        given.max_increase,
        given.max_decrease if given.HasField("max_decrease") else None,
        given.alpha or DEFAULT_ALPHA,
    )


def _step(given: experiment_pb2.ExperimentStep, place: int) -> Step:
    has_duration = given.HasField("min_duration")
    field = f"experiment.steps[{place}].min_duration"
    min_duration = fields.duration(given.min_duration, field) if has_duration else timedelta(0)
    return Step(given.weight_bp, min_duration, given.min_executions or DEFAULT_STEP_EXECUTIONS)


def check_outcomes(wish: Start, levels: Sequence[Sequence[str]]) -> None:
    """Raise InvalidFields for guardrails on outcomes that none of the versions, with these levels, knows."""
    known = {outcome for each in levels for outcome in each}
    violations = [
        Violation(f"experiment.guardrails[{place}].outcome", "UNKNOWN_OUTCOME", f"must be one of {sorted(known)}")
        for place, guardrail in enumerate(wish.trial.guardrails)
        if guardrail.measure is Measure.OUTCOME_RATE and guardrail.outcome and guardrail.outcome not in known
    ]
    if violations:
        raise InvalidFields(violations)


def move(request: experiment_service_pb2.StepExperimentRequest | experiment_service_pb2.PromoteArmRequest) -> Move:
    """Give which experiment is meant, and at which revision."""
    name = names.parse_experiment(request.name, "name")
    return Move(name, requests.etag(request.etag) if request.etag else None)
