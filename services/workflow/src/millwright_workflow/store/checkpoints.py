"""Checkpoints in Valkey: what Postgres holds of a running instance's tasks, for a quick restore within the hour.

Never the truth: a checkpoint counts only if its step is the one that Postgres has. It is one hash an instance, so that
it expires whole, and it grows only by the step right after its own: one that missed a step is removed, not mended. It
counts its fields, so that one that has lost some is not believed either. An instance with a task whose output and
context are larger than LIMIT_BYTES is in Postgres alone: the cache is for many, not for a few.
"""

from __future__ import annotations

import asyncio
import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Any

from millwright_runtime.valkey import Valkey

from millwright_workflow.domain.execution import Active, Checkpoint, Memory, Step
from millwright_workflow.domain.instances import Key
from millwright_workflow.store.steps import read_checkpoint, read_progress, write_checkpoint, write_progress

LIFETIME_SECONDS = 3600
LIMIT_BYTES = 256 * 1024
"""Of one task, as it is stored."""
_GATHER_SECONDS = 0.05
"""So long after a save the next one begins: of a busy instance several steps are one call, of one that ends none."""
_STEPS_AT_ONCE = 1000
"""Of one instance in one call: a script takes some thousand arguments."""
_RESULT = "result "
_PROGRESS = "progress "


class Checkpoints:
    """The checkpoints of every instance."""

    name = "checkpoints"

    def __init__(self, valkey: Valkey) -> None:
        self._valkey = valkey
        self._noted: list[Step] = []
        self._arrived = asyncio.Event()

    def note(self, steps: Sequence[Step]) -> None:
        """Have steps saved that Postgres has committed; returns at once."""
        self._noted += steps
        self._arrived.set()

    async def run(self) -> None:
        """Save what is noted until cancelled: all that has come since the last save together."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            steps, self._noted = self._noted, []
            await self._save(steps)
            await asyncio.sleep(_GATHER_SECONDS)

    async def drain(self) -> None:
        """Save the last ones."""
        steps, self._noted = self._noted, []
        await self._save(steps)

    async def _save(self, steps: Sequence[Step]) -> None:
        groups: defaultdict[Key, list[Step]] = defaultdict(list)
        for step in steps:
            groups[step.key].append(step)

        async def run(client: Any) -> None:
            async with client.pipeline(transaction=False) as pipeline:
                for key, group in groups.items():
                    _grow(pipeline, _name(*key), group)
                await pipeline.execute()

        await self._valkey.attempt(run, None)

    async def fill(self, read: Sequence[tuple[Active, Memory]]) -> None:
        """Keep the whole of what Postgres gave of instances, each as of its last step."""

        async def run(client: Any) -> None:
            for active, memory in read:
                async with client.pipeline(transaction=True) as pipeline:
                    _replace(pipeline, active, memory)
                    await pipeline.execute()

        await self._valkey.attempt(run, None)

    async def recall(self, wanted: Sequence[Active]) -> dict[Key, Memory]:
        """Give what is kept of the tasks of instances, of those of which it is the state after the last step."""

        async def run(client: Any) -> Sequence[Mapping[bytes, bytes]]:
            async with client.pipeline(transaction=False) as pipeline:
                for active in wanted:
                    pipeline.hgetall(_name(*active.instance.key))
                found: Sequence[Mapping[bytes, bytes]] = await pipeline.execute()
                return found

        nothing: Sequence[Mapping[bytes, bytes]] = ()
        found = await self._valkey.attempt(run, nothing)
        read = ((active, _read(values, active.step)) for active, values in zip(wanted, found, strict=False))
        return {active.instance.key: memory for active, memory in read if memory is not None}

    async def find(self, active: Active, number: int | None) -> Checkpoint | None:
        """Give the checkpoint of a step, or the newest one, if what is kept is the state after the last step."""
        memory = (await self.recall([active])).get(active.instance.key, Memory())
        return next((kept for kept in reversed(memory.checkpoints) if number in (None, kept.number)), None)


def _grow(pipeline: Any, name: str, group: list[Step]) -> None:
    values = [_fields(step) for step in group]
    if any(step.end for step in group) or any(len(value) > LIMIT_BYTES for fields in values for value in fields):
        pipeline.delete(name)
        return
    for start in range(0, len(group), _STEPS_AT_ONCE):
        part = group[start : start + _STEPS_AT_ONCE]
        fields = [field for fields in values[start : start + _STEPS_AT_ONCE] for field in fields]
        pipeline.eval(_GROW, 1, name, part[0].number - 1, part[-1].number, LIFETIME_SECONDS, *fields)


def _replace(pipeline: Any, active: Active, memory: Memory) -> None:
    name = _name(*active.instance.key)
    fields: dict[str, str | bytes] = {
        _RESULT + kept.result.reference: write_checkpoint(kept) for kept in memory.checkpoints
    }
    fields |= {_PROGRESS + key: write_progress(entry) for key, entry in memory.progress.items()}
    pipeline.delete(name)
    if any(len(value) > LIMIT_BYTES for value in fields.values()):
        return
    pipeline.hset(name, mapping={"step": active.step, "size": len(fields) + 2, **fields})
    pipeline.expire(name, LIFETIME_SECONDS)


def _read(values: Mapping[bytes, bytes], step: int) -> Memory | None:
    """Give what a hash holds, if it is whole and the state after `step`; else None."""
    found = {name.decode(): value for name, value in values.items()}
    if found.get("step") != str(step).encode() or found.get("size") != str(len(found)).encode():
        return None
    progress = [read_progress(value) for name, value in found.items() if name.startswith(_PROGRESS)]
    return Memory(_checkpoints(found), {entry.key: entry for entry in progress})


def _checkpoints(found: Mapping[str, bytes]) -> tuple[Checkpoint, ...]:
    kept = [read_checkpoint(value) for name, value in found.items() if name.startswith(_RESULT)]
    return tuple(sorted(kept, key=attrgetter("number")))


def _fields(step: Step) -> list[str | bytes]:
    fields: list[str | bytes] = []
    if (kept := step.checkpoint) is not None:
        fields += [_RESULT + kept.result.reference, write_checkpoint(kept)]
    if step.progress:
        fields += [_PROGRESS + step.progress.key, write_progress(step.progress)]
    return fields


def _name(tenant: str, instance: uuid.UUID) -> str:
    return f"millwright:workflow:checkpoint:{tenant}:{{{instance}}}"


# Take the steps that come right after what is there; what is newer stays. What has a gap or has lost a field goes:
# `size` counts the fields, itself among them.
_GROW = """
local have = redis.call('HGET', KEYS[1], 'step') or '0'
local size = redis.call('HGET', KEYS[1], 'size') or '0'
local is_whole = tonumber(size) == redis.call('HLEN', KEYS[1])
if is_whole and have == ARGV[1] then
    redis.call('HSET', KEYS[1], 'step', ARGV[2], 'size', '', unpack(ARGV, 4))
    redis.call('HSET', KEYS[1], 'size', redis.call('HLEN', KEYS[1]))
    redis.call('EXPIRE', KEYS[1], ARGV[3])
elseif not is_whole or tonumber(have) < tonumber(ARGV[2]) then
    redis.call('DEL', KEYS[1])
end
"""
