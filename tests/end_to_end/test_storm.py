"""A thousand callers at once, on two replicas of one database: one line of history, and bad versions stay off."""

import itertools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import nats
import pytest
from millwright.workflow.v1.instance_pb2 import Instance
from millwright.workflow.v1.instance_service_pb2 import ListInstancesRequest
from millwright.workflow.v1.release_service_pb2 import WatchReleasesRequest
from millwright_local.processes import until
from millwright_local.workflow_client import WorkflowClient

from tests import evidence
from tests.history import Answer, Begin, Move, check_answers, check_begins, replay
from tests.storm import WORKFLOW, Call, Storm

CALLS = 1000
CONNECTIONS = 8
ID = WORKFLOW.partition("/")[2]
pytestmark = pytest.mark.timeout(120)


TENANT = "storm"


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What is there once the storm has passed and every instance has ended."""

    calls: list[Call]
    moves: list[Move]
    begins: list[Begin]


@pytest.fixture(scope="module")
async def clients(shared_replicas) -> AsyncIterator[list[WorkflowClient]]:
    """Connections, by turns to one replica and to the other."""
    token = shared_replicas.stack.keys.token(tenant=TENANT)
    addresses = itertools.cycle((shared_replicas.first.address, shared_replicas.second.address))
    async with AsyncExitStack() as opened:
        yield [
            await opened.enter_async_context(WorkflowClient(address, token))
            for address in itertools.islice(addresses, CONNECTIONS)
        ]


@pytest.fixture(scope="module")
async def aftermath(shared_replicas, clients) -> Aftermath:
    storm = Storm(clients, seed=20)
    await storm.prepare()
    calls = await storm.rage(CALLS)
    await until(lambda: all_have_ended(clients[0]), 60)
    postgres = shared_replicas.stack.postgres
    call_times = {call.response.instance.name: call.begin for call in calls if call.kind == "start" and call.response}
    moves = await evidence.read_moves(postgres, TENANT, ID)
    return Aftermath(calls, moves, await evidence.read_begins(postgres, TENANT, ID, call_times))


async def all_have_ended(client: WorkflowClient) -> bool:
    unfinished = [Instance.STATE_PENDING, Instance.STATE_RUNNING]
    request = ListInstancesRequest(workflow=WORKFLOW, states=unfinished, page_size=1)
    return not (await client.call(client.instances.ListInstances, request)).instances


def answered(aftermath: Aftermath, kind: str) -> list[Call]:
    return [call for call in aftermath.calls if call.kind == kind and call.response]


def test_calls_of_every_kind_get_through(aftermath) -> None:
    assert len(aftermath.calls) == CALLS
    for kind, least in (("publish", 50), ("promote", 50), ("rollback", 50), ("start", 150), ("try", 0)):
        assert len(answered(aftermath, kind)) > least
    assert len(aftermath.begins) > 100  # how many are left without a good version depends on who is quicker


async def test_the_release_log_is_one_line_and_leads_to_the_channels_as_they_are(aftermath, shared_replicas) -> None:
    state, violations = replay(aftermath.moves)
    assert violations == []
    postgres = shared_replicas.stack.postgres
    latest = {move.channel: (move.to_version, move.revision) for move in aftermath.moves if move.channel}
    assert await evidence.read_channels(postgres, TENANT, ID) == latest
    assert await evidence.read_bad_versions(postgres, TENANT, ID) == state.bad


def test_every_answered_change_is_in_the_log_once(aftermath) -> None:
    rows = {move.revision: move for move in aftermath.moves}
    changes = [
        (call.response.release.revision, call.response.channel.version)
        for kind in ("promote", "rollback")
        for call in answered(aftermath, kind)
        if call.response.changed
    ]
    assert len({revision for revision, _ in changes}) == len(changes)
    assert all(rows[revision].to_version == version for revision, version in changes)


def test_no_instance_begins_on_a_version_that_is_bad_or_not_the_channels(aftermath) -> None:
    assert check_begins(aftermath.moves, aftermath.begins) == []


def test_no_instance_that_is_asked_for_after_the_answer_of_a_rollback_or_abort_begins_on_the_version_left(
    aftermath,
) -> None:
    answers = [
        Answer(call.response.release.revision, call.end)
        for kind in ("rollback", "abort")
        for call in answered(aftermath, kind)
        if call.response.HasField("release")
    ]
    assert answers
    assert check_answers(aftermath.moves, aftermath.begins, answers) == []


async def test_a_watch_from_the_beginning_gives_the_log_on_either_replica(aftermath, clients) -> None:
    expected = [(move.revision, move.channel, move.from_version, move.to_version) for move in aftermath.moves]
    for client in clients[:2]:
        stream = client.stream(client.releases.WatchReleases, WatchReleasesRequest(workflow=WORKFLOW, from_sequence=0))
        seen = [(await anext(aiter(stream))).release for _ in expected]
        stream.cancel()
        assert [(it.revision, it.channel, it.from_version, it.to_version) for it in seen] == expected


async def test_nats_has_each_revision_once_and_in_order(aftermath, shared_replicas) -> None:
    last = aftermath.moves[-1].revision
    revisions = []
    async with await nats.connect(shared_replicas.stack.nats.url) as client:
        events = await client.jetstream().subscribe(f"millwright.{TENANT}.workflow.>", ordered_consumer=True)
        has_all = False
        while not has_all:
            message = await events.next_msg(timeout=10)
            resource, _, sequence = message.headers["ce-id"].rpartition("/")
            if resource == WORKFLOW:
                revisions.append(int(sequence))
            has_all = last in revisions and message.metadata.num_pending == 0
    assert revisions == list(range(1, last + 1))
