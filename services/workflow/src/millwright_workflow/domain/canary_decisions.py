"""Decisions about canaries: they begin, step on, are promoted and are taken back.

As in `releases`, each function takes the state as it is locked and a wish, and gives what to write. A rollback, which
ends a canary too, is decided there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from millwright_workflow.domain.canaries import Canary, CanaryState, CanaryStep
from millwright_workflow.domain.errors import CanaryIsStable, CanaryUnderWay, NoCanary
from millwright_workflow.domain.releases import (
    Actor,
    Channel,
    Decision,
    Ledger,
    Operation,
    check_freeze,
    check_revision,
    decided,
    point,
    row,
)


@dataclass(frozen=True, slots=True)
class CanaryStart:
    """The wish to try a version."""

    channel: str
    version: int
    steps: tuple[CanaryStep, ...]
    promote_at_end: bool = False
    expected_revision: int | None = None


@dataclass(frozen=True, slots=True)
class CanaryMove:
    """The wish to step a canary on, or to take it back."""

    channel: str
    expected_revision: int | None = None
    mark_bad: bool = False


def start(ledger: Ledger, wish: CanaryStart, actor: Actor) -> Decision:
    """Decide to begin a canary; refuse bad versions, the channel's own, and a second canary."""
    channel = ledger.channel(wish.channel)
    ledger.version(wish.version)
    check_revision(ledger, wish.channel, channel, wish.expected_revision)
    ledger.good_version(wish.version)
    if channel.canary is not None:
        raise CanaryUnderWay(channel=wish.channel, workflow=ledger.workflow, version=channel.canary.version)
    if channel.version == wish.version:
        raise CanaryIsStable(channel=wish.channel, workflow=ledger.workflow, version=wish.version)
    check_freeze(ledger, channel, actor)
    canary = Canary(
        version=wish.version,
        revision=ledger.latest_revision + 1,
        steps=wish.steps,
        promote_at_end=wish.promote_at_end,
        step=0,
        state=CanaryState.RUNNING,
        start_time=ledger.time,
        step_time=ledger.time,
    )
    return _with_canary(ledger, Operation.CANARY_START, channel, canary, actor)


def step(ledger: Ledger, wish: CanaryMove, actor: Actor) -> Decision:
    """Decide to move a canary to its next step; past the last, to promote its version."""
    channel, canary = _under_way(ledger, wish)
    ledger.good_version(canary.version)
    if canary.is_last_step:
        check_freeze(ledger, channel, actor)
        return point(ledger, wish.channel, canary.version, actor)
    moved = replace(canary, step=canary.step + 1, state=CanaryState.RUNNING, step_time=ledger.time, gates=())
    return _with_canary(ledger, Operation.CANARY_STEP, channel, moved, actor)


def abort(ledger: Ledger, wish: CanaryMove, actor: Actor) -> Decision:
    """Decide to take a canary back; its version is left, and marked bad if that is wished."""
    channel, canary = _under_way(ledger, wish)
    marked_bad = wish.mark_bad and not ledger.version(canary.version).is_bad
    release = replace(
        row(
            ledger,
            Operation.CANARY_ABORT,
            actor,
            channel=channel.channel,
            from_version=canary.version,
            to_version=channel.version,
        ),
        marked_bad=marked_bad,
    )
    marks = {canary.version: actor.reason} if marked_bad else {}
    cleared = replace(channel, revision=release.revision, update_time=ledger.time, canary=None)
    return decided(ledger, release, cleared, marks)


def _under_way(ledger: Ledger, wish: CanaryMove) -> tuple[Channel, Canary]:
    channel = ledger.channel(wish.channel)
    check_revision(ledger, wish.channel, channel, wish.expected_revision)
    if channel.canary is None:
        raise NoCanary(channel=wish.channel, workflow=ledger.workflow)
    return channel, channel.canary


def _with_canary(ledger: Ledger, operation: Operation, channel: Channel, canary: Canary, actor: Actor) -> Decision:
    release = replace(
        row(
            ledger,
            operation,
            actor,
            channel=channel.channel,
            from_version=channel.version,
            to_version=channel.version,
        ),
        canary_version=canary.version,
        canary_weight_bp=canary.current.weight_bp,
    )
    moved = replace(channel, revision=release.revision, update_time=ledger.time, canary=canary)
    return decided(ledger, release, moved)
