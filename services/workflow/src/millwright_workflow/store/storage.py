"""The engine's storage, in Postgres with Valkey beside it. Each method is one transaction over every tenant."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta

from millwright_runtime.events.log import Event, EventLog
from millwright_runtime.postgres.database import ALL_TENANTS
from millwright_runtime.service import Platform

from millwright_workflow.domain import instances as domain
from millwright_workflow.domain import names
from millwright_workflow.domain.errors import CheckpointNotFound
from millwright_workflow.domain.execution import Active, Checkpoint, Memory, Step, Tenure, Tier, Wish
from millwright_workflow.domain.instances import Instance, Key, State
from millwright_workflow.domain.interpreter import errors
from millwright_workflow.domain.partitions import View
from millwright_workflow.store import claims, compensations, events, instances, leases, steps
from millwright_workflow.store.checkpoints import Checkpoints


class PostgresStorage:
    """Answers `engine.storage.Storage`."""

    def __init__(self, platform: Platform, log: EventLog, checkpoints: Checkpoints) -> None:
        self._platform = platform
        self._database = platform.database
        self._log = log
        self._checkpoints = checkpoints

    async def renew(self, worker: uuid.UUID, lease: timedelta) -> View:
        """Say that `worker` lives; give who lives and who owns what."""
        async with self._database.transaction(ALL_TENANTS) as connection:
            return await leases.renew(connection, worker, lease)

    async def acquire(self, worker: uuid.UUID, partitions: Collection[int]) -> dict[int, int]:
        """Take partitions that nobody alive owns."""
        async with self._database.transaction(ALL_TENANTS) as connection:
            return await leases.acquire(connection, worker, partitions)

    async def release(self, worker: uuid.UUID, partitions: Collection[int]) -> None:
        """Give up partitions."""
        async with self._database.transaction(ALL_TENANTS) as connection:
            await leases.release(connection, worker, partitions)

    async def leave(self, worker: uuid.UUID) -> None:
        """Give up everything."""
        async with self._database.transaction(ALL_TENANTS) as connection:
            await leases.leave(connection, worker)

    async def claim(self, tenure: Tenure, limit: int) -> Sequence[Active]:
        """Begin pending instances, each bound to its version now."""
        async with self._database.transaction(ALL_TENANTS) as connection:
            held = await claims.lock_tenure(connection, tenure)
            pending = await claims.lock_pending(connection, held, limit)
            if not pending:
                return ()
            now = datetime.now(UTC)  # not before: one that has come meanwhile did not begin before it was made
            steps_of = {active.instance.key: active.step for active in pending}
            accepted = [active.instance for active in pending]
            bindings = await claims.lock_bindings(connection, accepted)
            begun, refused = _decide(accepted, bindings, now)
            await claims.begin(connection, {i.key: bindings[i.key] for i in begun}, now)
            for instance in refused:
                await instances.end(connection, instance)
            await self._log.append(connection, [_event(i, State.PENDING, now) for i in [*begun, *refused]])
        for instance in [*begun, *refused]:
            self._platform.committed(instance.tenant, names.instance(instance.instance))
        return [Active(instance, steps_of[instance.key]) for instance in begun]

    async def take_resumed(self, tenure: Tenure) -> Sequence[Active]:
        """Take instances that were resumed."""
        async with self._database.transaction(ALL_TENANTS) as connection:
            return await claims.take_resumed(connection, await claims.lock_tenure(connection, tenure))

    async def running(self, partitions: Collection[int]) -> Sequence[Active]:
        """Give the running instances of partitions."""
        async with self._database.snapshot(ALL_TENANTS) as connection:
            return await claims.running(connection, partitions)

    async def recall(self, found: Sequence[Active]) -> Sequence[Memory]:
        """Give what is kept of the tasks of each instance: from Valkey what is there whole, the rest from Postgres."""
        kept = await self._checkpoints.recall(found)
        missing = [active for active in found if active.instance.key not in kept]
        if missing:
            async with self._database.snapshot(ALL_TENANTS) as connection:
                read = await steps.recall_all(connection, [active.instance.key for active in missing])
            await self._checkpoints.fill([(active, read[active.instance.key]) for active in missing])
            kept |= read
        return [kept[active.instance.key] for active in found]

    async def write(self, tenure: Tenure, batch: Sequence[Step]) -> dict[Key, bool]:
        """Write steps; give the instances whose steps were written, and whether each is held."""
        written = await steps.write(self._database, tenure, batch)
        accepted = [step for step in batch if step.key in written]
        for step in accepted:
            self._platform.committed(step.tenant, names.instance(step.instance))
        self._checkpoints.note(accepted)
        return written

    async def find_checkpoint(self, active: Active, number: int | None) -> tuple[Tier, Checkpoint]:
        """Give a checkpoint, or the newest, and who had it: Valkey or Postgres; raise CheckpointNotFound."""
        tenant, instance = active.instance.key
        if (kept := await self._checkpoints.find(active, number)) is not None:
            return Tier.VALKEY, kept
        async with self._database.snapshot(tenant) as connection:
            kept = await steps.find(connection, tenant, instance, number)
        if kept is None:
            raise CheckpointNotFound(instance=instance, sequence=number or "yet")
        return Tier.POSTGRES, kept

    async def wishes(self, partitions: Collection[int]) -> Sequence[Wish]:
        """Give what is wanted of running instances."""
        async with self._database.snapshot(ALL_TENANTS) as connection:
            return await claims.wishes(connection, partitions)

    async def cancel_paused(self, limit: int) -> Sequence[Instance]:
        """Cancel paused instances that a rollback's run policy wants cancelled."""
        now = datetime.now(UTC)
        async with self._database.transaction(ALL_TENANTS) as connection:
            moved = []
            for wanted in await claims.lock_paused_to_cancel(connection, limit):
                if wanted.compensates:
                    moved.append(domain.compensate(wanted.instance, wanted.reason))
                    await compensations.begin(connection, moved[-1])
                else:
                    moved.append(domain.cancel_now(wanted.instance, wanted.reason, now))
                    await instances.end(connection, moved[-1])
            await self._log.append(connection, [_event(i, State.PAUSED, now) for i in moved])
        for instance in moved:
            self._platform.committed(instance.tenant, names.instance(instance.instance))
        return moved


def _decide(
    pending: Sequence[Instance], bindings: dict[Key, claims.Binding], now: datetime
) -> tuple[list[Instance], list[Instance]]:
    """Give the instances that begin and those that must not; a channel that is gone leaves its instance pending."""
    begun, refused = [], []
    for instance in pending:
        binding = bindings.get(instance.key)
        if binding is None:
            continue
        if binding.bad_reason is None:
            begun.append(domain.move(instance, State.RUNNING, version=binding.version, start_time=now))
        else:
            detail = f"Version {binding.version} was marked bad before this instance began: {binding.bad_reason}"
            error = errors.configuration("/", detail).error
            refused.append(domain.move(instance, State.FAULTED, error=error, end_time=now))
    return begun, refused


def _event(instance: Instance, before: State, now: datetime) -> Event:
    return events.of_instance(domain.event(instance, domain.happening(before, instance.state), now))
