"""Judges what happened to a workflow: whether its release log is one line, and whether instances began where they may.

It is given what was observed and returns the violations in words, none if all is well. It asks nobody and calls
nothing, so that its own tests can show that it finds what is wrong.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Move:
    """A row of the release log."""

    revision: int
    operation: str  # PUBLISH, PROMOTE, ROLLBACK, MARK_BAD, MARK_GOOD, CANARY_START, CANARY_STEP, CANARY_ABORT
    channel: str = ""
    from_version: int = 0
    to_version: int = 0
    marked_bad: bool = False
    commit_time: int = 0  # microseconds, by the database
    canary_version: int = 0  # of the channel's canary afterwards


@dataclass(frozen=True, slots=True)
class Begin:
    """An instance that began."""

    instance: str
    channel: str  # empty if it was started on a version by number
    version: int
    commit_time: int  # of its STARTED event; microseconds, by the database
    call_time: float  # when its start was asked for, by the client


@dataclass(frozen=True, slots=True)
class Answer:
    """A rollback, or an abort of a canary, that was answered."""

    revision: int
    time: float  # by the client


@dataclass(slots=True)
class State:
    """What the log says of a workflow after some of its rows."""

    revision: int = 0
    latest_version: int = 0
    channels: dict[str, int] = field(default_factory=dict)
    canaries: dict[str, int] = field(default_factory=dict)
    bad: set[int] = field(default_factory=set)


def replay(moves: Iterable[Move]) -> tuple[State, list[str]]:
    """Go through the log in order; return where it leads, and each row that does not follow from those before."""
    state = State()
    violations: list[str] = []
    for move in moves:
        faults = [fault for fault, is_so in _faults(state, move) if is_so]
        violations += [f"revision {move.revision}, {move.operation}: {fault}" for fault in faults]
        _apply(state, move)
    return state, violations


def check_begins(moves: Sequence[Move], begins: Iterable[Begin]) -> list[str]:
    """Return the instances that began on a version that, in the order of commits, was bad or was not the channel's."""
    times = [move.commit_time for move in moves]
    if times != sorted(times):
        return ["the log is not in the order of its commits"]
    states = list(_states(moves))
    violations = []
    for begin in begins:
        # Claim and move exclude each other by a lock that is held to the commit. So either committed first, and within
        # the same microsecond it may have been either.
        possible = states[bisect_left(times, begin.commit_time) : bisect_right(times, begin.commit_time) + 1]
        if not any(_may_begin(state, begin) for state in possible):
            state = possible[0]
            violations.append(
                f"{begin.instance} began on version {begin.version} after revision {state.revision}, with "
                f"{begin.channel or 'no channel'} at {state.channels.get(begin.channel)} and bad {sorted(state.bad)}"
            )
    return violations


def check_answers(moves: Sequence[Move], begins: Iterable[Begin], answers: Iterable[Answer]) -> list[str]:
    """Return the instances that were asked for after a rollback's answer and yet began on the version it had left.

    By the client's clock alone, so a version to which the log came back later is no violation.
    """
    states = list(_states(moves))
    known = list(answers)
    violations = []
    for begin in begins:
        latest = max((answer.revision for answer in known if answer.time < begin.call_time), default=0)
        if not any(_may_begin(state, begin) for state in states[latest:]):
            violations.append(f"{begin.instance} began on version {begin.version}, left before revision {latest}")
    return violations


def _faults(state: State, move: Move) -> Sequence[tuple[str, bool]]:
    """Return what could be wrong with a row, and whether it is."""
    pointed = state.channels.get(move.channel, 0)
    leaves_canary = _leaves_canary(state, move)
    moves_channel = move.operation in ("PROMOTE", "ROLLBACK") and not leaves_canary
    return (
        *_faults_of_canaries(state, move),
        ("moves the channel with its canary", leaves_canary and move.to_version != pointed),
        (f"follows revision {state.revision}", move.revision != state.revision + 1),
        (f"leaves {move.from_version}, the channel was at {pointed}", moves_channel and move.from_version != pointed),
        ("goes nowhere", moves_channel and move.to_version == pointed),
        ("goes to a version nobody published", move.operation != "PUBLISH" and move.to_version > state.latest_version),
        ("skips a number", move.operation == "PUBLISH" and move.to_version != state.latest_version + 1),
        ("promotes a bad version", move.operation == "PROMOTE" and move.to_version in state.bad),
        ("rolls back a channel that is not there", move.operation == "ROLLBACK" and not pointed),
        ("marks what is marked", move.marked_bad and move.from_version in state.bad),
        ("marks what is marked", move.operation == "MARK_BAD" and move.to_version in state.bad),
        ("marks what a channel points to", move.operation == "MARK_BAD" and move.to_version in state.channels.values()),
        ("clears what is good", move.operation == "MARK_GOOD" and move.to_version not in state.bad),
    )


def _faults_of_canaries(state: State, move: Move) -> Sequence[tuple[str, bool]]:
    pointed, tried = state.channels.get(move.channel, 0), state.canaries.get(move.channel, 0)
    is_start, is_step = (move.operation == f"CANARY_{name}" for name in ("START", "STEP"))
    return (
        ("begins a second canary", is_start and tried != 0),
        ("tries what the channel points to", is_start and move.canary_version == pointed),
        ("tries another version", is_step and not 0 < move.canary_version == tried),
        ("tries a bad version", move.canary_version in state.bad),
        ("moves the channel", (is_start or is_step) and move.to_version != pointed),
        ("goes on with a canary", not (is_start or is_step) and move.canary_version != 0),
        ("aborts no canary", move.operation == "CANARY_ABORT" and not 0 < move.from_version == tried),
        ("promotes past a canary", move.operation == "PROMOTE" and tried not in (0, move.to_version)),
    )


def _leaves_canary(state: State, move: Move) -> bool:
    return move.operation in ("ROLLBACK", "CANARY_ABORT") and 0 < move.from_version == state.canaries.get(move.channel)


def _apply(state: State, move: Move) -> None:
    state.revision = move.revision
    if move.channel:
        state.canaries[move.channel] = move.canary_version
    match move.operation:
        case "PUBLISH":
            state.latest_version = move.to_version
        case "PROMOTE":
            state.channels[move.channel] = move.to_version
        case "ROLLBACK":
            state.channels[move.channel] = move.to_version
            state.bad.discard(move.to_version)
            if move.marked_bad:
                state.bad.add(move.from_version)
        case "CANARY_ABORT" if move.marked_bad:
            state.bad.add(move.from_version)
        case "MARK_BAD":
            state.bad.add(move.to_version)
        case "MARK_GOOD":
            state.bad.discard(move.to_version)


def _may_begin(state: State, begin: Begin) -> bool:
    offered = (state.channels.get(begin.channel), state.canaries.get(begin.channel))
    is_channels = not begin.channel or begin.version in offered
    return is_channels and begin.version not in state.bad


def _states(moves: Iterable[Move]) -> Iterator[State]:
    """Give the state before the first move and after each."""
    state = State()
    yield deepcopy(state)
    for move in moves:
        _apply(state, move)
        yield deepcopy(state)
