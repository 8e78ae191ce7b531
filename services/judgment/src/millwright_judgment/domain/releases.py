"""Releases: which version a channel points to, who moved it and why. The words and rules are those of workflows.

Each function takes the state as it is locked and a command, and gives the decision: what to write, all of it or
nothing. `docs/architecture/ruleset-release-states.md` draws the states.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from types import MappingProxyType

from millwright_runtime.transitions import ImpossibleTransition

from millwright_judgment.domain.errors import (
    ChannelFrozen,
    ChannelNotFound,
    ExperimentUnderWay,
    NoRollbackTarget,
    RevisionMismatch,
    VersionBad,
    VersionInUse,
    VersionNotFound,
    VersionRetired,
)

DEFAULT_CHANNEL = "prod"
DEFAULT_FREEZE = timedelta(hours=1)


class Operation(Enum):
    """What a row of the release log did."""

    PUBLISH = "PUBLISH"
    PROMOTE = "PROMOTE"
    ROLLBACK = "ROLLBACK"
    MARK_BAD = "MARK_BAD"
    MARK_GOOD = "MARK_GOOD"
    RETIRE = "RETIRE"
    PLAN = "PLAN"
    UNPLAN = "UNPLAN"
    EXPERIMENT_START = "EXPERIMENT_START"
    EXPERIMENT_STEP = "EXPERIMENT_STEP"
    EXPERIMENT_STOP = "EXPERIMENT_STOP"


class VersionState(Enum):
    """What a version may be used for."""

    PUBLISHED = "PUBLISHED"
    BAD = "BAD"
    RETIRED = "RETIRED"


VERSION_TRANSITIONS: Mapping[tuple[VersionState, VersionState], frozenset[Operation]] = MappingProxyType(
    {
        (VersionState.PUBLISHED, VersionState.BAD): frozenset({Operation.MARK_BAD, Operation.ROLLBACK}),
        (VersionState.BAD, VersionState.PUBLISHED): frozenset({Operation.MARK_GOOD, Operation.ROLLBACK}),
        (VersionState.PUBLISHED, VersionState.RETIRED): frozenset({Operation.RETIRE}),
        (VersionState.BAD, VersionState.RETIRED): frozenset({Operation.RETIRE}),
    }
)
"""Every move of a version, with the operations that make it."""


@dataclass(frozen=True, slots=True)
class Version:
    """A published version, without its document."""

    number: int
    semver: str
    content_hash: bytes
    state: VersionState
    state_reason: str
    """Why it is bad or retired."""
    creator: str
    create_time: datetime


@dataclass(frozen=True, slots=True)
class Plan:
    """A promotion that takes place at a time to come."""

    version: int
    time: datetime
    reason: str
    actor: str


@dataclass(frozen=True, slots=True)
class Trial:
    """An experiment that runs on a channel, as far as releases are concerned."""

    experiment: str
    versions: tuple[int, ...]
    """Those of the arms on trial, without the control."""


@dataclass(frozen=True, slots=True)
class Channel:
    """A pointer to the version that inputs are judged with."""

    channel: str
    version: int
    revision: int
    freeze_time: datetime | None
    update_time: datetime
    trial: Trial | None = None
    plan: Plan | None = None


@dataclass(frozen=True, slots=True)
class Release:
    """One row of the release log."""

    revision: int
    operation: Operation
    channel: str | None
    from_version: int | None
    to_version: int
    marked_bad: bool
    reason: str
    actor: str
    automatic: bool
    create_time: datetime
    experiment: str | None = None
    evidence: str = ""
    """What an automatic decision was based on, as JSON."""
    planned_time: datetime | None = None

    @property
    def sequence(self) -> int:
        """Give its place in the ruleset's log."""
        return self.revision


