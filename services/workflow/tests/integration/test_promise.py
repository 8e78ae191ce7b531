"""Once RollbackVersion has answered, no instance begins on the version left: proven by the history of a storm.

Why the proof is sound: every rollback of the storm marks the version left bad for good, so that from its commit on
nothing may begin on it, through any channel or by number. The answer follows the commit. After each answer we read from
the database which instances have begun on that version: all that began before the commit are among them, whatever any
clock says. If one more is there in the end, it began after the answer.
"""

import asyncio
import itertools
import random
from contextlib import AsyncExitStack
from functools import partial

import asyncpg
import grpc
import pytest
from millwright_local.processes import until
from workflow_rig.definitions import NAME, SET, WAIT

CALLS, CHANNELS = 200, ["line-1", "line-2", "line-3"]
BEGUN = "SELECT instance FROM workflow.instance WHERE tenant = $1 AND version = $2 AND start_time IS NOT NULL"
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
UNENDED = "SELECT count(*) FROM workflow.instance WHERE tenant = $1 AND end_time IS NULL"


class Storm:
    """Concurrent calls, and what is known of the history right after each rollback."""

    def __init__(self, clients, sql, seed):
        self.clients = clients
        self.random = random.Random(seed)
        self.left = {}
        self._sql, self._lock = sql, asyncio.Lock()
        self._numbers = itertools.count(2)
        self._newest = 1

    async def begun(self, version):
        """Give the instances that have begun on a version."""
        async with self._lock:
            return {row["instance"] for row in await self._sql.fetch(BEGUN, self.clients[0].tenant, version)}

    async def call(self, what):
        """Make a call; that the state does not allow it, or that somebody was faster, is no fault."""
        client, channel = self.random.choice(self.clients), self.random.choice(CHANNELS)
        try:
            await getattr(self, what)(client, channel)
        except grpc.aio.AioRpcError as error:
            if error.code() != grpc.StatusCode.FAILED_PRECONDITION:
                raise

    async def publish(self, client, channel):
        number = next(self._numbers)
        answer = await client.publish([{"note": {"set": {"n": number}}}], f"{number}.0.0", promote_to=channel)
        self._newest = max(self._newest, answer.version.number)

    async def promote(self, client, channel):
        version = self.random.randint(1, self._newest)
        await client.PromoteVersion(channel=f"{NAME}/channels/{channel}", version=version)

    async def start(self, client, channel):
        await client.start(channel=channel)

    async def start_by_number(self, client, channel):
        await client.start(version=self.random.randint(1, self._newest))

    async def rollback(self, client, channel):
        answer = await client.rollback(channel=f"{NAME}/channels/{channel}")
        if answer.changed:
            version = answer.release.from_version
            self.left[version] = await self.begun(version)


@pytest.fixture
async def storm(service, connected, client, sql):
    """A storm of calls over four connections that has passed, every instance ended."""
    await client.publish()
    for channel in CHANNELS:
        await client.PromoteVersion(channel=f"{NAME}/channels/{channel}", version=1)
    async with AsyncExitStack() as stack:
        others = [await stack.enter_async_context(connected(service, client.tenant)) for _ in range(3)]
        storm = Storm([client, *others], sql, seed=7)
        kinds = ["start"] * 5 + ["start_by_number"] * 2 + ["publish"] * 2 + ["promote"] + ["rollback"] * 2
        await asyncio.gather(*(storm.call(storm.random.choice(kinds)) for _ in range(CALLS)))
        async with asyncio.timeout(30):
            while await sql.fetchval(UNENDED, client.tenant):
                await client.run(channel=CHANNELS[0])  # the engine takes the oldest first
        yield storm


async def test_nothing_begins_on_a_version_once_the_rollback_that_left_it_has_answered(storm):
    assert len(storm.left) > 5
    for version, begun in storm.left.items():
        assert await storm.begun(version) == begun


async def test_the_release_log_of_a_storm_is_one_line_without_gaps(storm):
    client = storm.clients[0]
    releases = list(reversed((await client.ListReleases(workflow=NAME, page_size=500)).releases))
    assert [release.revision for release in releases] == list(range(1, len(releases) + 1))
    pointers = {}
    for release in releases:
        if release.channel:
            assert release.from_version == pointers.get(release.channel, 0)
            pointers[release.channel] = release.to_version
    channels = (await client.GetWorkflow(name=NAME)).channels
    assert {channel.name.rpartition("/")[2]: channel.version for channel in channels} == pointers


@pytest.mark.parametrize(
    ("start", "rollback"),
    [({}, {"keep_source_good": True}), ({"version": 2}, {})],
    ids=["through the channel", "by number"],
)
async def test_a_rollback_waits_for_a_claim_that_has_chosen_the_version_left(client, sql, urls, start, rollback):
    await client.release(SET, WAIT)
    other = await asyncpg.connect(urls.superuser)
    async with other.transaction():
        async with sql.transaction():  # the worker's pass stops before it claims
            await sql.execute("LOCK TABLE workflow.hold IN ACCESS EXCLUSIVE MODE")
            instance = await client.start(**start)
            await other.execute("LOCK TABLE workflow.instance IN SHARE MODE")
        await until(partial(waiting, sql, 1), 10)  # now it stops after it has chosen version 2
        answer = asyncio.ensure_future(client.rollback(**rollback))
        await until(partial(waiting, sql, 2), 10)
        assert not answer.done()
    await other.close()
    assert (await answer).changed
    assert (await client.get(instance)).version == 2
    assert (await client.run()).version == 1


async def waiting(sql, count):
    """Tell whether so many statements wait for a lock."""
    return await sql.fetchval(WAITING) == count
