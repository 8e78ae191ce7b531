"""Checkpoints in Valkey: what Postgres holds of a running instance's tasks, for a quick restore within the hour.

Never the truth: a checkpoint counts only if its step is the one that Postgres has. It is one hash an instance, so that
it expires whole, and it grows only by the step right after its own: one that missed a step is removed, not mended.
"""

from __future__ import annotations

import asyncio
import uuid
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from millwright_runtime.valkey import Valkey

from millwright_workflow.domain.interpreter.effects import History
from millwright_workflow.store.steps import Memory, Step, read_progress, read_result, write_progress, write_result

LIFETIME_SECONDS = 3600
_RESULT = "result "
_PROGRESS = "progress "
_FoundT = TypeVar("_FoundT")


class Checkpoints:
    """The checkpoints of every instance."""

    def __init__(self, valkey: Valkey) -> None:
        self._valkey = valkey

    async def save(self, steps: Sequence[Step]) -> None:
        """Add steps that Postgres has committed, in order; without Valkey nothing happens."""
        groups: defaultdict[tuple[str, uuid.UUID], list[Step]] = defaultdict(list)
        for step in steps:
            groups[step.tenant, step.instance].append(step)

        async def run(client: Any) -> None:
            async with client.pipeline(transaction=False) as pipeline:
                for (tenant, instance), group in groups.items():
                    if any(step.end for step in group):
                        pipeline.delete(_key(tenant, instance))
                    else:
                        fields = [part for step in group for part in _fields(step)]
                        before, after = group[0].number - 1, group[-1].number
                        pipeline.eval(_GROW, 1, _key(tenant, instance), before, after, LIFETIME_SECONDS, *fields)
                await pipeline.execute()

        await self._attempt(run, None)

    async def recall(self, tenant: str, instance: uuid.UUID, step: int) -> Memory | None:
        """Give what is kept of an instance's tasks, if it is the state after `step`; else None."""

        async def run(client: Any) -> Mapping[bytes, bytes]:
            found: Mapping[bytes, bytes] = await client.hgetall(_key(tenant, instance))
            return found

        empty: Mapping[bytes, bytes] = {}
        found = {name.decode(): value for name, value in (await self._attempt(run, empty)).items()}
        if found.pop("step", b"") != str(step).encode():
            return None
        results = [read_result(value) for name, value in found.items() if name.startswith(_RESULT)]
        progress = [read_progress(value) for name, value in found.items() if name.startswith(_PROGRESS)]
        failures = {entry.failure.reference: entry.failure for entry in progress if entry.failure}
        history = History({result.reference: result for result in results}, failures)
        return Memory(history, {entry.key: entry for entry in progress})

    async def _attempt(self, run: Callable[[Any], Awaitable[_FoundT]], default: _FoundT) -> _FoundT:
        """Give what `run` gives, or `default` without Valkey; a cancellation that redis-py swallows is raised again."""
        task = asyncio.current_task()
        assert task is not None
        cancellations = task.cancelling()
        found = await self._valkey.attempt(run, default)
        if task.cancelling() > cancellations:
            raise asyncio.CancelledError
        return found


def _fields(step: Step) -> list[str]:
    fields = []
    if step.result:
        fields += [_RESULT + step.result.reference, write_result(step)]
    if step.progress:
        fields += [_PROGRESS + step.progress.key, write_progress(step.progress)]
    return fields


def _key(tenant: str, instance: uuid.UUID) -> str:
    return f"millwright:workflow:checkpoint:{tenant}:{{{instance}}}"


# Take the steps that come right after what is there; what is newer stays, what has a gap goes.
_GROW = """
local have = redis.call('HGET', KEYS[1], 'step') or '0'
if have == ARGV[1] then
    redis.call('HSET', KEYS[1], 'step', ARGV[2], unpack(ARGV, 4))
    redis.call('EXPIRE', KEYS[1], ARGV[3])
elseif tonumber(have) < tonumber(ARGV[2]) then
    redis.call('DEL', KEYS[1])
end
"""
