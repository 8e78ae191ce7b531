"""Heartbeats: signs of life of workers and the states they save, on their way into Valkey and Postgres.

Valkey gets a state as soon as it is there, Postgres what is newest of each item once a second, in one statement
whatever their number. Until then they are in memory, where the next attempt finds them.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Collection
from dataclasses import dataclass

from millwright_runtime.concurrency.patience import persist
from millwright_runtime.postgres.database import ALL_TENANTS, Database

from millwright_workflow.domain.work import Saved, TaskKey
from millwright_workflow.store import work_items
from millwright_workflow.store.saved_states import SavedStates
from millwright_workflow.store.work_items import Beat

_FLUSH_SECONDS = 1.0
_BATCH = 250
_SECOND_LOOK_SECONDS = 1.2
"""Longer than Valkey is left alone after a failure, and much less than an acknowledgement may take."""


@dataclass(frozen=True, slots=True)
class HeldItem:
    """An item in the hands of a worker that is connected here."""

    key: TaskKey
    item: uuid.UUID
    attempt: int
    worker: str


class Heartbeats:
    """The heartbeats of the workers that are connected here."""

    name = "heartbeats"

    def __init__(self, database: Database, states: SavedStates) -> None:
        self._database = database
        self._states = states
        self._beats: dict[uuid.UUID, Beat] = {}
        self._keys: dict[uuid.UUID, TaskKey] = {}
        self._unsaved: dict[TaskKey, Saved] = {}
        self._arrived = asyncio.Event()
        self._stamp = 0
        self.on_lost: Callable[[Collection[uuid.UUID]], None] = lambda _: None
        """Told of items that turned out not to be their workers' any more."""

    def note(self, held: HeldItem, state: bytes | None, percent: float | None) -> None:
        """Take a heartbeat; returns at once. A state or percentage that is None leaves the last one."""
        last = self._beats.get(held.item)
        saved = last.saved if last else None
        if state is not None:
            self._stamp = max(self._stamp + 1, time.time_ns() // 1000)
            saved = self._unsaved[held.key] = Saved(held.attempt, self._stamp, state)
            self._arrived.set()
        if percent is None and last:
            percent = last.percent
        self._beats[held.item] = Beat(held.key.tenant, held.item, held.worker, saved, percent)
        self._keys[held.item] = held.key

    async def newest(self, known: dict[TaskKey, Saved | None]) -> dict[TaskKey, Saved | None]:
        """Give the newest states of tasks, whichever tier has them; `known` are those of Postgres."""
        cached = await self._states.get(list(known))
        if cached is None:  # only for a moment, perhaps: a state is worth a second look
            await asyncio.sleep(_SECOND_LOOK_SECONDS)
            cached = await self._states.get(list(known)) or {}
        pending = {self._keys[item]: beat.saved for item, beat in self._beats.items() if beat.saved}
        newest = dict(known)
        for key in known:
            for candidate in (cached.get(key), pending.get(key)):
                if candidate is not None and candidate.is_newer(newest[key]):
                    newest[key] = candidate
        return newest

    async def run(self) -> None:
        """Save and flush until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._save())
            while True:
                await asyncio.sleep(_FLUSH_SECONDS)
                await self.run_once()

    async def drain(self) -> None:
        """Flush what is there."""
        await self.run_once()

    async def run_once(self) -> int:
        """Flush the heartbeats that have come since the last time; give how many items they were of."""
        ordered = sorted(self._beats.values(), key=lambda beat: (beat.tenant, beat.item))
        for start in range(0, len(ordered), _BATCH):
            await self._flush(ordered[start : start + _BATCH])
        for beat in ordered:
            if self._beats.get(beat.item) is beat:  # nothing newer came meanwhile
                del self._beats[beat.item], self._keys[beat.item]
        return len(ordered)

    def pending(self, item: uuid.UUID) -> bytes | None:
        """Give the state of an item that is not in Postgres yet, if there is one."""
        beat = self._beats.get(item)
        return beat.saved.state if beat and beat.saved else None

    async def _flush(self, beats: list[Beat]) -> None:
        async def write() -> set[uuid.UUID]:
            async with self._database.transaction(ALL_TENANTS) as connection:
                return await work_items.beat(connection, beats)

        if lost := {beat.item for beat in beats} - await persist("heartbeats", write):
            self.on_lost(lost)

    async def _save(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            unsaved, self._unsaved = self._unsaved, {}
            await self._states.put(unsaved)
