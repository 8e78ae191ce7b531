"""Approving: tasks ask for decisions, people make them, and time passes them on."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from millwright_runtime.events.log import EventLog
from millwright_runtime.postgres.database import Connection

from millwright_workflow.domain import approvals as domain
from millwright_workflow.domain.approvals import Approval, Decision, Question
from millwright_workflow.domain.work import TaskKey
from millwright_workflow.store import approvals, events


async def ask(connection: Connection, log: EventLog, key: TaskKey, question: Question) -> Approval | None:
    """Have a decision made for a task: give its approval, new, as it was, or waiting anew if it was withdrawn.

    Asking again changes nothing else. Gives None if the instance does not run any more.
    """
    round_ = await approvals.next_round(connection, key)
    if round_ is None:
        return None
    asked = domain.first(key, question, round_, await approvals.now(connection))
    if await approvals.insert(connection, asked):
        await log.append(connection, [events.of_approval(asked, domain.happening(None, asked), asked.create_time)])
        return asked
    known = await approvals.current(connection, key, lock=True)
    assert known is not None
    return await _save(connection, log, known, domain.ask(known))


async def decide(connection: Connection, log: EventLog, approval: uuid.UUID, decision: Decision) -> Approval:
    """Decide an approval; raise ApprovalNotFound, ApproverRoleMissing, ApprovalClosed."""
    known = await approvals.get(connection, approval, lock=True)
    return await _save(connection, log, known, domain.decide(known, decision, await approvals.now(connection)))


async def withdraw(connection: Connection, log: EventLog, key: TaskKey) -> None:
    """Withdraw the approval of a task that goes on without it; one that is decided stays."""
    known = await approvals.current(connection, key, lock=True)
    if known is not None:
        await _save(connection, log, known, domain.withdraw(known, await approvals.now(connection)))


async def pass_on(connection: Connection, log: EventLog, limit: int) -> Sequence[Approval]:
    """Let at most `limit` approvals expire, escalate, or be withdrawn because their instance has ended; give them."""
    now = await approvals.now(connection)
    due = [(approval, domain.pass_on(approval, now)) for approval in await approvals.lock_due(connection, limit)]
    due += [(approval, domain.withdraw(approval, now)) for approval in await approvals.lock_orphaned(connection, limit)]
    return [await _save(connection, log, before, after) for before, after in due]


async def _save(connection: Connection, log: EventLog, before: Approval, after: Approval) -> Approval:
    if after is not before:
        await approvals.save(connection, after)
        time = after.decide_time or await approvals.now(connection)
        await log.append(connection, [events.of_approval(after, domain.happening(before, after), time)])
    return after
