"""Releases: which version a channel points to, who moved it and why.

Each function takes the state as it is locked and a command, and gives the decision: what to write, all of it or
nothing. `docs/architecture/release-states.md` draws the states.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from types import MappingProxyType

from millwright_runtime.transitions import ImpossibleTransition

from millwright_workflow.domain.canaries import Canary, CanaryState
from millwright_workflow.domain.errors import (
    CanaryUnderWay,
    ChannelFrozen,
    ChannelNotFound,
    NoRollbackTarget,
    RevisionMismatch,
    VersionBad,
    VersionInUse,
    VersionNotFound,
)
from millwright_workflow.domain.gates import GateResult

DEFAULT_CHANNEL = "prod"
DEFAULT_FREEZE = timedelta(hours=1)


class Operation(Enum):
    """What a row of the release log did."""

    PUBLISH = "PUBLISH"
    PROMOTE = "PROMOTE"
    ROLLBACK = "ROLLBACK"
    MARK_BAD = "MARK_BAD"
    MARK_GOOD = "MARK_GOOD"
    CANARY_START = "CANARY_START"
    CANARY_STEP = "CANARY_STEP"
    CANARY_ABORT = "CANARY_ABORT"


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
        (VersionState.GOOD, VersionState.BAD): frozenset(
            {Operation.MARK_BAD, Operation.ROLLBACK, Operation.CANARY_ABORT}
        ),
        (VersionState.BAD, VersionState.GOOD): frozenset({Operation.MARK_GOOD, Operation.ROLLBACK}),
    }
)
"""Every move that a mark can make, with the operations that make it."""

_OF_CANARIES = frozenset({Operation.CANARY_START, Operation.CANARY_STEP, Operation.CANARY_ABORT})
CHANNEL_TRANSITIONS: Mapping[tuple[ChannelState, ChannelState], frozenset[Operation]] = MappingProxyType(
    {
        (ChannelState.ABSENT, ChannelState.POINTING): frozenset({Operation.PROMOTE}),
        (ChannelState.POINTING, ChannelState.POINTING): _OF_CANARIES | {Operation.PROMOTE, Operation.ROLLBACK},
        (ChannelState.POINTING, ChannelState.FROZEN): frozenset({Operation.ROLLBACK}),
        (ChannelState.FROZEN, ChannelState.FROZEN): _OF_CANARIES | {Operation.PROMOTE, Operation.ROLLBACK},
        (ChannelState.FROZEN, ChannelState.POINTING): frozenset({Operation.ROLLBACK}),
    }
)
"""Every move of a channel that is written. Besides, a frozen one thaws when its time has come; nobody writes that."""

_ENDS = frozenset({Operation.PROMOTE, Operation.ROLLBACK, Operation.CANARY_ABORT})
CANARY_TRANSITIONS: Mapping[tuple[CanaryState, CanaryState], frozenset[Operation]] = MappingProxyType(
    {
        (CanaryState.ABSENT, CanaryState.RUNNING): frozenset({Operation.CANARY_START}),
        (CanaryState.RUNNING, CanaryState.RUNNING): frozenset({Operation.CANARY_STEP}),
        (CanaryState.HELD, CanaryState.RUNNING): frozenset({Operation.CANARY_STEP}),
        (CanaryState.RUNNING, CanaryState.ABSENT): _ENDS,
        (CanaryState.HELD, CanaryState.ABSENT): _ENDS,
    }
)
"""Every move of a canary that the log has. Besides, a running one is held when its gates say so: no release, no row."""


class RunPolicy(Enum):
    """What a rollback does with the instances on the version left."""

    DRAIN = "DRAIN"
    PAUSE = "PAUSE"
    CANCEL = "CANCEL"
    CANCEL_COMPENSATE = "CANCEL_COMPENSATE"
    MIGRATE_COMPATIBLE = "MIGRATE_COMPATIBLE"
    FORK_FROM_COMMON = "FORK_FROM_COMMON"


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
    canary: Canary | None = None

    def state(self, time: datetime) -> ChannelState:
        """Give where it stands at `time`."""
        return ChannelState.FROZEN if self.freeze_time and time < self.freeze_time else ChannelState.POINTING

    @property
    def canary_state(self) -> CanaryState:
        """Give where its canary stands."""
        return self.canary.state if self.canary else CanaryState.ABSENT


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
    canary_version: int | None = None
    """That of the channel's canary afterwards."""
    canary_weight_bp: int = 0
    evidence: tuple[GateResult, ...] = ()
    """What an automatic decision was based on."""
    run_job: uuid.UUID | None = None
    """The job that carries its run policy out."""

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
    """At least those that the command names, a channel points to or a canary tries."""

    def version(self, number: int) -> Version:
        """Give a version; raise VersionNotFound."""
        if number not in self.versions:
            raise VersionNotFound(version=number, workflow=self.workflow)
        return self.versions[number]

    def good_version(self, number: int) -> Version:
        """Give a version that is not marked bad; raise VersionNotFound, VersionBad."""
        version = self.version(number)
        if version.is_bad:
            raise VersionBad(version=number, workflow=self.workflow, bad_reason=version.bad_reason)
        return version

    def channel(self, name: str) -> Channel:
        """Give a channel; raise ChannelNotFound."""
        if name not in self.channels:
            raise ChannelNotFound(workflow=self.workflow, channel=name)
        return self.channels[name]


