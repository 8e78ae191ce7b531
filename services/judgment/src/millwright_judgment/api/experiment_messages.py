"""Experiments as messages of the contract."""

from __future__ import annotations

from google.protobuf import duration_pb2
from millwright.judgment.v1 import experiment_pb2 as pb
from millwright_runtime.api.messages import timestamp

from millwright_judgment.domain import names
from millwright_judgment.domain.experiments import Arm, Experiment, Guardrail, Step


def experiment(value: Experiment) -> pb.Experiment:
    """Give an experiment."""
    trial = value.trial
    return pb.Experiment(
        name=names.experiment(value.name),
        channel=names.channel(value.ruleset, value.channel),
        mode=pb.Experiment.Mode.Value(f"MODE_{trial.mode.value}"),
        arms=[arm(each) for each in trial.arms],
        enrolment_bp=value.enrolment_bp,
        guardrails=[guardrail(each) for each in trial.guardrails],
        steps=[_step(each) for each in trial.steps],
        step=value.step,
        state=pb.Experiment.State.Value(f"STATE_{value.state.value}"),
        end_reason=value.end_reason,
        creator=value.creator,
        start_time=timestamp(value.start_time),
        step_time=timestamp(value.step_time),
        end_time=timestamp(value.end_time),
        etag=str(value.revision),
    )


def arm(value: Arm) -> pb.Arm:
    """Give an arm."""
    return pb.Arm(name=value.name, version=value.version, weight=value.weight)


def guardrail(value: Guardrail) -> pb.Guardrail:
    """Give a guardrail."""
    return pb.Guardrail(
        measure=pb.Guardrail.Measure.Value(f"MEASURE_{value.measure.value}"),
        outcome=value.outcome,
        max_increase=value.max_increase,
        max_decrease=value.max_decrease,
        alpha=value.alpha,
    )


def _step(value: Step) -> pb.ExperimentStep:
    min_duration = duration_pb2.Duration()
    min_duration.FromTimedelta(value.min_duration)
    return pb.ExperimentStep(weight_bp=value.weight_bp, min_duration=min_duration, min_executions=value.min_executions)
