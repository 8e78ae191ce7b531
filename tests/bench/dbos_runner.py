"""Runs the peer of `engine` beside the stack: a process a kind, with a database of its own on the same server."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Self

from millwright_local.postgres import Postgres

from tests.bench.backlog import Span

KINDS = ("threads", "async")
_LINE_BYTES = 16 * 1024 * 1024
_ANSWER_SECONDS = 120.0


class DbosRunner:
    """One process of the peer. An async context manager that starts and ends it."""

    _process: asyncio.subprocess.Process

    def __init__(self, postgres: Postgres, kind: str) -> None:
        self._postgres = postgres
        self._kind = kind

    async def run(self, concurrency: int, workflows: int) -> list[Span]:
        """Run workflows, so many at once; give every step of theirs."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{concurrency} {workflows}\n".encode())
        async with asyncio.timeout(_ANSWER_SECONDS):
            line = await self._process.stdout.readline()
        return [Span(*pair) for pair in json.loads(line)]

    async def __aenter__(self) -> Self:
        database = f"dbos_{self._kind}"
        async with self._postgres.connect() as connection:
            await connection.execute(f"CREATE DATABASE {database}")
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.bench.dbos_peer", self._postgres.url(database), self._kind),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=_LINE_BYTES,
        )
        await self.run(1, 1)  # it is there
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                await self._process.wait()
        finally:
            if self._process.returncode is None:
                self._process.kill()
