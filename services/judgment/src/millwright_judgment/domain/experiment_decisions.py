"""Decisions about experiments: they begin, step on, are stopped, and an arm is promoted.

As in `releases`, each function takes the state as it is locked and a wish, and gives what to write. A rollback and a
mark, which end an experiment too, are decided there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from millwright_runtime.errors import InvalidFields, Violation

from millwright_judgment.domain import experiments, names
from millwright_judgment.domain.errors import (
    ArmIsControl,
    ArmNotFound,
    EtagMismatch,
    ExperimentEnded,
    ExperimentUnderWay,
    LastStep,
)
from millwright_judgment.domain.experiments import (
    BASIS_POINTS,
    CONTROL,
    Arm,
    Experiment,
    ExperimentState,
    Mode,
    Trial,
)
from millwright_judgment.domain.releases import (
    Actor,
    Channel,
    Decision,
    Ledger,
    Operation,
    Release,
    check_revision,
    decided,
    point,
    row,
)
from millwright_judgment.domain.releases import Trial as TrialVersions


@dataclass(frozen=True, slots=True)
class Start:
    """The wish to try versions on a channel."""

    channel: str
    trial: Trial
    """As the caller wrote it: its control may be left out, or be without a version."""
    enrolment_bp: int
    expected_revision: int | None = None


@dataclass(frozen=True, slots=True)
class Move:
    """The wish to go on with an experiment, or to end it."""

    experiment: str
    revision: int | None = None
    """Only if it is at this one."""


def start(ledger: Ledger, wish: Start, actor: Actor) -> tuple[Decision, Experiment]:
    """Decide to begin an experiment; refuse what is out of bounds, unusable versions, and a second experiment."""
    channel = ledger.channel(wish.channel)
    trial = replace(wish.trial, arms=_arms(wish.trial, channel))
    if faults := [*experiments.faults(trial, wish.enrolment_bp), *_control_faults(trial, channel)]:
        raise InvalidFields(faults)
    for arm in trial.tried:
        ledger.version(arm.version)
    check_revision(ledger, wish.channel, channel, wish.expected_revision)
    _check_versions(ledger, channel, trial)
    numbers = tuple(arm.version for arm in trial.tried)
    begun = Experiment(
        trial=trial,
        ruleset=ledger.ruleset,
        channel=wish.channel,
        enrolment_bp=wish.enrolment_bp,
        step=0,
        state=ExperimentState.RUNNING,
        end_reason="",
        creator=actor.subject,
        revision=1,
        start_time=ledger.time,
        step_time=ledger.time,
    )
    moved = replace(_moved(ledger, channel), trial=TrialVersions(trial.experiment, numbers))
    return decided(ledger, _row(ledger, begun, Operation.EXPERIMENT_START, actor), moved), begun


def _arms(trial: Trial, channel: Channel) -> tuple[Arm, ...]:
    """Give the arms with the control at their head, each version filled in. Only A/B has weights."""
    arms = trial.arms
    may_be_left_out = trial.mode is not Mode.AB
    has_control = not may_be_left_out or (len(arms) > 1 and arms[0].version in (0, channel.version))
    if not has_control:
        arms = (Arm(CONTROL, channel.version), *arms)
    elif arms and not arms[0].version:
        arms = (replace(arms[0], version=channel.version), *arms[1:])
    return tuple(replace(arm, weight=1) for arm in arms) if may_be_left_out else arms


def _control_faults(trial: Trial, channel: Channel) -> list[Violation]:
    if not trial.arms or trial.control.version == channel.version:
        return []
    what = f"must be {channel.version}, which the channel points to, or left out: the first arm is the control"
    return [Violation("experiment.arms[0].version", "NOT_THE_CONTROL", what)]


def _check_versions(ledger: Ledger, channel: Channel, trial: Trial) -> None:
    if channel.trial:
        raise ExperimentUnderWay(experiment=channel.trial.experiment, channel=channel.channel, ruleset=ledger.ruleset)
    for arm in trial.tried:
        if arm.version == channel.version:
            raise ArmIsControl(arm=arm.name, version=arm.version, channel=channel.channel)
    for arm in trial.arms:
        ledger.good_version(arm.version)


def step(
    ledger: Ledger, experiment: Experiment, move: Move, enrolment_bp: int, actor: Actor
) -> tuple[Decision, Experiment]:
    """Decide to move a canary to its next step, or to widen the enrolment of another experiment."""
    check_running(experiment, move)
    if experiment.trial.mode is Mode.CANARY:
        moved = replace(_next_step(experiment, enrolment_bp), step_time=ledger.time)
    elif experiment.enrolment_bp < enrolment_bp <= BASIS_POINTS:
        moved = replace(experiment, enrolment_bp=enrolment_bp)
    else:
        what = f"must be above {experiment.enrolment_bp}, and at most {BASIS_POINTS}"
        raise InvalidFields([Violation("enrolment_bp", "OUT_OF_RANGE", what)])
    release = _row(ledger, experiment, Operation.EXPERIMENT_STEP, actor)
    decision = decided(ledger, release, _moved(ledger, ledger.channel(experiment.channel)))
    return decision, replace(moved, revision=experiment.revision + 1)


def _next_step(experiment: Experiment, enrolment_bp: int) -> Experiment:
    if enrolment_bp:
        raise InvalidFields([Violation("enrolment_bp", "NOT_ALLOWED", "must be 0: a canary has steps")])
    if experiment.step + 1 >= len(experiment.trial.steps):
        raise LastStep(experiment=experiment.name)
    return replace(experiment, step=experiment.step + 1)


def stop(ledger: Ledger, experiment: Experiment, actor: Actor) -> Decision:
    """Decide to end an experiment, its channel left where it points; nothing if it has ended."""
    if experiment.state is not ExperimentState.RUNNING:
        return Decision()
    left, kept = experiment.trial.tried[0].version, experiment.trial.control.version
    release = replace(_row(ledger, experiment, Operation.EXPERIMENT_STOP, actor), from_version=left, to_version=kept)
    ended = replace(_moved(ledger, ledger.channel(experiment.channel)), trial=None)
    return decided(ledger, release, ended, ended_experiment=experiment.name)


def promote_arm(ledger: Ledger, experiment: Experiment, move: Move, name: str, actor: Actor) -> Decision:
    """Decide to point the channel to an arm's version; the experiment ends with it. The control's is one of them."""
    arm = next((arm for arm in experiment.trial.arms if arm.name == name), None)
    if arm is None:
        raise ArmNotFound(experiment=experiment.name, arm=name)
    check_running(experiment, move)
    ledger.good_version(arm.version)
    return point(ledger, experiment.channel, arm.version, actor)


def check_running(experiment: Experiment, move: Move) -> None:
    """Raise ExperimentEnded, or EtagMismatch if it is not at the revision that the move is meant for."""
    if experiment.state is not ExperimentState.RUNNING:
        raise ExperimentEnded(experiment=experiment.name, state=experiment.state.value)
    if move.revision is not None and move.revision != experiment.revision:
        raise EtagMismatch(resource=names.experiment(experiment.name))


def _row(ledger: Ledger, experiment: Experiment, operation: Operation, actor: Actor) -> Release:
    return row(
        ledger,
        operation,
        actor,
        to_version=experiment.trial.tried[0].version,
        channel=experiment.channel,
        from_version=experiment.trial.control.version,
        experiment=experiment.name,
    )


def _moved(ledger: Ledger, channel: Channel) -> Channel:
    """Give the channel as this decision leaves it: the next row of the log is its revision."""
    return replace(channel, revision=ledger.latest_revision + 1, update_time=ledger.time)
