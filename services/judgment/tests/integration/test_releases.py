"""Channels, rollback and the release log: the words and guarantees of workflows."""

import asyncio
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from judgment_rig.client import PROD, RULESET, version
from millwright.judgment.v1 import release_pb2, ruleset_pb2
from millwright_judgment.app import SCHEMA
from millwright_judgment.engine.plans import Plans
from millwright_local.testing.refusals import refused
from millwright_runtime.events.log import EventLog


async def test_a_rollback_is_one_call(client):
    await client.release(3)
    answer = await client.rollback()
    assert (answer.changed, answer.channel.version, answer.release.from_version) == (True, 2, 3)
    left = (await client.GetVersion(name=version(3))).version
    assert (left.state, left.state_reason) == (ruleset_pb2.Version.STATE_BAD, "it is blind")
    assert (await refused(client.PromoteVersion(channel=PROD, version=3))).reason == "VERSION_BAD"


async def test_after_a_rollback_machines_do_not_promote(client):
    await client.release(2)
    revision = (await client.rollback()).channel.revision
    await client.publish("3.0.0", titles={"en": "third"})
    wish = {"channel": PROD, "version": 3, "automatic": True, "expected_revision": revision}
    assert (await refused(client.PromoteVersion(**wish))).reason == "CHANNEL_FROZEN"
    assert (await client.PromoteVersion(channel=PROD, version=3)).changed


async def test_a_preview_changes_nothing(client):
    await client.release(2)
    preview = await client.rollback(validate_only=True)
    assert (preview.channel.version, preview.release.marked_bad) == (1, True)
    assert (await client.GetChannel(name=PROD)).channel.version == 2


async def test_many_rollbacks_at_once_make_one_line_of_revisions(client):
    await client.release(8)
    answers = await asyncio.gather(*(client.rollback(freeze={"seconds": 0}) for _ in range(5)))
    assert sorted(answer.channel.version for answer in answers) == [3, 4, 5, 6, 7]
    listed = (await client.ListReleases(ruleset=RULESET)).releases
    assert [release.revision for release in listed] == list(range(len(listed), 0, -1))


async def test_the_log_is_watched_without_a_gap(client):
    await client.release(1)
    seen = []

    async def watch():
        async for message in client.WatchReleases(ruleset=RULESET, from_sequence=0):
            seen.append(message.release)
            if message.release.operation == release_pb2.Release.OPERATION_ROLLBACK:
                return

    watching = asyncio.create_task(watch())
    await client.publish("2.0.0", promote_to="prod", titles={"en": "second"})
    await client.rollback()
    async with asyncio.timeout(10):
        await watching
    assert [release.revision for release in seen] == [1, 2, 3, 4, 5]


async def test_the_log_can_be_polled(client):
    await client.release(1)
    answer = await client.ListReleaseEvents(ruleset=RULESET, from_sequence=1)
    assert [release.revision for release in answer.releases] == [2]
    waiting = asyncio.create_task(
        _answer(client.ListReleaseEvents(ruleset=RULESET, from_sequence=2, wait={"seconds": 10}))
    )
    await client.publish("2.0.0", titles={"en": "second"})
    assert [release.revision for release in (await waiting).releases] == [3]


async def test_a_watch_snapshot_shows_the_channels(client):
    await client.release(2)
    message = await anext(aiter(client.WatchReleases(ruleset=RULESET)))
    assert (message.sequence, message.snapshot.channels[0].version) == (4, 2)


async def test_a_planned_promotion_waits_for_its_time(client, sql, service):
    await client.release(1)
    await client.publish("2.0.0", titles={"en": "second"})
    due = datetime.now(UTC) + timedelta(days=1)
    planned = await client.PromoteVersion(channel=PROD, version=2, activate_time=due)
    assert (planned.channel.version, planned.channel.planned_version) == (1, 2)
    await sql.execute("UPDATE judgment.channel SET planned_time = clock_timestamp() WHERE tenant = $1", client.tenant)
    await Plans(service.platform, EventLog(SCHEMA)).run_once()
    channel = (await client.GetChannel(name=PROD)).channel
    assert (channel.version, channel.planned_version) == (2, 0)
    assert (await client.operations())[-2:] == ["PLAN", "PROMOTE"]


async def test_a_plan_that_cannot_be_carried_out_holds_up_no_other(client, stranger, sql, service):
    due = datetime.now(UTC) + timedelta(days=1)
    for plant in (client, stranger):
        await plant.release(1)
        await plant.publish("2.0.0", titles={"en": "second"})
        await plant.PromoteVersion(channel=PROD, version=2, activate_time=due)
    await sql.execute(f"""
        CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'a fault of ours'; END $$;
        CREATE TRIGGER fail BEFORE INSERT ON judgment.release FOR EACH ROW
        WHEN (NEW.tenant = '{client.tenant}') EXECUTE FUNCTION fail();
    """)
    try:
        for plant in (client, stranger):
            await sql.execute(
                "UPDATE judgment.channel SET planned_time = clock_timestamp() WHERE tenant = $1", plant.tenant
            )
        await Plans(service.platform, EventLog(SCHEMA)).run_once()
        bad, good = [(await plant.GetChannel(name=PROD)).channel for plant in (client, stranger)]
        assert (bad.version, bad.planned_version) == (1, 2)
        assert (good.version, good.planned_version) == (2, 0)
    finally:
        await sql.execute("DROP TRIGGER fail ON judgment.release; DROP FUNCTION fail")
    await Plans(service.platform, EventLog(SCHEMA)).run_once()
    assert (await client.GetChannel(name=PROD)).channel.version == 2


async def test_a_rollback_ends_a_plan(client):
    await client.release(2)
    await client.publish("3.0.0", titles={"en": "third"})
    await client.PromoteVersion(channel=PROD, version=3, activate_time=datetime.now(UTC) + timedelta(days=1))
    assert (await client.rollback()).channel.planned_version == 0


@pytest.mark.parametrize("change", ["UPDATE judgment.release SET reason = 'x'", "DELETE FROM judgment.release"])
async def test_the_log_takes_no_changes(client, sql, change):
    await client.release(1)
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
        await sql.execute(change)


async def _answer(call):
    """Await a call: it is no coroutine by itself."""
    return await call
