"""Once RollbackVersion has answered, no instance begins on the version left: proven by the history of a storm.

So it is with AbortCanary. Why the proof is sound: every rollback and abort of the storm marks the version left bad for
good, so that from its commit on nothing may begin on it, through any channel or by number. The answer follows the
commit. After each answer we read from the database which instances have begun on that version: all that began before
the commit are among them, whatever any clock says. If one more is there in the end, it began after the answer.
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
from workflow_rig.canaries import step
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

    async def start_canary(self, client, channel):
        steps = [step(3000, min_instances=10_000), step(6000, min_instances=10_000)]
        version = self.random.randint(1, self._newest)
        await client.StartCanary(channel=f"{NAME}/channels/{channel}", version=version, steps=steps)

    async def step_canary(self, client, channel):
        await client.StepCanary(channel=f"{NAME}/channels/{channel}")

    async def abort_canary(self, client, channel):
        answer = await client.AbortCanary(channel=f"{NAME}/channels/{channel}", reason="it leaks", mark_bad=True)
        version = answer.release.from_version
        self.left.setdefault(version, await self.begun(version))

    async def rollback(self, client, channel):
        answer = await client.rollback(channel=f"{NAME}/channels/{channel}")
        if answer.changed:
            version = answer.release.from_version
            self.left.setdefault(version, await self.begun(version))


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
        kinds += ["start_canary"] * 2 + ["step_canary", "abort_canary"]
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
    pointers, canaries = {}, {}
    for release in releases:
        if release.channel:
            assert release.from_version in (pointers.get(release.channel, 0), canaries.get(release.channel))
            pointers[release.channel] = release.to_version
            canaries[release.channel] = release.canary_version
    channels = (await client.GetWorkflow(name=NAME)).channels
    assert {channel.name.rpartition("/")[2]: channel.version for channel in channels} == pointers


async def roll_back(client):
    return await client.rollback(keep_source_good=True)


async def roll_back_for_all(client):
    return await client.rollback()


async def abort(client):
    return await client.AbortCanary(channel=f"{NAME}/channels/prod", reason="it leaks")


@pytest.mark.parametrize(
    ("start", "is_canary", "leave"),
    [
        ({}, False, roll_back),
        ({"version": 2}, False, roll_back_for_all),
        ({}, True, roll_back),
        ({}, True, abort),
    ],
    ids=["through the channel", "by number", "on a canary that is rolled back", "on a canary that is aborted"],
)
async def test_it_waits_for_a_claim_that_has_chosen_the_version_left(client, sql, urls, start, is_canary, leave):
    await client.release(SET) if is_canary else await client.release(SET, WAIT)
    if is_canary:
        await client.publish(WAIT, "2.0.0")
        await client.StartCanary(channel=f"{NAME}/channels/prod", version=2, steps=[step(10_000, min_instances=10_000)])
    other = await asyncpg.connect(urls.superuser)
    async with other.transaction():
        async with sql.transaction():  # the worker's pass stops before it claims
            await sql.execute("LOCK TABLE workflow.hold IN ACCESS EXCLUSIVE MODE")
            instance = await client.start(**start)
            await other.execute("LOCK TABLE workflow.event IN SHARE MODE")
        await until(partial(waiting, sql, 1), 10)  # now it stops after it has chosen version 2
        answer = asyncio.ensure_future(leave(client))
        await until(partial(waiting, sql, 2), 10)
        assert not answer.done()
    await other.close()
    assert (await answer).HasField("release")
    assert (await client.get(instance)).version == 2
    assert (await client.run()).version == 1


async def waiting(sql, count):
    """Tell whether so many statements wait for a lock."""
    return await sql.fetchval(WAITING) == count
