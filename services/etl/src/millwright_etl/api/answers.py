"""Answers of any length, each of one state of the facts, which no client keeps from others by reading it slowly.

The database is read by a task of its own. A short answer is read to its end before any of it is sent, so that nothing
is held while the client takes it. A longer one holds a connection and its snapshot until its last rows are taken: there
are seats for a few of those, and one that is not read in time ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, contextmanager

import asyncpg
from millwright_runtime.errors import DeadlineExceeded, ResourceExhausted
from millwright_runtime.postgres.database import Connection

from millwright_etl.domain.queries import Query
from millwright_etl.store import production

SHORT_PIECES = 5
"""An answer of so many thousand rows is short."""
_IDLE_SECONDS = 30.0
_LONG_SECONDS = 600.0

Rows = Sequence[asyncpg.Record]
Reading = Callable[[], AbstractAsyncContextManager[Connection]]
"""Gives a connection, all of whose statements see one state."""


class TooManyLongAnswers(ResourceExhausted):
    """As many long answers as there is room for are being read here.

    Try again, narrow the filter, group by less, or read pages with ListProduction.
    """

    retry_seconds = 5.0


class AnswerNotRead(DeadlineExceeded):
    """A long answer was not read in time: some of it every {idle} s, all of it in {whole} s. Read pages instead."""


class Answers:
    """What is being read at the moment."""

    def __init__(self, reading: Reading, most_long: int, idle_seconds: float = _IDLE_SECONDS) -> None:
        self._reading = reading
        self._seats = most_long
        self._idle_seconds = idle_seconds

    async def pieces(self, query: Query) -> AsyncGenerator[Rows]:
        """Give all rows by their keys, some at a time; raise TooManyLongAnswers before the first, or AnswerNotRead."""
        ahead: asyncio.Queue[Rows | Exception | None] = asyncio.Queue(SHORT_PIECES + 1)
        reading = asyncio.create_task(self._read(query, ahead))
        try:
            while piece := await ahead.get():
                if isinstance(piece, Exception):
                    raise piece
                yield piece
        finally:
            reading.cancel()

    async def _read(self, query: Query, ahead: asyncio.Queue[Rows | Exception | None]) -> None:
        try:
            await self._read_all(query, ahead)
        except Exception as error:  # noqa: BLE001 - it is whoever takes the pieces who raises it
            await ahead.put(error)
        else:
            await ahead.put(None)

    async def _read_all(self, query: Query, ahead: asyncio.Queue[Rows | Exception | None]) -> None:
        async with AsyncExitStack() as held:
            connection = await held.enter_async_context(self._reading())
            found = await held.enter_async_context(aclosing(production.rows(connection, query)))
            first: list[Rows] = []
            async for piece in found:
                first.append(piece)
                if len(first) > SHORT_PIECES:
                    break
            if len(first) > SHORT_PIECES:
                held.enter_context(self._seat())
            else:
                await held.aclose()
            for piece in first:
                ahead.put_nowait(piece)
            end = _now() + _LONG_SECONDS
            async for piece in found:
                await self._offer(piece, ahead, end)

    async def _offer(self, piece: Rows, ahead: asyncio.Queue[Rows | Exception | None], end: float) -> None:
        try:
            async with asyncio.timeout_at(min(_now() + self._idle_seconds, end)):
                await ahead.put(piece)
        except TimeoutError:
            raise AnswerNotRead(idle=f"{self._idle_seconds:g}", whole=f"{_LONG_SECONDS:g}") from None

    @contextmanager
    def _seat(self) -> Generator[None]:
        if not self._seats:
            raise TooManyLongAnswers
        self._seats -= 1
        try:
            yield
        finally:
            self._seats += 1


def _now() -> float:
    return asyncio.get_running_loop().time()
