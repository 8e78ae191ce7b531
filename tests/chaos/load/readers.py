"""Clients that read a watch slowly: a log far longer than what can be under way to them, so that it waits for them.

What they read must have no gap, over however many connections: nobody drops what they have not fetched yet.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from random import Random

from millwright.workflow.v1.release_service_pb2 import PromoteVersionRequest
from millwright.workflow.v1.workflow_service_pb2 import PublishVersionRequest
from millwright_local.workflow_client import WorkflowClient

from tests.chaos.book import Book
from tests.chaos.caller import Caller
from tests.chaos.load import turns
from tests.chaos.load.workflow import SERVICE, follow_releases, read_newest_revision

WORKFLOW = "workflows/chaos.log"
CHANNELS = tuple(f"{WORKFLOW}/channels/c{number}" for number in range(6))
MOVES = 50
"""Of each channel, before anybody reads."""
REASON = "It is moved so that there is something to read. " * 20
READERS = 2
READ_SECONDS = 0.05
MOVES_SECONDS = 2.0


class SlowReaders:
    """The load."""

    def __init__(self, book: Book, clients: Sequence[WorkflowClient], chance: Random) -> None:
        self._book = book
        self._chance = chance
        self._caller = Caller(book, SERVICE, clients, chance)

    async def prepare(self) -> None:
        """Make the log."""
        for number in (1, 2):
            await self._publish(number)
        await asyncio.gather(*(self._fill(channel) for channel in CHANNELS))

    async def run(self, stop: asyncio.Event) -> None:
        """Let it be read, and go on, until told to stop; return once it was read to its end."""
        newest: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        async with asyncio.TaskGroup() as group:
            for _ in range(READERS):
                stream = self._book.open_stream(SERVICE, "WatchReleases, slowly", WORKFLOW)
                group.create_task(follow_releases(self._caller, stream, newest, READ_SECONDS))
            async for number in turns(stop, self._chance, MOVES_SECONDS):
                await self._promote(CHANNELS[0], 1 + number % 2)
            newest.set_result(await read_newest_revision(self._caller, WORKFLOW))

    async def _fill(self, channel: str) -> None:
        for number in range(MOVES):
            await self._promote(channel, 1 + number % 2)

    async def _publish(self, number: int) -> None:
        document = f"{{dsl: 1.0.1, namespace: chaos, name: log, version: 1.0.{number}}}"
        await self._caller.call(
            "PublishVersion",
            lambda client: client.workflows.PublishVersion,
            lambda key: PublishVersionRequest(
                definition=f"document: {document}\ndo: [{{note: {{set: {{number: {number}}}}}}}]", request_id=key
            ),
        )

    async def _promote(self, channel: str, version: int) -> None:
        await self._caller.call(
            "PromoteVersion",
            lambda client: client.releases.PromoteVersion,
            lambda key: PromoteVersionRequest(channel=channel, version=version, reason=REASON, request_id=key),
        )
