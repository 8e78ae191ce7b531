"""Releases: which version a channel points to, who moved it and why.

Each function takes the state as it is locked and a command, and gives the decision: what to write, all of it or
nothing. `docs/architecture/release-states.md` draws the states.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from types import MappingProxyType

from millwright_workflow.domain.errors import (
    ChannelFrozen,
    ChannelNotFound,
    NoRollbackTarget,
    RevisionMismatch,
    RunPolicyUnavailable,
    VersionBad,
    VersionInUse,
    VersionNotFound,
)
from millwright_workflow.domain.transitions import ImpossibleTransition

DEFAULT_CHANNEL = "prod"
DEFAULT_FREEZE = timedelta(hours=1)


class Operation(Enum):
    """What a row of the release log did."""

    PUBLISH = "PUBLISH"
    PROMOTE = "PROMOTE"
    ROLLBACK = "ROLLBACK"
    MARK_BAD = "MARK_BAD"
    MARK_GOOD = "MARK_GOOD"


class VersionState(Enum):
    """Whether a version may be released. It is good from its publication on."""

    GOOD = "GOOD"
    BAD = "BAD"


class ChannelState(Enum):
    """Where a channel stands."""

    ABSENT = "ABSENT"
    POINTING = "POINTING"
    FROZEN = "FROZEN"
    """It points, and takes no automatic promotions until its freeze_time."""


VERSION_TRANSITIONS: Mapping[tuple[VersionState, VersionState], frozenset[Operation]] = MappingProxyType(
    {
        (VersionState.GOOD, VersionState.BAD): frozenset({Operation.MARK_BAD, Operation.ROLLBACK}),
        (VersionState.BAD, VersionState.GOOD): frozenset({Operation.MARK_GOOD, Operation.ROLLBACK}),
    }
)
"""Every move that a mark can make, with the operations that make it."""

CHANNEL_TRANSITIONS: Mapping[tuple[ChannelState, ChannelState], frozenset[Operation]] = MappingProxyType(
    {
        (ChannelState.ABSENT, ChannelState.POINTING): frozenset({Operation.PROMOTE}),
        (ChannelState.POINTING, ChannelState.POINTING): frozenset({Operation.PROMOTE, Operation.ROLLBACK}),
        (ChannelState.POINTING, ChannelState.FROZEN): frozenset({Operation.ROLLBACK}),
        (ChannelState.FROZEN, ChannelState.FROZEN): frozenset({Operation.PROMOTE, Operation.ROLLBACK}),
        (ChannelState.FROZEN, ChannelState.POINTING): frozenset({Operation.ROLLBACK}),
    }
)
"""Every move of a channel that is written. Besides, a frozen one thaws when its time has come; nobody writes that."""


class RunPolicy(Enum):
    """What a rollback does with the instances on the version left."""

    DRAIN = "DRAIN"
    PAUSE = "PAUSE"
    CANCEL = "CANCEL"
    MIGRATE_COMPATIBLE = "MIGRATE_COMPATIBLE"
    FORK_FROM_COMMON = "FORK_FROM_COMMON"


_AVAILABLE_POLICIES = frozenset({RunPolicy.DRAIN, RunPolicy.PAUSE, RunPolicy.CANCEL})


@dataclass(frozen=True, slots=True)
class Version:
    """A published version, without its definition."""

    number: int
    semver: str
    content_hash: bytes
    bad_reason: str | None
    """None while it is good."""
    creator: str
    create_time: datetime

    @property
    def is_bad(self) -> bool:
        """Tell whether it is marked bad."""
        return self.state is VersionState.BAD

    @property
    def state(self) -> VersionState:
        """Give whether it may be released."""
        return _state_of_mark(self.bad_reason)


@dataclass(frozen=True, slots=True)
class Channel:
    """A pointer to the version that instances begin on."""

    channel: str
    version: int
    revision: int
    freeze_time: datetime | None
    update_time: datetime

    def state(self, time: datetime) -> ChannelState:
        """Give where it stands at `time`."""
        return ChannelState.FROZEN if self.freeze_time and time < self.freeze_time else ChannelState.POINTING


@dataclass(frozen=True, slots=True)
class Release:
    """One row of the release log."""

    revision: int
    operation: Operation
    channel: str | None
    from_version: int | None
    to_version: int
    marked_bad: bool
    run_policy: RunPolicy | None
    reason: str
    actor: str
    automatic: bool
    create_time: datetime

    @property
    def sequence(self) -> int:
        """Give its place in the workflow's log."""
        return self.revision


