"""Two who listen while a channel is rolled back: a NATS JetStream subscriber, and a WatchReleases stream.

Each notes when it heard of which revision. They change nothing.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import nats
from millwright.workflow.v1.release_service_pb2 import WatchReleasesRequest
from nats.aio.msg import Msg
from nats.js.api import ConsumerConfig, DeliverPolicy
from nats.js.errors import NotFoundError

from millwright_local.processes import until
from millwright_local.workflow_client import WorkflowClient

STREAM = "MILLWRIGHT_WORKFLOW"
HEAR_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Heard:
    """A release that arrived."""

    what: str
    time: float  # Unix seconds


class Ear:
    """What one listener heard, by revision."""

    def __init__(self) -> None:
        self._heard: dict[int, asyncio.Future[Heard]] = {}

    def hear(self, revision: int, what: str) -> None:
        """Note that a revision has arrived now; only the first time counts."""
        future = self._future(revision)
        if not future.done():
            future.set_result(Heard(what, time.time()))

    async def wait_for(self, revision: int) -> Heard:
        """Wait until the revision has arrived. Raises TimeoutError."""
        async with asyncio.timeout(HEAR_SECONDS):
            return await self._future(revision)

    def _future(self, revision: int) -> asyncio.Future[Heard]:
        return self._heard.setdefault(revision, asyncio.get_running_loop().create_future())


@asynccontextmanager
async def subscribed(nats_url: str, tenant: str, workflow: str) -> AsyncIterator[Ear]:
    """Listen on JetStream to what becomes of a workflow's releases from now on; `what` is the event's type."""
    ear = Ear()

    async def receive(message: Msg) -> None:
        headers = message.headers or {}
        resource, _, revision = headers["ce-id"].rpartition("/")
        if resource == workflow:
            ear.hear(int(revision), headers["ce-type"])

    client = await nats.connect(nats_url)
    try:
        jetstream = client.jetstream()
        await until(lambda: _has_stream(jetstream), HEAR_SECONDS)  # the first event that is published makes it
        config = ConsumerConfig(deliver_policy=DeliverPolicy.NEW)
        await jetstream.subscribe(f"millwright.{tenant}.workflow.>", stream=STREAM, cb=receive, config=config)
        yield ear
    finally:
        await client.close()


@asynccontextmanager
async def watched(client: WorkflowClient, workflow: str) -> AsyncIterator[Ear]:
    """Watch a workflow's releases from now on; `what` is the release's name."""
    ear = Ear()
    stream = client.stream(client.releases.WatchReleases, WatchReleasesRequest(workflow=workflow))
    messages = aiter(stream)
    await anext(messages)  # the snapshot: from here on nothing is missed

    async def receive() -> None:
        async for message in messages:
            if message.HasField("release"):
                ear.hear(message.release.revision, message.release.name)

    async with asyncio.TaskGroup() as group:
        task = group.create_task(receive())
        yield ear
        task.cancel()
        stream.cancel()


async def _has_stream(jetstream: nats.js.JetStreamContext) -> bool:
    try:
        await jetstream.stream_info(STREAM)
    except NotFoundError:
        return False
    return True
