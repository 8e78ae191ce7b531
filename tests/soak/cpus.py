"""Who runs where: a stack on some of the CPUs and its callers on the others, so that neither takes the other's time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import psutil


@dataclass(frozen=True, slots=True)
class Cpus:
    """The CPUs of a stack and those of its callers, by number; none: whichever the system gives them."""

    stack: frozenset[int] = frozenset()
    callers: frozenset[int] = frozenset()


SHARED = Cpus()
"""All take what there is, and from each other."""


def split() -> Cpus:
    """Give a stack half of the CPUs and its callers the rest; they share one, and where none can be chosen."""
    cpus = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_setaffinity") else []
    half = len(cpus) // 2
    return Cpus(frozenset(cpus[:half]), frozenset(cpus[half:])) if half else SHARED


@contextmanager
def on(cpus: frozenset[int]) -> Iterator[None]:
    """Run this process, with its threads and whatever it starts meanwhile, on these CPUs alone; of none, on any."""
    if not cpus:
        yield
        return
    before = frozenset(os.sched_getaffinity(0))
    _move(cpus)
    try:
        yield
    finally:
        _move(before)


def _move(cpus: frozenset[int]) -> None:
    for thread in psutil.Process().threads():
        with suppress(ProcessLookupError):  # it has ended meanwhile
            os.sched_setaffinity(thread.id, cpus)
