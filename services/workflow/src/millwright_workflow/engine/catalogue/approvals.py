"""The catalogue's `approve`: asks for a person's decision and waits for it; and the loop that passes decisions on."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from millwright_runtime.concurrency.patience import persist, to_the_end
from millwright_runtime.events.log import EventLog
from millwright_runtime.json import Json
from millwright_runtime.postgres.database import ALL_TENANTS
from millwright_runtime.service import Platform

from millwright_workflow.commands import approving
from millwright_workflow.domain import approvals as domain
from millwright_workflow.domain import names
from millwright_workflow.domain.approvals import Approval, Question, State
from millwright_workflow.domain.definition import parse_duration
from millwright_workflow.domain.interpreter import errors
from millwright_workflow.domain.interpreter.effects import Invoke
from millwright_workflow.domain.work import TaskKey
from millwright_workflow.engine.running.driver import Caller
from millwright_workflow.engine.work.notices import Notices
from millwright_workflow.store import approvals

_LOOK_SECONDS = 30.0
"""In case that a notice was lost, which no known fault of ours makes happen."""


class ApprovalCalls:
    """Carries out the `approve` calls of instances."""

    def __init__(self, platform: Platform, log: EventLog, notices: Notices) -> None:
        self._platform = platform
        self._log = log
        self._notices = notices

    async def carry_out(self, caller: Caller, call: Invoke) -> Json:
        """Give the decision; throw a timeout if nobody decided in time.

        Closed before that, the approval is withdrawn. While the instance is paused it may be decided.
        """
        key = TaskKey(caller.instance.tenant, caller.instance.instance, str(call.reference))
        question = read_question(call)
        self._notices.expect(key)
        try:
            approval = await self._ask(caller, key, question)
            return _outcome(call, await self._settled(caller, key, approval))
        except asyncio.CancelledError:
            if not caller.is_abandoned:
                await to_the_end(self._withdraw(key))
            raise
        finally:
            self._notices.forget(key)

    async def _ask(self, caller: Caller, key: TaskKey, question: Question) -> Approval:
        async def ask() -> Approval | None:
            await caller.confirm()
            async with self._platform.database.transaction(key.tenant) as connection:
                return await approving.ask(connection, self._log, key, question)

        approval = await persist("an approval", ask)
        if approval is None:  # the instance has ended: whoever still walks it finds out at its next step
            raise errors.runtime(key.pointer, "The instance does not run any more.")
        self._platform.committed(key.tenant, names.approval(approval.id))
        return approval

    async def _settled(self, caller: Caller, key: TaskKey, asked: Approval) -> Approval:
        known = asked

        async def read() -> Approval:
            async with self._platform.database.snapshot(key.tenant) as connection:
                return await approvals.get(connection, asked.id)

        async def look() -> Approval | None:
            nonlocal known
            if known.state is State.WAITING and self._notices.take(key):
                known = await persist("an approval", read)
            return None if known.state is State.WAITING else known

        return await caller.until(self._notices.signal(key), look, _LOOK_SECONDS)

    async def _withdraw(self, key: TaskKey) -> None:
        async def withdraw() -> None:
            async with self._platform.database.transaction(key.tenant) as connection:
                await approving.withdraw(connection, self._log, key)

        await persist("an approval", withdraw)


class ApprovalTimes:
    """Lets approvals expire, go to the next role, and be withdrawn when their instance has ended."""

    name = "approval times"
    _LOOK_SECONDS = 1.0
    _BATCH = 100

    def __init__(self, platform: Platform, log: EventLog, notices: Notices) -> None:
        self._platform = platform
        self._log = log
        self._notices = notices

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            if await self.run_once() < self._BATCH:
                await asyncio.sleep(self._LOOK_SECONDS)

    async def drain(self) -> None:
        """Nothing is in hand."""

    async def run_once(self) -> int:
        """Pass on the approvals whose time has come, up to a batch; give how many."""
        async with self._platform.database.transaction(ALL_TENANTS) as connection:
            passed = await approving.pass_on(connection, self._log, self._BATCH)
        for approval in passed:
            self._platform.committed(approval.key.tenant, names.approval(approval.id))
            self._notices.changed(approval.key)
        return len(passed)


def read_question(call: Invoke) -> Question:
    """Read what a call of `approve` wants decided; throw a validation fault for what is out of its limits."""
    arguments: dict[str, Any] = call.arguments
    escalation = arguments.get("escalation")
    try:
        return domain.question(
            title=arguments["title"],
            details=arguments.get("details"),
            roles=arguments["roles"],
            expires_after=_span(arguments.get("expiresAfter")),
            escalates_after=_span(escalation["after"]) if escalation else None,
            escalation_roles=escalation["roles"] if escalation else (),
        )
    except ValueError as error:
        raise errors.validation(call.reference.pointer, str(error)) from None


def _span(iso: str | None) -> timedelta | None:
    return None if iso is None else timedelta(seconds=parse_duration(iso).seconds)


def _outcome(call: Invoke, approval: Approval) -> Json:
    if approval.state in (State.APPROVED, State.REJECTED):
        return domain.output(approval)
    raise errors.timeout(call.reference.pointer, "Nobody decided in time.")
