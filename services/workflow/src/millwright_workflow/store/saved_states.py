"""The states that workers save, in Valkey: there at once, when Postgres has them within a second.

Never the truth: at the next attempt the newer of what is here and what Postgres has counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from millwright_runtime.valkey import Valkey

from millwright_workflow.domain.work import Saved, TaskKey

LIFETIME_SECONDS = 3600


class SavedStates:
    """The saved states of every task, one hash each."""

    def __init__(self, valkey: Valkey) -> None:
        self._valkey = valkey

    async def put(self, saved: Mapping[TaskKey, Saved]) -> None:
        """Keep states, each unless a newer one is there."""

        async def run(client: Any) -> None:
            async with client.pipeline(transaction=False) as pipeline:
                for key, state in saved.items():
                    arguments = state.attempt, state.stamp, state.state, LIFETIME_SECONDS
                    pipeline.eval(_KEEP_NEWER, 1, _name(key), *arguments)
                await pipeline.execute()

        await self._valkey.attempt(run, None)

    async def get(self, keys: Sequence[TaskKey]) -> dict[TaskKey, Saved] | None:
        """Give what is here of the states of tasks; None if Valkey is away."""

        async def run(client: Any) -> list[Mapping[bytes, bytes]] | None:
            async with client.pipeline(transaction=False) as pipeline:
                for key in keys:
                    pipeline.hgetall(_name(key))
                found: list[Mapping[bytes, bytes]] = await pipeline.execute()
                return found

        found = await self._valkey.attempt(run, None)
        return None if found is None else {key: _saved(each) for key, each in zip(keys, found, strict=True) if each}


def _saved(values: Mapping[bytes, bytes]) -> Saved:
    return Saved(int(values[b"attempt"]), int(values[b"stamp"]), values[b"state"])


def _name(key: TaskKey) -> str:
    return f"millwright:workflow:work:{key.tenant}:{{{key.instance}}}:{key.reference}"


_KEEP_NEWER = """
local attempt = tonumber(redis.call('HGET', KEYS[1], 'attempt') or '-1')
local stamp = tonumber(redis.call('HGET', KEYS[1], 'stamp') or '-1')
local given, at = tonumber(ARGV[1]), tonumber(ARGV[2])
if given > attempt or (given == attempt and at > stamp) then
    redis.call('HSET', KEYS[1], 'attempt', ARGV[1], 'stamp', ARGV[2], 'state', ARGV[3])
    redis.call('EXPIRE', KEYS[1], ARGV[4])
end
"""
