"""Watching a run: a snapshot, every event once and in order, going on after a break, and the end."""

from datetime import timedelta

import pytest
from etl_rig.client import DAY, record
from google.protobuf import json_format
from millwright.etl.v1 import run_pb2
from millwright_local.testing.refusals import refused

DAYS = 6


@pytest.fixture
async def name(client):
    """A run of six days, the first of which has rows."""
    await client.land(record())
    to_date = DAY + timedelta(days=DAYS - 1)
    return (await client.Backfill(from_date=str(DAY), to_date=str(to_date))).run.name


async def watched(client, name, **fields):
    return [message async for message in client.WatchRun(name=name, **fields)]


async def test_a_watch_gives_a_snapshot_and_then_every_event_to_the_end(client, name):
    messages = await watched(client, name)
    assert messages[0].HasField("snapshot")
    assert messages[0].snapshot.progress.windows_total == DAYS
    sequences = [message.sequence for message in messages]
    assert sequences == list(range(sequences[0], sequences[0] + len(messages)))
    last = messages[-1].event
    assert (last.state, last.progress.percent, last.progress.windows_done) == (run_pb2.Run.STATE_COMPLETED, 100, DAYS)
    assert not last.HasField("window")


async def test_a_watch_from_the_beginning_tells_each_window_and_never_goes_back(client, name):
    events = [message.event for message in await watched(client, name, from_sequence=0)]
    assert [event.sequence for event in events] == list(range(1, 2 * DAYS + 3))
    assert {event.run for event in events} == {name}
    published = [event.window for event in events if event.window.state == run_pb2.Window.STATE_PUBLISHED]
    assert sorted(window.date for window in published) == [str(DAY + timedelta(days=number)) for number in range(DAYS)]
    assert max(window.counts.rows_read for window in published) == 1
    percents = [event.progress.percent for event in events]
    assert percents == sorted(percents)
    assert events[-2].progress.rate > 0


async def test_a_watch_goes_on_where_it_broke_off_without_a_gap_or_a_repeat(client, name):
    first = []
    async for message in client.WatchRun(name=name, from_sequence=0):
        first.append(message.sequence)
        if len(first) == 3:
            break
    rest = [message.sequence for message in await watched(client, name, from_sequence=first[-1])]
    assert first + rest == list(range(1, 2 * DAYS + 3))


async def test_the_watch_of_a_run_that_has_ended_gives_what_it_is_and_ends(client, name):
    ended = await client.ended(name)
    [message] = await watched(client, name)
    assert (message.snapshot, message.sequence) == (ended, 2 * DAYS + 2)
    assert await watched(client, name, from_sequence=message.sequence) == []


async def test_a_client_that_cannot_stream_gets_the_same_events(client, name):
    await client.ended(name)
    streamed = [message.event for message in await watched(client, name, from_sequence=0)]
    polled, sequence = [], 0
    while answer := await client.ListRunEvents(name=name, from_sequence=sequence, page_size=5):
        if not answer.events:
            break
        polled += answer.events
        sequence = answer.sequence
    assert polled == streamed


async def test_a_watch_past_the_newest_event_is_refused(client, name):
    await client.ended(name)
    for call in (
        watched(client, name, from_sequence=99),
        client.ListRunEvents(name=name, from_sequence=99),
    ):
        assert (await refused(call)).kind == ("OUT_OF_RANGE", "SEQUENCE_AHEAD")


async def test_the_events_of_a_run_are_in_the_log_as_the_contract_has_them(client, sql, name):
    await client.ended(name)
    rows = await sql.fetch("SELECT kind, type, data FROM etl.event WHERE resource = $1 ORDER BY sequence", name)
    assert [row["kind"] for row in rows] == ["lifecycle", *["progress"] * 2 * DAYS, "lifecycle"]
    assert (rows[0]["type"], rows[-1]["type"]) == (
        "io.millwright.etl.run.created.v1",
        "io.millwright.etl.run.completed.v1",
    )
    for row in rows:
        message = json_format.Parse(row["data"], run_pb2.RunEvent())
        assert json_format.Parse(json_format.MessageToJson(message), run_pb2.RunEvent()) == message
