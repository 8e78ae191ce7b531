"""What is measured while a stack is soaked: memory, file handles, connections, and the sizes of tables and indexes."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

import psutil
from millwright_local.databases import DATABASE
from millwright_local.services import SERVICES
from millwright_local.stack import Stack

from tests.soak.growth import Series

MEGABYTE = 1 << 20
BYTES_A_CALL = "bytes a call"
_CONNECTIONS = "SELECT count(*) FROM pg_stat_activity WHERE usename = $1"
_SIZES = """
SELECT sum(pg_table_size(c.oid))::float8, sum(pg_indexes_size(c.oid))::float8
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname = ANY($1::text[])
"""
_SCHEMAS = {"workflow": ["workflow"], "judgment": ["judgment"], "etl": ["etl", "core", "bi"], "modules": ["modules"]}


class Samples:
    """The series of one stack. `calls` is told how many calls there have been."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._begin = time.monotonic()
        names = [service.name for service in SERVICES]
        self.memory = {name: Series(f"memory of {name}", "MB", 0.1, 16.0) for name in (*names, "valkey", "nats")}
        self.files = {name: Series(f"file handles of {name}", "", 0.1, 8.0) for name in (*names, "valkey", "nats")}
        self.connections = {name: Series(f"connections of {name}", "", 0.1, 3.0) for name in names}
        self.outboxes = {name: Series(f"outbox of {name}", "events", 0.5, 200.0) for name in names}
        self.tables = {name: Series(f"tables of {name}", BYTES_A_CALL, 0.25, 16.0) for name in names}
        self.indexes = {name: Series(f"indexes of {name}", BYTES_A_CALL, 0.25, 16.0) for name in names}
        self._first: dict[str, tuple[float, float, int]] = {}

    @property
    def all(self) -> list[Series]:
        """Every series."""
        groups = (self.memory, self.files, self.connections, self.outboxes, self.tables, self.indexes)
        return [series for group in groups for series in group.values()]

    async def take(self, calls: int) -> None:
        """Take one sample of everything, after so many calls."""
        now = time.monotonic() - self._begin
        await asyncio.to_thread(self._take_processes, now)
        assert self._stack.postgres
        async with self._stack.postgres.connect(DATABASE) as connection:
            for service in SERVICES:
                name = service.name
                self.connections[name].add(now, await connection.fetchval(_CONNECTIONS, service.role))
                self.outboxes[name].add(now, await connection.fetchval(f"SELECT count(*) FROM {name}.outbox"))
                tables, indexes = await connection.fetchrow(_SIZES, _SCHEMAS[name])
                first = self._first.setdefault(name, (tables, indexes, calls))
                if calls > first[2]:
                    # Rows are kept for years: that there are more of them is no leak, that each takes more is.
                    self.tables[name].add(now, (tables - first[0]) / (calls - first[2]))
                    self.indexes[name].add(now, (indexes - first[1]) / (calls - first[2]))

    def _take_processes(self, now: float) -> None:
        for process in self._stack.processes:
            if process.name not in self.memory:
                continue
            with suppress(psutil.NoSuchProcess):
                main = psutil.Process(process.pid)
                family = [main, *main.children(recursive=True)]
                self.memory[process.name].add(now, sum(it.memory_info().rss for it in family) / MEGABYTE)
                self.files[process.name].add(now, sum(it.num_fds() for it in family))
