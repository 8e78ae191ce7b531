"""Judges a run: whether what is there is what callers were told, each thing once, and whether all came to an end.

It is given what was observed and returns the violations in words, none if all is well. It asks nobody and calls
nothing, so that its own tests can show that it finds what is wrong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from tests.chaos.book import Call, Stream, Work

ENDS = {
    "instance": {"COMPLETED", "CANCELLED"},
    "crossing": {"COMPLETED"},
    "inspection": {"COMPLETED"},
    "replay": {"COMPLETED"},
    "run": {"COMPLETED"},
    "install": {"COMPLETED"},
}
"""How works of a kind may end."""
CLOCKS_DIFFER = timedelta(seconds=0.5)
"""By how much: results have the database's time, as a replica carries it on."""
HEARD_WITHIN = timedelta(seconds=30)
"""How long what runs an instance can be kept from hearing that it is to end: frozen, its server too, and killed."""
SHOWN = 5


@dataclass(frozen=True, slots=True)
class Result:
    """When a task's result was committed, by the database's time. The path is what the task calls."""

    path: str
    time: datetime


@dataclass(frozen=True, slots=True)
class Request:
    """A call that a task made outside: when, and with which idempotency key."""

    path: str
    time: datetime
    key: str


@dataclass(frozen=True, slots=True)
class Cancellation:
    """What a caller was told: that an instance will be cancelled for a reason."""

    instance: str
    reason: str
    time: datetime


@dataclass(frozen=True, slots=True)
class Cancelled:
    """What is there of an instance that was to be cancelled: for which reason, and how and when it ended."""

    reason: str
    state: str
    end_time: datetime


@dataclass(frozen=True, slots=True)
class Crossing:
    """What an instance that asked other services for something was answered."""

    instance: str
    run: str
    operation: str
    pieces: float
    """In the facts, as they were when it read them."""


def check_calls(calls: Iterable[Call]) -> list[str]:
    """Return the calls that were never answered."""
    return [f"{call.service} {call.kind} {call.id} was never answered" for call in calls if call.end is None]


def check_told(told: Mapping[str, Counter[str]], held: Mapping[str, Iterable[str]]) -> list[str]:
    """Return what was acknowledged and is not there, what is there and was told to nobody, and what two calls made.

    Every call was repeated until it was answered: so what nobody was told of was made by a call that made another, too.
    """
    violations = []
    for kind in sorted(told.keys() | held.keys()):
        known, there = told.get(kind, Counter()), Counter(held.get(kind, ()))
        violations += _some(f"{kind} was acknowledged and is lost", known.keys() - there.keys())
        violations += _some(f"{kind} is there and was told to nobody", there.keys() - known.keys())
        violations += _some(f"{kind} is there twice", {name for name, count in there.items() if count > 1})
        violations += _some(f"{kind} is the answer to two calls", {name for name, count in known.items() if count > 1})
    return violations


def check_streams(streams: Iterable[Stream]) -> list[str]:
    """Return the watches that had a gap or a repeat, did not begin at the first event, or did not come to their end."""
    violations = []
    for stream in streams:
        where = f"{stream.kind} of {stream.name}"
        if not stream.has_ended:
            violations.append(f"{where} did not come to its end; it came to {stream.sequences[-1:]}")
        if stream.sequences and stream.sequences[0] != 1:
            violations.append(f"{where} begins at {stream.sequences[0]}")
        violations += [f"{where} goes from {a} to {b}" for a, b in pairwise(stream.sequences) if b != a + 1]
    return violations


def check_works(works: Iterable[Work], tasks: Mapping[str, Sequence[str]]) -> list[str]:
    """Return what has not ended, what ended as it should not, and instances whose tasks were not done once each.

    `tasks` are those of each kind of work that has some, in their order.
    """
    violations = []
    for work in works:
        if work.end is None:
            violations.append(f"{work.kind} {work.name} did not end")
        elif work.state not in ENDS[work.kind]:
            violations.append(f"{work.kind} {work.name} ended as {work.state}")
        elif work.kind in tasks and not _are_tasks(work, tasks[work.kind]):
            violations.append(f"{work.name} ended as {work.state} after {work.steps}")
    return violations


def check_outside(requests: Iterable[Request], results: Iterable[Result]) -> list[str]:
    """Return calls that were made again though they had a result, or with another key than before."""
    times = {result.path: result.time for result in results}
    keys: dict[str, str] = {}
    violations = []
    for request in requests:
        if request.path in times and request.time > times[request.path] + CLOCKS_DIFFER:
            violations.append(f"{request.path} was called after it had a result")
        if keys.setdefault(request.path, request.key) != request.key:
            violations.append(f"{request.path} was called with two keys")
    missing = times.keys() - keys.keys()
    return violations + _some("has a result and was never called", missing)


def check_cancellations(told: Iterable[Cancellation], held: Mapping[str, Cancelled]) -> list[str]:
    """Return the cancellations that are lost, and the instances that went on after theirs.

    `held` is by instance. One that was about to complete may do so before what runs it hears of the wish.
    """
    violations = []
    for each in told:
        there = held.get(each.instance)
        if there is None or there.reason != each.reason:
            violations.append(f"the cancellation of {each.instance} was acknowledged and is lost")
        elif there.state != "CANCELLED" and there.end_time > each.time + HEARD_WITHIN:
            after = (there.end_time - each.time).total_seconds()
            violations.append(f"{each.instance} is {there.state} {after:.0f} s after its cancellation was acknowledged")
    return violations


def check_amount(what: str, told: float, held: float) -> list[str]:
    """Return whether an amount is not what was acknowledged."""
    return [] if told == held else [f"{what}: {told:,} were acknowledged, {held:,} are there"]


def check_live(told: Mapping[str, str], held: Mapping[str, str]) -> list[str]:
    """Return the modules that have another version live than the one that was made live last."""
    return [f"{code} has {held[code]} live, not {version}" for code, version in told.items() if held[code] != version]


def check_crossings(
    crossings: Iterable[Crossing], requesters: Mapping[str, str], piece: float, pieces: float
) -> list[str]:
    """Return what instances were told by other services and is not so.

    `requesters` says of each run and operation that is there which instance asked for it. There may be more runs: of
    an attempt whose answer was lost. One install stands for all that ask for the same. Facts only ever grow, by whole
    rows of so many `piece`s, and come to `pieces` in the end.
    """
    violations = []
    for each in crossings:
        lost = [name for name in (each.run, each.operation) if name not in requesters]
        violations += [f"{each.instance} was told of {name}, which is lost" for name in lost]
        if (asked := requesters.get(each.run, each.instance)) != each.instance:
            violations.append(f"{each.instance} was told of {each.run}, which {asked} asked for")
        if each.pieces % piece or not 0 <= each.pieces <= pieces:
            violations.append(f"{each.instance} read {each.pieces:,} pieces, of {pieces:,}")
    return violations


def _are_tasks(work: Work, tasks: Sequence[str]) -> bool:
    is_whole = len(work.steps) == len(tasks) or work.state == "CANCELLED"
    return is_whole and work.steps == list(tasks[: len(work.steps)])


def _some(what: str, names: Iterable[str]) -> list[str]:
    """Return a violation that names a few of many."""
    found = sorted(names)
    return [f"{what}: {len(found)}, such as {', '.join(found[:SHOWN])}"] if found else []