@dataclass(frozen=True, slots=True)
class Ledger:
    """What a decision is based on: a workflow's release state, locked against other decisions."""

    workflow: str
    latest_version: int
    latest_revision: int
    time: datetime
    """When it was read, under its lock: what is decided on it happens at this time."""
    channels: Mapping[str, Channel]
    versions: Mapping[int, Version]
    """At least those that the command names or a channel points to."""

    def version(self, number: int) -> Version:
        """Give a version; raise VersionNotFound."""
        if number not in self.versions:
            raise VersionNotFound(version=number, workflow=self.workflow)
        return self.versions[number]


@dataclass(frozen=True, slots=True)
class Actor:
    """Who decides, and why."""

    subject: str
    reason: str
    automatic: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """What to write, in one transaction. An unchanged decision writes nothing."""

    release: Release | None = None
    channel: Channel | None = None
    """As it is afterwards."""
    marks: Mapping[int, str | None] | None = None
    """New bad reasons by version; None clears the mark."""

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


@dataclass(frozen=True, slots=True)
class Rollback:
    """The wish to point a channel back."""

    channel: str
    target_version: int | None = None
    expected_revision: int | None = None
    run_policy: RunPolicy = RunPolicy.DRAIN
    keep_source_good: bool = False
    allow_bad_target: bool = False
    freeze: timedelta = DEFAULT_FREEZE


def publish(ledger: Ledger, version: Version, actor: Actor) -> Decision:
    """Note that `version` was published."""
    return _decided(ledger, _row(ledger, Operation.PUBLISH, actor, to_version=version.number))


def promote(ledger: Ledger, wish: Promotion, actor: Actor) -> Decision:
    """Decide a promotion: refuse bad versions, stale views, and automatic ones while the channel is frozen."""
    version = ledger.version(wish.version)
    channel = ledger.channels.get(wish.channel)
    _check_revision(ledger, wish.channel, channel, wish.expected_revision)
    if version.is_bad:
        raise VersionBad(version=version.number, workflow=ledger.workflow, bad_reason=version.bad_reason)
    if actor.automatic and channel and channel.freeze_time and channel.state(ledger.time) is ChannelState.FROZEN:
        until = channel.freeze_time.isoformat(timespec="seconds")
        raise ChannelFrozen(channel=wish.channel, workflow=ledger.workflow, freeze_time=until)
    if channel and channel.version == wish.version:
        return Decision(channel=channel)
    release = _row(
        ledger,
        Operation.PROMOTE,
        actor,
        to_version=wish.version,
        channel=wish.channel,
        from_version=channel.version if channel else None,
    )
    freeze_time = channel.freeze_time if channel else None
    moved = Channel(wish.channel, wish.version, release.revision, freeze_time, ledger.time)
    return _decided(ledger, release, moved)


