"""A worker: claims instances, drives each in a task of its own, and hands over what it cannot finish.

pending ──claim, version bound──▶ running here ──▶ ended, paused, or left to another worker
running, its worker dead ──take over──▶ running here
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from millwright_runtime.errors import Unavailable
from millwright_runtime.events.log import Event, EventLog
from millwright_runtime.postgres.database import ALL_TENANTS, Connection, is_connection_loss
from millwright_runtime.service import Platform

from millwright_workflow.commands import running
from millwright_workflow.domain import instances as domain
from millwright_workflow.domain.instances import Happening, Instance, InstanceEvent, State
from millwright_workflow.domain.interpreter import History, Identity, WorkflowFault, errors, walk_workflow
from millwright_workflow.domain.releases import RunPolicy
from millwright_workflow.engine.definitions import Definitions
from millwright_workflow.engine.driver import Driver, Means, Stop, Stopped, output_of
from millwright_workflow.engine.writer import Superseded
from millwright_workflow.store import events, instances, steps, work
from millwright_workflow.store.checkpoints import Checkpoints
from millwright_workflow.store.steps import End, Key, Memory

WORK = "work"
"""The signal that there is something to claim, to pause or to cancel."""

LEASE = timedelta(seconds=5)
_RENEW_SECONDS = 1.5
_LOOK_SECONDS = 0.5
_CLAIM_BATCH = 100
_RUNTIME_NAME = "millwright"
_RUNTIME_VERSION = "0.1.0"
_log = logging.getLogger(__name__)


class Worker:
    """Runs instances in this process."""

    name = "worker"

    def __init__(
        self,
        platform: Platform,
        log: EventLog,
        definitions: Definitions,
        checkpoints: Checkpoints,
        means: Means,
        worker: uuid.UUID,
        max_instances: int,
        hand_over_seconds: float,
    ) -> None:
        self._platform = platform
        self._log = log
        self._definitions = definitions
        self._checkpoints = checkpoints
        self._means = means
        self._worker = worker
        self._max_instances = max_instances
        self._hand_over_seconds = hand_over_seconds
        self._running: dict[Key, _Running] = {}
        self._has_lost = False
        """Whether instances may be ours in the database that do not run here."""
        self._is_draining = False

    async def run(self) -> None:
        """Work until cancelled."""
        self._has_lost = True  # a pass that failed may have committed what it did not hear of
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_lease())
            with self._platform.signals.listen(WORK) as listener:
                while True:
                    await self.run_once()
                    await listener.wait(_LOOK_SECONDS)

    async def drain(self) -> None:
        """Take no more instances, stop the running ones at their next boundary, and leave them to other workers."""
        self._is_draining = True
        for entry in self._running.values():
            entry.driver.stop(Stop.HAND_OVER)
        tasks = [entry.task for entry in self._running.values()]
        try:
            if tasks:
                await asyncio.wait(tasks, timeout=self._hand_over_seconds)
        finally:  # also if we are hurried: after us nobody ends them, and they would keep the process
            for task in tasks:
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        async with self._platform.database.transaction(ALL_TENANTS) as connection:
            await work.end_lease(connection, self._worker)

    async def run_once(self) -> int:
        """Claim, take over, and fulfil wishes once; give how many instances were taken."""
        if self._is_draining:
            return 0
        await self._fulfil_wishes()
        await self._cancel_paused()
        taken = 0
        while (room := self._max_instances - len(self._running)) > 0:
            batch = min(room, _CLAIM_BATCH)
            claimed = await self._claim(batch)
            taken += claimed
            if claimed < batch:
                break
        await self._find_lost()
        return taken + await self._take_over(self._max_instances - len(self._running))

    async def _keep_lease(self) -> None:
        while True:
            async with self._platform.database.transaction(ALL_TENANTS) as connection:
                await work.renew_lease(connection, self._worker, LEASE)
            await asyncio.sleep(_RENEW_SECONDS)

    async def _claim(self, limit: int) -> int:
        """Bind pending instances to their versions and begin them; give how many pending ones were dealt with."""
        async with self._platform.database.transaction(ALL_TENANTS) as connection:
            pending = await work.lock_pending(connection, limit)
            if not pending:
                return 0
            now = datetime.now(UTC)  # not before: an instance that has come meanwhile did not begin before it was made
            bindings = await work.lock_bindings(connection, pending)
            good = {key: binding for key, binding in bindings.items() if binding.bad_reason is None}
            await work.begin(connection, self._worker, good, now)
            begun = [
                domain.move(i, State.RUNNING, version=good[i.key].version, start_time=now)
                for i in pending
                if i.key in good
            ]
            refused = [i for i in pending if i.key in bindings and i.key not in good]
            await self._log.append(connection, [_event(i, Happening.STARTED, now) for i in begun])
            for instance in refused:
                await self._refuse(connection, instance, bindings[instance.key], now)
        for instance in [*begun, *refused]:
            self._platform.committed(instance.tenant, f"instances/{instance.instance}")
        for instance in begun:
            self._begin(instance, 0, Memory(History(), {}))
        return len(pending)

    async def _refuse(self, connection: Connection, instance: Instance, binding: work.Binding, now: datetime) -> None:
        """Fault a pending instance whose version was marked bad before it could begin."""
        detail = f"Version {binding.version} was marked bad before this instance began: {binding.bad_reason}"
        error = errors.configuration("/", detail).error
        ended = domain.move(instance, State.FAULTED, error=error, end_time=now)
        await instances.end(connection, ended)
        await self._log.append(connection, [_event(ended, Happening.FAULTED, now)])

    async def _take_over(self, limit: int) -> int:
        """Go on with instances whose worker is dead."""
        if limit <= 0:
            return 0
        async with self._platform.database.transaction(ALL_TENANTS) as connection:
            taken = await work.take_over(connection, self._worker, min(limit, _CLAIM_BATCH))
        await self._go_on(taken)
        return len(taken)

    async def _find_lost(self) -> None:
        """Go on with instances that are ours and do not run here.

        The answer to the commit that made them ours was lost with the connection, or they were given up.
        """
        if not self._has_lost:
            return
        async with self._platform.database.transaction(ALL_TENANTS) as connection:
            ours = await work.own(connection, self._worker)
        await self._go_on([each for each in ours if each.instance.key not in self._running])
        self._has_lost = False

    async def _go_on(self, taken: Sequence[work.Taken]) -> None:
        """Run instances that have begun, from what is kept of them."""
        for each in taken:
            _log.info("taking over", extra={"instance": str(each.instance.instance), "step": each.step})
            self._begin(each.instance, each.step, await self._recall(each))

    async def _recall(self, taken: work.Taken) -> Memory:
        """Give what is kept of an instance's tasks: from Valkey if it is there whole, else from Postgres."""
        tenant, instance = taken.instance.tenant, taken.instance.instance
        memory = await self._checkpoints.recall(tenant, instance, taken.step)
        if memory is not None:
            return memory
        async with self._platform.database.snapshot(tenant) as connection:
            return await steps.recall(connection, tenant, instance)

    async def _fulfil_wishes(self) -> None:
        if not self._running:
            return
        async with self._platform.database.transaction(ALL_TENANTS) as connection:
            wishes = await work.wishes(connection, self._worker)
        for wish in wishes:
            if entry := self._running.get(wish.key):
                if wish.run_policy is RunPolicy.CANCEL:
                    entry.cancel(wish.reason)
                else:
                    entry.driver.stop(Stop.PAUSE)

    async def _cancel_paused(self) -> None:
        async with self._platform.database.transaction(ALL_TENANTS) as connection:
            paused = await work.lock_paused_to_cancel(connection, _CLAIM_BATCH)
            now = datetime.now(UTC)
            for instance, reason in paused:
                await running.cancel_now(connection, self._log, instance, reason, now)
        for instance, _reason in paused:
            self._platform.committed(instance.tenant, f"instances/{instance.instance}")

    def _begin(self, instance: Instance, step: int, memory: Memory) -> None:
        if former := self._running.get(instance.key):  # we were presumed dead, and it has come back to us
            former.task.cancel()
        entry = _Running(Driver(self._means, instance, step, memory.progress))
        if self._is_draining:
            entry.driver.stop(Stop.HAND_OVER)
        entry.task = asyncio.create_task(self._drive(entry, instance, memory), name=f"instance-{instance.instance}")
        self._running[instance.key] = entry
        entry.task.add_done_callback(lambda _: self._left(instance.key, entry))

    def _left(self, key: Key, entry: _Running) -> None:
        self._has_lost |= entry.is_lost
        if self._running.get(key) is entry:
            del self._running[key]
        if len(self._running) == self._max_instances - 1:
            self._platform.signals.notify(WORK)  # there is room again

    async def _drive(self, entry: _Running, instance: Instance, memory: Memory) -> None:
        """Walk an instance to where it leaves this worker, whichever way that is."""
        try:
            await entry.driver.end(await self._walk(entry, instance, memory))
        except _LeftToAnother:
            pass
        except Exception as error:  # noqa: BLE001 - the top of an instance's task
            entry.is_lost = True  # ours or another's: the database knows
            is_foreseen = isinstance(error, (Superseded, Unavailable)) or is_connection_loss(error)
            extra = {"instance": str(instance.instance), "fault": repr(error)}
            _log.warning("an instance was given up", extra=extra, exc_info=None if is_foreseen else error)

    async def _walk(self, entry: _Running, instance: Instance, memory: Memory) -> End:
        assert instance.version is not None
        assert instance.start_time is not None
        try:
            plan = await self._definitions.plan(instance.tenant, instance.workflow, instance.version)
            identity = Identity(str(instance.instance), instance.start_time, _RUNTIME_NAME, _RUNTIME_VERSION)
            walk = walk_workflow(plan, instance.input, memory.history, identity)
            return End(State.COMPLETED, output_of(await entry.driver.drive(walk)))
        except WorkflowFault as fault:
            return End(State.FAULTED, error=fault.error)
        except Stopped:
            if entry.driver.stop_reason is Stop.HAND_OVER:
                raise _LeftToAnother from None
            return End(State.PAUSED)
        except asyncio.CancelledError:
            if entry.cancel_reason is None:
                raise
            return End(State.CANCELLED, error=domain.cancelled(entry.cancel_reason))
        except Exception as error:  # what was not foreseen ends the instance, and not the promise that it ends
            if isinstance(error, (Superseded, Unavailable)) or is_connection_loss(error):
                raise
            error_id = uuid.uuid4()
            _log.exception("unexpected error", extra={"instance": str(instance.instance), "error_id": str(error_id)})
            detail = f"Something went wrong on our side; the log has it as error {error_id}."
            return End(State.FAULTED, error=errors.runtime("/", detail).error)


class _LeftToAnother(Exception):
    """The instance stays as it is in the database, for another worker."""


class _Running:
    """An instance in this process."""

    task: asyncio.Task[None]

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self.cancel_reason: str | None = None
        self.is_lost = False

    def cancel(self, reason: str) -> None:
        """Interrupt it wherever it is, once."""
        if self.cancel_reason is None:
            self.cancel_reason = reason
            self.task.cancel()


def _event(instance: Instance, happening: Happening, now: datetime) -> Event:
    return events.of_instance(
        InstanceEvent(
            tenant=instance.tenant,
            instance=instance.instance,
            sequence=instance.sequence,
            happening=happening,
            workflow=instance.workflow,
            version=instance.version,
            event_time=now,
            error=instance.error,
        )
    )
