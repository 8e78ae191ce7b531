"""Carries out `RunWorkflow`: a child is started once, awaited, and cancelled when nobody awaits it any more.

A child's life is its own. Pausing its parent does not pause it, and its parent's end cancels it only if it is awaited.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

from millwright_runtime.concurrency.lookups import Lookups
from millwright_runtime.errors import MillwrightError
from millwright_runtime.events.log import EventLog
from millwright_runtime.json import Json
from millwright_runtime.postgres.database import ALL_TENANTS, Connection, is_away
from millwright_runtime.service import Platform

from millwright_workflow.commands import running
from millwright_workflow.commands.running import Start
from millwright_workflow.domain import names, sizes
from millwright_workflow.domain.errors import InstanceEnded, InstanceNotFound
from millwright_workflow.domain.instances import INPUT_LIMIT_BYTES, Instance, State
from millwright_workflow.domain.interpreter import WorkflowError, WorkflowFault, errors
from millwright_workflow.domain.interpreter.effects import RunWorkflow
from millwright_workflow.domain.interpreter.subflow import child_id
from millwright_workflow.domain.releases import DEFAULT_CHANNEL
from millwright_workflow.engine.running.driver import Caller
from millwright_workflow.engine.running.holdings import Holdings
from millwright_workflow.engine.running.worker import WORK
from millwright_workflow.engine.running.writer import Superseded
from millwright_workflow.store import attachments, children, workflows
from millwright_workflow.store import instances as instance_store
from millwright_workflow.store.children import Awaited

DEPTH_LIMIT = 16
"""How many instances may stand one above the other."""

ABANDONED = "abandoned"
"""The signal that a child may have been abandoned."""

_BATCH = 100
_LOOK_SECONDS = 1.0
_AWAIT_SECONDS = 3.0
"""How long a lost signal delays a parent: signals are the rule, and thousands may wait here."""
_log = logging.getLogger(__name__)


class Children:
    """Starts and awaits children on behalf of instances, and cancels those that are abandoned."""

    name = "children"

    def __init__(self, platform: Platform, log: EventLog, holdings: Holdings) -> None:
        self._platform = platform
        self._log = log
        self._holdings = holdings
        self._lookups = Lookups(self._ended)

    async def carry_out(self, caller: Caller, effect: RunWorkflow) -> Json:
        """Start a child, or find it, and give its output if it is awaited."""
        parent, pointer = caller.instance, effect.reference.pointer
        if parent.depth >= DEPTH_LIMIT:
            detail = f"Workflows run one another {DEPTH_LIMIT} deep at most."
            raise errors.configuration(pointer, detail)
        child = child_id(str(parent.instance), effect.reference)
        await self._start(parent, effect, child)
        if not effect.is_awaited:
            return None
        name = f"{parent.tenant}/{names.instance(child)}"
        ended = await caller.until(name, lambda: self._lookups.get((parent.tenant, child)), _AWAIT_SECONDS)
        return _outcome(ended, pointer)

    async def run(self) -> None:
        """Cancel abandoned children until cancelled."""
        with self._platform.signals.listen(ABANDONED) as listener:
            while True:
                if await self.run_once() < _BATCH:
                    await listener.wait(_LOOK_SECONDS)

    async def drain(self) -> None:
        """Do nothing: another replica goes on."""

    async def run_once(self) -> int:
        """Cancel children that were abandoned; give how many are awaited by nobody any more."""
        async with self._platform.database.transaction(ALL_TENANTS) as connection:
            abandoned = await children.lock_abandoned(connection, _BATCH)
        count = sum([await self._attend(awaited) for awaited in abandoned])
        if count:
            await self._platform.wake(WORK)
        return count

    async def _attend(self, awaited: Awaited) -> bool:
        """Cancel one child, unless it has ended, and forget that it was awaited. What goes wrong stops no other."""
        try:
            await self._cancel(awaited)
        except Exception as error:
            if is_away(error):
                raise
            _log.exception("an abandoned child could not be cancelled", extra={"instance": str(awaited.child)})
            return False
        self._platform.committed(awaited.tenant, names.instance(awaited.child))
        return True

    async def _cancel(self, awaited: Awaited) -> None:
        reason = f"Nobody awaits it any more: {names.instance(awaited.parent)} went on or ended."
        now = datetime.now(UTC)
        async with self._platform.database.transaction(awaited.tenant) as connection:
            with suppress(InstanceNotFound, InstanceEnded):
                await running.cancel(connection, self._log, awaited.child, reason, now, compensates=awaited.compensates)
            await children.remove(connection, awaited)

    async def _start(self, parent: Instance, effect: RunWorkflow, child: uuid.UUID) -> None:
        reference, tenant = str(effect.reference), parent.tenant
        async with self._platform.database.transaction(tenant) as connection:
            if not await attachments.attach(connection, self._holdings.tenure, tenant, parent.instance):
                raise Superseded
            if effect.is_awaited:
                pointer = effect.reference.pointer
                await children.insert(connection, tenant, parent.instance, reference, pointer, child)
            try:
                await instance_store.get(connection, child)
            except InstanceNotFound:
                await self._accept(connection, parent, effect, child)
        self._platform.committed(tenant, names.instance(child))
        await self._platform.wake(WORK)

    async def _accept(self, connection: Connection, parent: Instance, effect: RunWorkflow, child: uuid.UUID) -> None:
        try:
            sizes.text_of("input", effect.input, INPUT_LIMIT_BYTES)
        except ValueError as fault:
            raise errors.validation(effect.reference.pointer, str(fault)) from None
        workflow = f"{effect.namespace}.{effect.name}"
        wish = Start(workflow, DEFAULT_CHANNEL, None, effect.input, child, parent=parent, task=str(effect.reference))
        try:
            if effect.version != "latest":
                version = await workflows.find_semver(connection, workflow, effect.version)
                if version is None:
                    detail = f"There is no version {effect.version} of {workflow}."
                    raise errors.configuration(effect.reference.pointer, detail)
                wish = replace(wish, channel=None, version=version.number)
            await running.start(connection, self._log, parent.tenant, wish, parent.creator, datetime.now(UTC))
        except MillwrightError as refusal:
            raise errors.configuration(effect.reference.pointer, str(refusal)) from None

    async def _ended(self, wanted: Collection[tuple[str, uuid.UUID]]) -> Mapping[tuple[str, uuid.UUID], Instance]:
        async with self._platform.database.snapshot(ALL_TENANTS) as connection:
            return await children.ended(connection, wanted)


def _outcome(child: Instance, pointer: str) -> Json:
    """Give the output of a child that has ended; throw its fault at the task that awaits it."""
    match child.state:
        case State.COMPLETED:
            return child.output
        case State.CANCELLED:
            reason = (child.error and child.error.detail) or "No reason was given."
            raise errors.runtime(pointer, f"{names.instance(child.instance)} was cancelled: {reason}")
        case _:
            assert isinstance(child.error, WorkflowError)
            raise WorkflowFault(replace(child.error, instance=pointer))
