"""Working: tasks ask for work, workers take it and report on it, and what falls silent goes to others.

Each function is called in one transaction over every tenant, but `ask` and what belongs to one task.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from millwright_runtime.postgres.database import Connection

from millwright_workflow.domain import work as domain
from millwright_workflow.domain.work import Report, TaskKey, Wish, Work
from millwright_workflow.store import work_items
from millwright_workflow.store.work_items import Handed


@dataclass(frozen=True, slots=True)
class WorkerReport:
    """What a worker says of an item."""

    tenant: str
    item: uuid.UUID
    worker: str
    report: Report


async def ask(connection: Connection, key: TaskKey, wish: Wish) -> Work | None:
    """Have the work of a task done: give its item, new, as it was, or queued anew if it was held or withdrawn.

    Asking again changes nothing else. Gives None where nobody can want it any more.
    """
    now = await work_items.now(connection)
    work = domain.first(key, wish, now)
    if await work_items.insert(connection, work, wish):
        return work
    known = await work_items.get(connection, key, lock=True)
    if known is None:
        return None
    asked = domain.ask(known, now)
    if asked is not known:
        await work_items.save(connection, [asked])
    return asked


async def let_go(connection: Connection, key: TaskKey, move: Callable[[Work], Work]) -> None:
    """Hold or withdraw the work of a task, as `move` has it; what is settled stays."""
    known = await work_items.get(connection, key, lock=True)
    if known is not None and (moved := move(known)) is not known:
        await work_items.save(connection, [moved])


@dataclass(frozen=True, slots=True)
class Demand:
    """A worker that would take work."""

    tenant: str
    worker: str
    queues: frozenset[str]
    credit: int


async def take(connection: Connection, demands: Sequence[Demand]) -> list[list[Handed]]:
    """Give each of the workers at most as many items as it has credit for, in the order of `demands`."""
    now = await work_items.now(connection)
    taken = []
    for demand in demands:
        found = await work_items.lock_due(connection, demand.tenant, demand.queues, demand.credit)
        handed = [replace(each, work=domain.take(each.work, demand.worker, now)) for each in found]
        await work_items.save(connection, [each.work for each in handed])
        taken.append(handed)
    return taken


async def settle(connection: Connection, reports: Sequence[WorkerReport]) -> list[Work | None]:
    """Let reports have their effect, in order; give each item after it, None where the report changed nothing.

    A report counts only from the worker that has the item, and only of the attempt that it names; again, it changes
    nothing more.
    """
    known = await work_items.lock(connection, [each.tenant for each in reports], [each.item for each in reports])
    now = await work_items.now(connection)
    settled: list[Work | None] = []
    touched: dict[uuid.UUID, Work] = {}
    for each in reports:
        work = known.get(each.item)
        if work is None or work.key.tenant != each.tenant:
            settled.append(None)
        elif domain.is_held(work, each.item, each.worker):
            known[each.item] = touched[each.item] = domain.settle(work, each.report, now)
            settled.append(known[each.item])
        else:
            is_repeated = domain.is_repeated(work, each.item, each.worker, each.report)
            settled.append(work if is_repeated else None)
    await work_items.save(connection, list(touched.values()))
    return settled


async def lapse(connection: Connection, limit: int) -> Sequence[Work]:
    """Take at most `limit` items from workers that were silent for too long; give them as they are then."""
    now = await work_items.now(connection)
    lapsed = [domain.lapse(work, now) for work in await work_items.lock_lapsed(connection, limit)]
    await work_items.save(connection, lapsed)
    return lapsed