@dataclass(frozen=True, slots=True)
class Actor:
    """Who decides, and why."""

    subject: str
    reason: str
    automatic: bool = False
    evidence: tuple[GateResult, ...] = ()


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
    source_version: int | None = None
    """The version that is to be left: where it would be another by now, the channel stays as it is."""
    expected_revision: int | None = None
    run_policy: RunPolicy = RunPolicy.DRAIN
    keep_source_good: bool = False
    allow_bad_target: bool = False
    freeze: timedelta = DEFAULT_FREEZE


def publish(ledger: Ledger, version: Version, actor: Actor) -> Decision:
    """Note that `version` was published."""
    return decided(ledger, row(ledger, Operation.PUBLISH, actor, to_version=version.number))


def promote(ledger: Ledger, wish: Promotion, actor: Actor) -> Decision:
    """Decide a promotion: refuse bad versions, stale views, and automatic ones while the channel is frozen.

    While a canary is under way, only a person's promotion of its version is taken: it ends the canary well.
    """
    ledger.version(wish.version)
    channel = ledger.channels.get(wish.channel)
    check_revision(ledger, wish.channel, channel, wish.expected_revision)
    ledger.good_version(wish.version)
    check_freeze(ledger, channel, actor)
    if channel and channel.version == wish.version:
        return Decision(channel=channel)
    if channel and channel.canary and (actor.automatic or channel.canary.version != wish.version):
        raise CanaryUnderWay(channel=wish.channel, workflow=ledger.workflow, version=channel.canary.version)
    return point(ledger, wish.channel, wish.version, actor)


def point(ledger: Ledger, name: str, version: int, actor: Actor) -> Decision:
    """Give the decision to point a channel to another version, its canary ended; what speaks against it is checked."""
    channel = ledger.channels.get(name)
    release = row(
        ledger,
        Operation.PROMOTE,
        actor,
        to_version=version,
        channel=name,
        from_version=channel.version if channel else None,
    )
    freeze_time = channel.freeze_time if channel else None
    moved = Channel(name, version, release.revision, freeze_time, ledger.time)
    return decided(ledger, release, moved)


def rollback(ledger: Ledger, wish: Rollback, actor: Actor, visited: Sequence[int]) -> Decision:
    """Decide a rollback. `visited` are the versions that the channel pointed to before, the last one first.

    The version left is marked bad unless `keep_source_good`; a bad target needs `allow_bad_target`, which clears its
    mark: nothing may run on a version that is still called bad. A canary ends with it. Where the channel keeps
    pointing where it does, which is so unless another target is named, the version left is the canary's.
    """
    channel = ledger.channel(wish.channel)
    check_revision(ledger, wish.channel, channel, wish.expected_revision)
    if wish.source_version not in (None, channel.version, *([channel.canary.version] if channel.canary else ())):
        return Decision(channel=channel)
    target = _rollback_target(ledger, wish, channel, visited)
    left = channel.version
    if target.number == left:
        if channel.canary is None:
            return Decision(channel=channel)
        left = channel.canary.version
    if wish.source_version not in (None, left):
        return Decision(channel=channel)

    marks: dict[int, str | None] = {}
    if not wish.keep_source_good and not ledger.version(left).is_bad:
        marks[left] = actor.reason
    if target.is_bad:
        marks[target.number] = None
    release = replace(
        row(ledger, Operation.ROLLBACK, actor, to_version=target.number, channel=wish.channel, from_version=left),
        marked_bad=left in marks,
        run_policy=wish.run_policy,
    )
    freeze_time = ledger.time + wish.freeze
    moved = Channel(wish.channel, target.number, release.revision, freeze_time, ledger.time)
    return decided(ledger, release, moved, marks)


