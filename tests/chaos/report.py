"""The page about a run. Every figure is the book's."""

from __future__ import annotations

import os
import platform
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from tests.chaos.book import Book, Call, Stream
from tests.chaos.recovery import Recovery, recoveries
from tests.chaos.run import Course

ROOT = Path(__file__).parents[2]
INTRODUCTION = """# What chaos leaves

Written by `make chaos`; change nothing here by hand.

All four services ran in two replicas each, with Postgres, Valkey and NATS, as processes of their own on one machine.
Callers published, promoted and rolled back versions, started and cancelled instances, judged and replayed, landed rows
and ran the pipeline, installed modules and rolled them back, and watched all of it, some of them slowly; instances
judged, ran the pipeline, read the facts and installed a module over the other services, and others had workers measure
parts and people say yes to them. Each call was repeated, under the same id, until it was answered. Meanwhile a plan
made from a seed killed (SIGKILL), froze (SIGSTOP) and restarted replicas and servers, cut, reset and slowed the links
between them, wiped Valkey and NATS, and made the flushes of Postgres slow. Then all was mended, and what the services
held was compared with what the callers had been told.

A link is a proxy, and no network namespace: one between each replica and each server, and one between each replica of
the workflow service and each other service, which a fault calls a call. While it is cut, nothing passes and nothing is
refused; when it is reset, its connections end. A slow disk is a delay of each flush of Postgres. Not done here: packets
lost one by one, or one way only; harm to the links from callers to services, and from the modules service to those that
own what a package brings; a disk that lies about a flush; two machines.
"""
MEANING = """Violations are: something acknowledged that is not there, something that is there twice or that no call
was told of, an instance that began on a version that it may not begin on, a task called again after its result or under
another key, a cancellation of which nothing came for half a minute, a watch with a gap or a repeat, an instance,
replay, run or install that did not end or did not end well, rows or pieces that are not in the facts, an event that
stayed in an outbox, an answer that the contract does not name, and of an instance that asked other services: a judgment
that is there twice, a run or an install that is not what it was told, a part of a row in what it read.
"""
REFUSED = """A refused call was refused for a reason that its contract names, such as a rollback with nothing to go back
to.
"""
RECOVERY = """The first answer is the first acknowledged call to the harmed service that began after the fault, from the
fault on. Work ended: from the fault until all had ended that was under way then; it includes how long the work takes by
itself, and that a killed process stays away for up to 6 s and then has to start.
"""
RECOVERY_HEAD = ("fault", "times", "first answer: median s", "longest s", "work ended: median s", "longest s")


def page(course: Course) -> str:
    """Write the page."""
    book = course.book
    verdict = [f"- {violation}" for violation in course.violations] or ["None."]
    sections = (
        INTRODUCTION,
        _facts(course),
        "## Violations\n",
        *verdict,
        f"\n{MEANING}",
        "## Faults\n",
        _table(("fault", "times", "of what"), _faults(book)),
        "## Calls\n",
        _table(("service", "call", "acknowledged", "refused", "attempts", "median s", "longest s"), _calls(book)),
        REFUSED,
        "## What went on after its call\n",
        _table(("what", "ended", "median s", "longest s"), _works(book)),
        "## Watches\n",
        _table(("watch", "watched", "events", "connections"), _streams(book)),
        "Every event came once, in order, over however many connections it took.\n",
        "## Recovery\n",
        _table(RECOVERY_HEAD, _recoveries(book)),
        RECOVERY,
    )
    return "\n".join(sections)


def _facts(course: Course) -> str:
    book = course.book
    ended = max((work.end for work in book.works if work.end is not None), default=book.rest_time)
    rest_seconds = max(0.0, ended - book.rest_time)
    rows = [
        ("seed", course.seed),
        ("harmed for", f"{book.rest_time / 60:.1f} minutes; {rest_seconds:.1f} s after that all had ended"),
        ("faults", len(book.harms)),
        ("acknowledged calls", f"{sum(call.is_acknowledged for call in book.calls):,}"),
        ("violations", len(course.violations)),
        ("commit", _commit()),
        ("day", f"{datetime.now(UTC):%Y-%m-%d}"),
        (
            "machine",
            f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}",
        ),
    ]
    return _table(("", ""), rows)


def _faults(book: Book) -> list[Sequence[object]]:
    targets: defaultdict[str, list[str]] = defaultdict(list)
    for harm in book.harms:
        targets[harm.kind].append(harm.target)
    return [(kind, len(targets[kind]), ", ".join(sorted(set(targets[kind])))) for kind in sorted(targets)]


def _calls(book: Book) -> list[Sequence[object]]:
    kinds: defaultdict[tuple[str, str], list[Call]] = defaultdict(list)
    for call in book.calls:
        kinds[call.service, call.kind].append(call)
    rows = []
    for (service, kind), calls in sorted(kinds.items()):
        seconds = [call.end - call.begin for call in calls if call.end is not None]
        refused = sum(bool(call.refusal) for call in calls)
        attempts = sum(call.attempts for call in calls)
        acknowledged = sum(call.is_acknowledged for call in calls)
        rows.append((service, kind, acknowledged, refused, attempts, *_spread(seconds)))
    return rows


def _works(book: Book) -> list[Sequence[object]]:
    kinds: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    for work in book.works:
        kinds[work.kind, work.state or "not ended"].append((book.now if work.end is None else work.end) - work.begin)
    return [(f"{kind} {state}", len(seconds), *_spread(seconds)) for (kind, state), seconds in sorted(kinds.items())]


def _streams(book: Book) -> list[Sequence[object]]:
    kinds: defaultdict[tuple[str, str], list[Stream]] = defaultdict(list)
    for stream in book.streams:
        kinds[stream.service, stream.kind].append(stream)
    return [
        (f"{service} {kind}", len(each), sum(len(it.sequences) for it in each), sum(it.openings for it in each))
        for (service, kind), each in sorted(kinds.items())
    ]


def _recoveries(book: Book) -> list[Sequence[object]]:
    kinds: defaultdict[str, list[Recovery]] = defaultdict(list)
    for recovery in recoveries(book.harms, book.calls, book.works):
        kinds[recovery.kind].append(recovery)
    rows = []
    for kind, each in sorted(kinds.items()):
        answers = [it.answer_seconds for it in each if it.answer_seconds is not None]
        ends = [it.work_seconds for it in each if it.work_seconds is not None]
        rows.append((kind, len(each), *_spread(answers), *_spread(ends)))
    return rows


def _spread(seconds: Sequence[float]) -> tuple[str, str]:
    return (f"{median(seconds):.2f}", f"{max(seconds):.2f}") if seconds else ("", "")


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty"]
    return subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True).stdout.strip()


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *([f"{cell}" for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
