"""The state of circuit breakers, in Valkey, so that what one replica has learned all know.

Only circuits that are not healthy are there. Without Valkey each process works with what it has seen itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from millwright_runtime.json import from_text, to_text
from millwright_runtime.valkey import Valkey

from millwright_workflow.domain.circuit import HEALTHY, Circuit, State

SHARED = "-"
"""Whose circuits are every tenant's: no tenant has this name."""
LIFETIME_SECONDS = 3600
_ATTEMPTS = 4
_MOST_REMEMBERED = 10_000


class CircuitStates:
    """The circuits of each tenant, by name."""

    def __init__(self, valkey: Valkey) -> None:
        self._valkey = valkey
        self._own: dict[tuple[str, str], Circuit] = {}

    async def get(self, tenant: str, name: str) -> Circuit:
        """Give a circuit."""

        async def run(client: Any) -> Circuit:
            return _read(await client.hget(_key(tenant), name))

        circuit = await self._valkey.attempt(run, None)
        return self._own.get((tenant, name), HEALTHY) if circuit is None else circuit

    async def change(self, tenant: str, name: str, move: Callable[[Circuit], Circuit | None]) -> Circuit | None:
        """Move a circuit, whoever else moves it at the same time; give it as it is then, None if `move` gave that."""

        async def run(client: Any) -> tuple[Circuit | None] | None:
            for _ in range(_ATTEMPTS):
                before = await client.hget(_key(tenant), name) or b""
                after = move(_read(before))
                if after is None or after == _read(before):
                    return (after,)
                if await client.eval(_SWAP, 1, _key(tenant), name, before, _write(after), LIFETIME_SECONDS):
                    return (after,)
            return None

        changed = await self._valkey.attempt(run, None)
        after = changed[0] if changed else move(self._own.get((tenant, name), HEALTHY))
        if after is not None:
            self._remember(tenant, name, after)
        return after

    async def all(self, tenant: str) -> dict[str, Circuit]:
        """Give the circuits of a tenant that are not healthy."""

        async def run(client: Any) -> Mapping[bytes, bytes]:
            found: Mapping[bytes, bytes] = await client.hgetall(_key(tenant))
            return found

        found = await self._valkey.attempt(run, None)
        if found is None:
            return {name: circuit for (owner, name), circuit in self._own.items() if owner == tenant}
        return {name.decode(): _read(value) for name, value in found.items()}

    def _remember(self, tenant: str, name: str, circuit: Circuit) -> None:
        self._own.pop((tenant, name), None)
        if circuit != HEALTHY:
            self._own[tenant, name] = circuit
            if len(self._own) > _MOST_REMEMBERED:
                del self._own[next(iter(self._own))]


def _write(circuit: Circuit) -> str:
    """Give a circuit as it is kept: the empty text if it is healthy, and not kept at all."""
    if circuit == HEALTHY:
        return ""
    retry_time = circuit.retry_time.isoformat() if circuit.retry_time else None
    return to_text([circuit.state.value, circuit.failures, circuit.openings, retry_time])


def _read(text: bytes | None) -> Circuit:
    if not text:
        return HEALTHY
    state, failures, openings, retry_time = from_text(text)
    return Circuit(State(state), failures, openings, datetime.fromisoformat(retry_time) if retry_time else None)


def _key(tenant: str) -> str:
    return f"millwright:workflow:circuits:{tenant}"


_SWAP = """
if (redis.call('HGET', KEYS[1], ARGV[1]) or '') ~= ARGV[2] then
    return 0
end
if ARGV[3] == '' then
    redis.call('HDEL', KEYS[1], ARGV[1])
else
    redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
    redis.call('EXPIRE', KEYS[1], ARGV[4])
end
return 1
"""