def mark_bad(ledger: Ledger, number: int, actor: Actor) -> Decision:
    """Decide to mark a version bad; refuse while a channel points to it. It may be a canary's."""
    version = ledger.version(number)
    if version.is_bad:
        return Decision()
    for channel in ledger.channels.values():
        if channel.version == number:
            raise VersionInUse(version=number, workflow=ledger.workflow, channel=channel.channel)
    release = row(ledger, Operation.MARK_BAD, actor, to_version=number)
    return decided(ledger, release, marks={number: actor.reason})


def mark_good(ledger: Ledger, number: int, actor: Actor) -> Decision:
    """Decide to take a bad mark back."""
    if not ledger.version(number).is_bad:
        return Decision()
    return decided(ledger, row(ledger, Operation.MARK_GOOD, actor, to_version=number), marks={number: None})


def decided(
    ledger: Ledger, release: Release, channel: Channel | None = None, marks: Mapping[int, str | None] | None = None
) -> Decision:
    """Give the decision; raise ImpossibleTransition if it moves something as no table allows."""
    cause, time = release.operation, release.create_time
    if channel is not None:
        known = ledger.channels.get(channel.channel)
        channel_move = known.state(time) if known else ChannelState.ABSENT, channel.state(time)
        if cause not in CHANNEL_TRANSITIONS.get(channel_move, ()):
            raise ImpossibleTransition("a channel", *channel_move, cause)
        canary_move = known.canary_state if known else CanaryState.ABSENT, channel.canary_state
        if set(canary_move) != {CanaryState.ABSENT} and cause not in CANARY_TRANSITIONS.get(canary_move, ()):
            raise ImpossibleTransition("a canary", *canary_move, cause)
    for number, bad_reason in (marks or {}).items():
        version_move = ledger.version(number).state, _state_of_mark(bad_reason)
        if cause not in VERSION_TRANSITIONS.get(version_move, ()):
            raise ImpossibleTransition("a version", *version_move, cause)
    return Decision(release, channel, marks)


def _state_of_mark(bad_reason: str | None) -> VersionState:
    return VersionState.GOOD if bad_reason is None else VersionState.BAD


def _rollback_target(ledger: Ledger, wish: Rollback, channel: Channel, visited: Sequence[int]) -> Version:
    named = wish.target_version
    if named is None and channel.canary:
        named = channel.version
    if named is not None:
        return ledger.version(named) if wish.allow_bad_target else ledger.good_version(named)
    for number in visited:
        if number != channel.version and not ledger.version(number).is_bad:
            return ledger.version(number)
    raise NoRollbackTarget(channel=wish.channel, workflow=ledger.workflow)


def check_freeze(ledger: Ledger, channel: Channel | None, actor: Actor) -> None:
    """Raise ChannelFrozen if no person decides and a rollback froze the channel."""
    if actor.automatic and channel and channel.freeze_time and channel.state(ledger.time) is ChannelState.FROZEN:
        until = channel.freeze_time.isoformat(timespec="seconds")
        raise ChannelFrozen(channel=channel.channel, workflow=ledger.workflow, freeze_time=until)


def check_revision(ledger: Ledger, name: str, channel: Channel | None, expected: int | None) -> None:
    """Raise RevisionMismatch unless the channel's revision is the expected one, if there is one."""
    revision = channel.revision if channel else 0
    if expected is not None and expected != revision:
        raise RevisionMismatch(channel=name, workflow=ledger.workflow, revision=revision, expected_revision=expected)


def row(
    ledger: Ledger,
    operation: Operation,
    actor: Actor,
    *,
    to_version: int,
    channel: str | None = None,
    from_version: int | None = None,
) -> Release:
    """Give the next row of the log."""
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
        evidence=actor.evidence,
    )