def rollback(ledger: Ledger, wish: Rollback, actor: Actor, visited: Sequence[int]) -> Decision:
    """Decide a rollback. `visited` are the versions that the channel pointed to before, the last one first.

    The version left is marked bad unless `keep_source_good`; a bad target needs `allow_bad_target`, which clears its
    mark: nothing may run on a version that is still called bad.
    """
    if wish.run_policy not in _AVAILABLE_POLICIES:
        raise RunPolicyUnavailable(run_policy=wish.run_policy.value)
    channel = ledger.channels.get(wish.channel)
    if channel is None:
        raise ChannelNotFound(workflow=ledger.workflow, channel=wish.channel)
    _check_revision(ledger, wish.channel, channel, wish.expected_revision)
    target = _rollback_target(ledger, wish, channel, visited)
    if target.number == channel.version:
        return Decision(channel=channel)

    marks: dict[int, str | None] = {}
    if not wish.keep_source_good and not ledger.version(channel.version).is_bad:
        marks[channel.version] = actor.reason
    if target.is_bad:
        marks[target.number] = None
    release = replace(
        _row(ledger, Operation.ROLLBACK, actor, to_version=target.number, channel=wish.channel),
        from_version=channel.version,
        marked_bad=channel.version in marks,
        run_policy=wish.run_policy,
    )
    freeze_time = ledger.time + wish.freeze
    moved = Channel(wish.channel, target.number, release.revision, freeze_time, ledger.time)
    return _decided(ledger, release, moved, marks)


def mark_bad(ledger: Ledger, number: int, actor: Actor) -> Decision:
    """Decide to mark a version bad; refuse while a channel points to it."""
    version = ledger.version(number)
    if version.is_bad:
        return Decision()
    for channel in ledger.channels.values():
        if channel.version == number:
            raise VersionInUse(version=number, workflow=ledger.workflow, channel=channel.channel)
    row = _row(ledger, Operation.MARK_BAD, actor, to_version=number)
    return _decided(ledger, row, marks={number: actor.reason})


def mark_good(ledger: Ledger, number: int, actor: Actor) -> Decision:
    """Decide to take a bad mark back."""
    if not ledger.version(number).is_bad:
        return Decision()
    return _decided(ledger, _row(ledger, Operation.MARK_GOOD, actor, to_version=number), marks={number: None})


def _decided(
    ledger: Ledger, release: Release, channel: Channel | None = None, marks: Mapping[int, str | None] | None = None
) -> Decision:
    """Give the decision; raise ImpossibleTransition if it moves something as no table allows."""
    cause, time = release.operation, release.create_time
    if channel is not None:
        known = ledger.channels.get(channel.channel)
        channel_move = known.state(time) if known else ChannelState.ABSENT, channel.state(time)
        if cause not in CHANNEL_TRANSITIONS.get(channel_move, ()):
            raise ImpossibleTransition("a channel", *channel_move, cause)
    for number, bad_reason in (marks or {}).items():
        version_move = ledger.version(number).state, _state_of_mark(bad_reason)
        if cause not in VERSION_TRANSITIONS.get(version_move, ()):
            raise ImpossibleTransition("a version", *version_move, cause)
    return Decision(release, channel, marks)


def _state_of_mark(bad_reason: str | None) -> VersionState:
    return VersionState.GOOD if bad_reason is None else VersionState.BAD


def _rollback_target(ledger: Ledger, wish: Rollback, channel: Channel, visited: Sequence[int]) -> Version:
    if wish.target_version is not None:
        target = ledger.version(wish.target_version)
        if target.is_bad and not wish.allow_bad_target:
            raise VersionBad(version=target.number, workflow=ledger.workflow, bad_reason=target.bad_reason)
        return target
    for number in visited:
        if number != channel.version and not ledger.version(number).is_bad:
            return ledger.version(number)
    raise NoRollbackTarget(channel=wish.channel, workflow=ledger.workflow)


def _check_revision(ledger: Ledger, name: str, channel: Channel | None, expected: int | None) -> None:
    revision = channel.revision if channel else 0
    if expected is not None and expected != revision:
        raise RevisionMismatch(channel=name, workflow=ledger.workflow, revision=revision, expected_revision=expected)


def _row(
    ledger: Ledger,
    operation: Operation,
    actor: Actor,
    *,
    to_version: int,
    channel: str | None = None,
    from_version: int | None = None,
) -> Release:
    return Release(
        revision=ledger.latest_revision + 1,
        operation=operation,
        channel=channel,
        from_version=from_version,
        to_version=to_version,
        marked_bad=False,
        run_policy=None,
        reason=actor.reason,
        actor=actor.subject,
        automatic=actor.automatic,
        create_time=ledger.time,
    )