@dataclass(frozen=True, slots=True)
class Mark:
    """What a version's state becomes."""

    state: VersionState
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Ledger:
    """What a decision is based on: a ruleset's release state, locked against other decisions."""

    ruleset: str
    latest_version: int
    latest_revision: int
    time: datetime
    """When it was read, under its lock: what is decided on it happens at this time."""
    channels: Mapping[str, Channel]
    versions: Mapping[int, Version]
    """At least those that the command names, a channel points to or an experiment tries."""

    def version(self, number: int) -> Version:
        """Give a version; raise VersionNotFound."""
        if number not in self.versions:
            raise VersionNotFound(version=number, ruleset=self.ruleset)
        return self.versions[number]

    def good_version(self, number: int) -> Version:
        """Give a version that may be judged with; raise VersionNotFound, VersionBad, VersionRetired."""
        return check_good(self.ruleset, self.version(number))

    def channel(self, name: str) -> Channel:
        """Give a channel; raise ChannelNotFound."""
        if name not in self.channels:
            raise ChannelNotFound(ruleset=self.ruleset, channel=name)
        return self.channels[name]


@dataclass(frozen=True, slots=True)
class Actor:
    """Who decides, and why."""

    subject: str
    reason: str
    automatic: bool = False
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """What to write, in one transaction. An unchanged decision writes nothing."""

    release: Release | None = None
    channel: Channel | None = None
    """As it is afterwards."""
    marks: Mapping[int, Mark] | None = None
    ended_experiment: str | None = None
    """The experiment that ends with it."""

    @property
    def changed(self) -> bool:
        """Tell whether there is something to write."""
        return self.release is not None


@dataclass(frozen=True, slots=True)
class Promotion:
    """The wish to point a channel to a version."""

    channel: str
    version: int
    expected_revision: int | None = None
    activate_time: datetime | None = None
    """None: now."""


@dataclass(frozen=True, slots=True)
class Rollback:
    """The wish to point a channel back."""

    channel: str
    target_version: int | None = None
    source_version: int | None = None
    """The version that is to be left: where it would be another by now, the channel stays as it is."""
    expected_revision: int | None = None
    keep_source_good: bool = False
    allow_bad_target: bool = False
    freeze: timedelta = DEFAULT_FREEZE
    blamed: tuple[int, ...] = ()
    """Of the versions on trial, those that are marked bad; all, if none is named."""


def check_good(ruleset: str, version: Version) -> Version:
    """Give a version that may be judged with; raise VersionBad, VersionRetired."""
    if version.state is VersionState.BAD:
        raise VersionBad(version=version.number, ruleset=ruleset, bad_reason=version.state_reason)
    if version.state is VersionState.RETIRED:
        raise VersionRetired(version=version.number, ruleset=ruleset, retire_reason=version.state_reason)
    return version


def publish(ledger: Ledger, version: Version, actor: Actor) -> Decision:
    """Note that `version` was published."""
    return decided(ledger, row(ledger, Operation.PUBLISH, actor, to_version=version.number))


def promote(ledger: Ledger, wish: Promotion, actor: Actor) -> Decision:
    """Decide a promotion: refuse unusable versions, stale views, and automatic ones while the channel is frozen.

    A wish for a time to come is a plan, which takes the place of the plan there is.
    """
    ledger.version(wish.version)
    channel = ledger.channels.get(wish.channel)
    check_revision(ledger, wish.channel, channel, wish.expected_revision)
    ledger.good_version(wish.version)
    check_freeze(ledger, channel, actor)
    if wish.activate_time is not None and wish.activate_time > ledger.time:
        return _plan(ledger, ledger.channel(wish.channel), wish.version, wish.activate_time, actor)
    if channel and channel.version == wish.version and channel.plan is None:
        return Decision(channel=channel)
    if channel and channel.trial:
        raise ExperimentUnderWay(experiment=channel.trial.experiment, channel=wish.channel, ruleset=ledger.ruleset)
    return point(ledger, wish.channel, wish.version, actor)


def point(ledger: Ledger, name: str, version: int, actor: Actor) -> Decision:
    """Give the decision to point a channel to a version, its plan and its experiment ended."""
    channel = ledger.channels.get(name)
    release = row(
        ledger,
        Operation.PROMOTE,
        actor,
        to_version=version,
        channel=name,
        from_version=channel.version if channel else None,
        experiment=channel.trial.experiment if channel and channel.trial else None,
    )
    freeze_time = channel.freeze_time if channel else None
    moved = Channel(name, version, release.revision, freeze_time, ledger.time)
    return decided(ledger, release, moved, ended_experiment=release.experiment)


