"""Notices: tells the carriers of this process when a row that they wait for has changed, whoever changed it.

One look at the database serves everybody who waits here. A change made in this process is told of at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection

from millwright_runtime.events.signals import Signals
from millwright_runtime.postgres.database import ALL_TENANTS, Database

from millwright_workflow.domain.work import TaskKey
from millwright_workflow.store import notices as store

_LOOK_SECONDS = 0.05
_BATCH = 500


class Notices:
    """Who waits for which row of one table."""

    def __init__(
        self, database: Database, signals: Signals, table: str, partitions: Callable[[], Collection[int]]
    ) -> None:
        """Look for changes in `table` that concern the instances of `partitions()`."""
        self.name = f"{table} notices"
        self._database = database
        self._signals = signals
        self._table = table
        self._partitions = partitions
        self._awaited: dict[TaskKey, int] = {}
        self._fresh: set[TaskKey] = set()

    def signal(self, key: TaskKey) -> str:
        """Give the name of the signal that the row of a task has changed."""
        return f"{self._table}/{key.tenant}/{key.instance}{key.reference}"

    def expect(self, key: TaskKey) -> None:
        """Begin to wait for changes of a row."""
        self._awaited[key] = self._awaited.get(key, 0) + 1

    def forget(self, key: TaskKey) -> None:
        """Wait for them no more."""
        self._awaited[key] -= 1
        if not self._awaited[key]:
            del self._awaited[key]
            self._fresh.discard(key)

    def take(self, key: TaskKey) -> bool:
        """Tell whether a row may have changed since this was last asked."""
        if key in self._fresh:
            self._fresh.discard(key)
            return True
        return False

    def changed(self, key: TaskKey) -> None:
        """Tell that a row has changed."""
        if key in self._awaited:
            self._fresh.add(key)
            self._signals.notify(self.signal(key))

    async def run(self) -> None:
        """Look until cancelled, while anybody waits."""
        while True:
            if not (self._awaited and await self.run_once() == _BATCH):
                await asyncio.sleep(_LOOK_SECONDS)

    async def drain(self) -> None:
        """Nothing is in hand."""

    async def run_once(self) -> int:
        """Tell of what has changed; give how many changes there were."""
        async with self._database.snapshot(ALL_TENANTS) as connection:
            news = await store.unnoticed(connection, self._table, self._partitions(), _BATCH)
        heard = [each for each in news if TaskKey(each.tenant, each.instance, each.reference) in self._awaited]
        for each in heard:
            self.changed(TaskKey(each.tenant, each.instance, each.reference))
        if heard:
            async with self._database.transaction(ALL_TENANTS) as connection:
                await store.noticed(connection, self._table, heard)
        return len(heard)
