"""Partitions: how instances are shared among workers.

Every instance lies in one of a fixed number of partitions, and every partition belongs to at most one worker at a
time, under an epoch that grows with each change of owner. Whoever writes names the epoch; a former owner's is old.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

COUNT = 64


def of(instance: uuid.UUID) -> int:
    """Give the partition of an instance: its id's last bits, which are random in every version of UUID in use."""
    return instance.int % COUNT


@dataclass(frozen=True, slots=True)
class View:
    """Who is alive and who owns what, at one moment on the database's clock."""

    time: datetime
    alive: frozenset[uuid.UUID]
    owners: Mapping[int, uuid.UUID | None]
    """By partition; None where the owner is gone or dead."""
    epochs: Mapping[int, int]
    """By partition."""
    next_lapse: timedelta | None = None
    """How long until the first lease of the others lapses, if nobody renews it. None: nobody else lives."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What one worker should do about its partitions."""

    acquire: tuple[int, ...] = ()
    release: tuple[int, ...] = ()


def plan(view: View, worker: uuid.UUID) -> Plan:
    """Decide what `worker` takes and gives, so that the living share all partitions evenly.

    Everybody decides alone and from the same rule: shares differ by one at most, the surplus going to the lowest ids,
    and a worker gives up only what lies above its share. From any state, a few rounds lead to every partition having
    an owner and no two workers differing by more than one.
    """
    if worker not in view.alive:
        return Plan()
    ordered = sorted(view.alive)
    share, surplus = divmod(COUNT, len(ordered))
    mine = share + (ordered.index(worker) < surplus)
    owned = sorted(partition for partition, owner in view.owners.items() if owner == worker)
    if len(owned) > mine:
        return Plan(release=tuple(owned[mine:]))
    free = sorted(partition for partition, owner in view.owners.items() if owner is None)
    return Plan(acquire=tuple(_from_own_corner(free, ordered.index(worker), len(ordered))[: mine - len(owned)]))


def _from_own_corner(free: list[int], place: int, workers: int) -> list[int]:
    """Turn the list so that each worker begins elsewhere: two that look at once do not want the same ones."""
    start = place * len(free) // workers
    return free[start:] + free[:start]
