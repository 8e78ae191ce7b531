"""Storing judgments: of many requests and tenants, in one transaction."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeAlias

from millwright_runtime.errors import MillwrightError
from millwright_runtime.postgres.database import Connection

from millwright_judgment.domain.errors import ExecutionNotFound, RequestIdReused
from millwright_judgment.domain.executions import Execution
from millwright_judgment.store import bases, column_files, executions, trials
from millwright_judgment.store.bases import Stamp, Target
from millwright_judgment.store.executions import Claim, Key


class StoredMeanwhile(Exception):
    """Rows are there already: a transaction of ours was committed, and we did not see its end."""


@dataclass(frozen=True, slots=True)
class Part:
    """How a judgment takes part in an experiment."""

    tenant: str
    experiment: str
    step: int
    arm: str
    outcome: str
    """As it is counted: ERROR, INDETERMINATE and NO_MATCH beside the ruleset's own."""
    unit_hash: int
    shadows: Sequence[tuple[str, str]] = ()
    """What other arms would have said: an arm and an outcome each."""


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """One judgment that is to be stored."""

    execution: Execution | None
    """None for an input that was refused: its key is looked up, and its arm counted."""
    key: Key | None = None
    digest: bytes = b""
    """Of what was asked for under the key."""
    part: Part | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """What one request brings: all of it judged by one basis, and stored together or not at all."""

    target: Target
    stamp: Stamp
    items: Sequence[Item]
    is_answered: bool = False
    """Its caller was answered already, so that it is stored as it is."""
    mark: uuid.UUID = field(default_factory=uuid.uuid4)
    """What is stored with refused inputs that were counted: they leave no row by which a repeat could tell."""


Result: TypeAlias = Execution | MillwrightError | None
"""What became of an item: None if it is stored, else the first execution under its key, or why that is refused."""
Results: TypeAlias = Sequence[Result] | None
"""What became of a group's items, in their order; None if its basis has changed: it is to be judged again."""


async def store(connection: Connection, groups: Sequence[Group], *, is_repeated: bool) -> Sequence[Results]:
    """Store the groups whose basis is still as it was, and tell what became of each.

    Their bases stay as they are until the transaction ends. `is_repeated` says that the same may have been stored by a
    transaction of which nobody saw the end. Raises StoredMeanwhile if that comes true only now.
    """
    committed = await _committed(connection, groups) if is_repeated else frozenset()
    targets = sorted({group.target for group in groups if not group.is_answered})
    stamps = await bases.hold(connection, targets) if targets else {}
    current = [
        group for group in groups if group.is_answered or group in committed or stamps[group.target] == group.stamp
    ]
    settled = await _settle_keys(connection, [item for group in current for item in group.items])
    fresh = [group for group in current if group not in committed]
    new = [item for group in fresh for item in group.items if item not in settled]
    rows = [item.execution for item in new if item.execution]
    if rows:
        await column_files.forget_late(connection, rows, datetime.now(UTC))
        if await executions.insert(connection, rows) < len(rows):
            raise StoredMeanwhile
    marks = _marks(fresh)
    if marks and await trials.mark(connection, marks) < len(marks):
        raise StoredMeanwhile
    await _count(connection, [item.part for item in new if item.part])
    done = set(current)
    return [[settled.get(item) for item in group.items] if group in done else None for group in groups]


async def _committed(connection: Connection, groups: Sequence[Group]) -> frozenset[Group]:
    """Give the groups that were stored before, by a row of theirs or by their mark."""
    stored = await executions.existing(connection, [row for group in groups for row in _rows(group)])
    marks = _marks(groups)
    marked = await trials.marked(connection, marks) if marks else set()
    return frozenset(
        group for group in groups if group.mark in marked or any(row.execution in stored for row in _rows(group))
    )


def _rows(group: Group) -> list[Execution]:
    return [item.execution for item in group.items if item.execution]


def _marks(groups: Sequence[Group]) -> list[tuple[str, uuid.UUID]]:
    """Give the marks, each with its tenant, of the groups that count what leaves no row."""
    return [
        (group.target.tenant, group.mark)
        for group in groups
        if any(item.execution is None and item.part for item in group.items)
    ]


async def _settle_keys(connection: Connection, items: Sequence[Item]) -> Mapping[Item, Result]:
    """Take the keys of the items; give what becomes of those whose key was taken before, in this batch or long ago."""
    keyed = [item for item in items if item.key]
    if not keyed:
        return {}
    claims, firsts = await _claim(connection, keyed)
    settled: dict[Item, Result] = {}
    again: list[tuple[Item, Key, Claim]] = []
    for item in keyed:
        assert item.key
        claim = claims.get(item.key)
        if claim is None or (item.execution is not None and claim.execution == item.execution.execution):
            continue
        if claim.digest != item.digest:
            settled[item] = RequestIdReused(idempotency_key=item.key.key)
        else:
            again.append((item, item.key, claim))
    found = await executions.get_many(connection, [(key.tenant, claim.execution) for _, key, claim in again])
    for item, _, claim in again:
        first = found.get(claim.execution) or firsts.get(claim.execution)
        settled[item] = first or ExecutionNotFound(execution=claim.execution)
    return settled


async def _claim(connection: Connection, keyed: Sequence[Item]) -> tuple[dict[Key, Claim], Mapping[object, Execution]]:
    """Give what holds each key after this, and the executions of this batch that hold one."""
    wanted: dict[Key, Claim] = {}
    firsts: dict[object, Execution] = {}
    for item in keyed:
        if item.key and item.execution and item.key not in wanted:
            wanted[item.key] = Claim(item.digest, item.execution.execution)
            firsts[item.execution.execution] = item.execution
    claims = dict(wanted)
    if wanted:
        claims.update(await executions.claim(connection, wanted))
    others = {item.key for item in keyed if item.key and item.key not in wanted}
    claims.update(await executions.claims(connection, sorted(others)))
    return claims, firsts


async def _count(connection: Connection, parts: Sequence[Part]) -> None:
    if not parts:
        return
    outcomes: Counter[tuple[str, str, int, str, str]] = Counter()
    pairs: Counter[tuple[str, str, str, str, str]] = Counter()
    units: dict[tuple[str, str, int, int], str] = {}
    tallies: Counter[tuple[str, str, int, int, str, str, str]] = Counter()
    for part in parts:
        key = (part.tenant, part.experiment)
        outcomes[(*key, part.step, part.arm, part.outcome)] += 1
        units[(*key, part.unit_hash, part.step)] = part.arm
        unit = (*key, part.step, part.unit_hash)
        if not part.shadows:
            tallies[(*unit, part.arm, "", part.outcome)] += 1
        for arm, outcome in part.shadows:
            tallies[(*unit, arm, part.outcome, outcome)] += 1
            outcomes[(*key, part.step, arm, outcome)] += 1
            pairs[(*key, arm, part.outcome, outcome)] += 1
    await trials.count(connection, trials.Counts(outcomes, pairs, units, tallies))