def _plan(ledger: Ledger, channel: Channel, version: int, time: datetime, actor: Actor) -> Decision:
    release = replace(
        row(ledger, Operation.PLAN, actor, to_version=version, channel=channel.channel, from_version=channel.version),
        planned_time=time,
    )
    plan = Plan(version, time, actor.reason, actor.subject)
    return decided(ledger, release, replace(channel, plan=plan, revision=release.revision, update_time=ledger.time))


def carry_out_plan(ledger: Ledger, name: str) -> Decision:
    """Decide what becomes of a channel's plan whose time has come: the promotion, or its end where that is refused."""
    channel = ledger.channels.get(name)
    if channel is None or channel.plan is None or channel.plan.time > ledger.time:
        return Decision(channel=channel)
    plan = channel.plan
    actor = Actor(plan.actor, plan.reason)
    version = ledger.version(plan.version)
    if version.state is VersionState.PUBLISHED and channel.trial is None:
        return point(ledger, name, plan.version, actor)
    release = row(ledger, Operation.UNPLAN, actor, to_version=plan.version, channel=name, from_version=channel.version)
    return decided(ledger, release, replace(channel, plan=None, revision=release.revision, update_time=ledger.time))


def rollback(ledger: Ledger, wish: Rollback, actor: Actor, visited: Sequence[int]) -> Decision:
    """Decide a rollback. `visited` are the versions that the channel pointed to before, the last one first.

    The version left is marked bad unless `keep_source_good`; a bad target needs `allow_bad_target`, which clears its
    mark: nothing may be judged with a version that is still called bad. An experiment and a plan end with it. Where the
    channel keeps pointing where it does, the versions left are those on trial. Only a person marks a version that
    another channel points to, for nothing is judged by that channel afterwards.
    """
    channel = ledger.channel(wish.channel)
    check_revision(ledger, wish.channel, channel, wish.expected_revision)
    if wish.source_version not in (None, channel.version, *(channel.trial.versions if channel.trial else ())):
        return Decision(channel=channel)
    target = _rollback_target(ledger, wish, channel, visited)
    left: Sequence[int] = (channel.version,)
    if target.number == channel.version:
        if channel.trial is None:
            return Decision(channel=channel)
        left = wish.blamed or channel.trial.versions
    if wish.source_version not in (None, *left):
        return Decision(channel=channel)
    kept = {it.version for it in ledger.channels.values() if actor.automatic and it.channel != wish.channel}
    marks = {
        number: Mark(VersionState.BAD, actor.reason)
        for number in left
        if not wish.keep_source_good and number not in kept and ledger.version(number).state is VersionState.PUBLISHED
    }
    marked_bad = bool(marks)
    if target.state is VersionState.BAD:
        marks[target.number] = Mark(VersionState.PUBLISHED)
    release = replace(
        row(
            ledger,
            Operation.ROLLBACK,
            actor,
            to_version=target.number,
            channel=wish.channel,
            from_version=left[0],
            experiment=channel.trial.experiment if channel.trial else None,
        ),
        marked_bad=marked_bad,
    )
    moved = Channel(wish.channel, target.number, release.revision, ledger.time + wish.freeze, ledger.time)
    return decided(ledger, release, moved, marks, ended_experiment=release.experiment)


def mark_bad(ledger: Ledger, number: int, actor: Actor) -> Decision:
    """Decide to mark a version bad; refuse while a channel points to it. An experiment that tries it is stopped."""
    version = ledger.version(number)
    if version.state is VersionState.BAD:
        return Decision()
    check_good(ledger.ruleset, version)
    _check_unused(ledger, number)
    trying = next((it for it in ledger.channels.values() if it.trial and number in it.trial.versions), None)
    release = row(
        ledger,
        Operation.MARK_BAD,
        actor,
        to_version=number,
        channel=trying.channel if trying else None,
        experiment=trying.trial.experiment if trying and trying.trial else None,
    )
    channel = replace(trying, trial=None, revision=release.revision, update_time=ledger.time) if trying else None
    marks = {number: Mark(VersionState.BAD, actor.reason)}
    return decided(ledger, release, channel, marks, ended_experiment=release.experiment)


def mark_good(ledger: Ledger, number: int, actor: Actor) -> Decision:
    """Decide to take a bad mark back; refuse what was retired."""
    version = ledger.version(number)
    if version.state is VersionState.PUBLISHED:
        return Decision()
    if version.state is VersionState.RETIRED:
        check_good(ledger.ruleset, version)
    marks = {number: Mark(VersionState.PUBLISHED)}
    return decided(ledger, row(ledger, Operation.MARK_GOOD, actor, to_version=number), marks=marks)


def retire(ledger: Ledger, number: int, actor: Actor) -> Decision:
    """Decide to take a version out of use for good; refuse while a channel points to it or an experiment tries it."""
    version = ledger.version(number)
    if version.state is VersionState.RETIRED:
        return Decision()
    _check_unused(ledger, number)
    for channel in ledger.channels.values():
        if channel.trial and number in channel.trial.versions:
            raise ExperimentUnderWay(
                experiment=channel.trial.experiment, channel=channel.channel, ruleset=ledger.ruleset
            )
    marks = {number: Mark(VersionState.RETIRED, actor.reason)}
    return decided(ledger, row(ledger, Operation.RETIRE, actor, to_version=number), marks=marks)


def decided(
    ledger: Ledger,
    release: Release,
    channel: Channel | None = None,
    marks: Mapping[int, Mark] | None = None,
    *,
    ended_experiment: str | None = None,
) -> Decision:
    """Give the decision; raise ImpossibleTransition if it moves a version as the table does not allow."""
    for number, mark in (marks or {}).items():
        move = ledger.version(number).state, mark.state
        if release.operation not in VERSION_TRANSITIONS.get(move, ()):
            raise ImpossibleTransition("a version", *move, release.operation)
    return Decision(release, channel, marks, ended_experiment)


def _check_unused(ledger: Ledger, number: int) -> None:
    for channel in ledger.channels.values():
        if channel.version == number:
            raise VersionInUse(version=number, ruleset=ledger.ruleset, channel=channel.channel)


def _rollback_target(ledger: Ledger, wish: Rollback, channel: Channel, visited: Sequence[int]) -> Version:
    named = wish.target_version
    if named is None and channel.trial:
        named = channel.version
    if named is not None:
        target = ledger.version(named)
        may_be_bad = wish.allow_bad_target and target.state is VersionState.BAD
        return target if may_be_bad else check_good(ledger.ruleset, target)
    for number in visited:
        if number != channel.version and ledger.version(number).state is VersionState.PUBLISHED:
            return ledger.version(number)
    raise NoRollbackTarget(channel=wish.channel, ruleset=ledger.ruleset)


def check_freeze(ledger: Ledger, channel: Channel | None, actor: Actor) -> None:
    """Raise ChannelFrozen if no person decides and a rollback froze the channel."""
    if actor.automatic and channel and channel.freeze_time and ledger.time < channel.freeze_time:
        until = channel.freeze_time.isoformat(timespec="seconds")
        raise ChannelFrozen(channel=channel.channel, ruleset=ledger.ruleset, freeze_time=until)


def check_revision(ledger: Ledger, name: str, channel: Channel | None, expected: int | None) -> None:
    """Raise RevisionMismatch unless the channel's revision is the expected one, if there is one."""
    revision = channel.revision if channel else 0
    if expected is not None and expected != revision:
        raise RevisionMismatch(channel=name, ruleset=ledger.ruleset, revision=revision, expected_revision=expected)


def row(
    ledger: Ledger,
    operation: Operation,
    actor: Actor,
    *,
    to_version: int,
    channel: str | None = None,
    from_version: int | None = None,
    experiment: str | None = None,
) -> Release:
    """Give the next row of the log."""
    return Release(
        revision=ledger.latest_revision + 1,
        operation=operation,
        channel=channel,
        from_version=from_version,
        to_version=to_version,
        marked_bad=False,
        reason=actor.reason,
        actor=actor.subject,
        automatic=actor.automatic,
        create_time=ledger.time,
        experiment=experiment,
        evidence=actor.evidence,
    )
