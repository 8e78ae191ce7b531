"""Telling: watches that go on anywhere, polls, NATS, and who may call what."""

import asyncio
import json

import grpc
import nats as nats_client
import pytest
from google.protobuf import duration_pb2, json_format
from millwright.api.v1 import service_pb2
from millwright.modules.v1 import module_pb2, operation_pb2
from millwright_local.testing.refusals import decode, refused
from millwright_modules.app import SERVICE
from millwright_runtime.service import running
from modules_rig.client import MODULE, Client, package, stage
from prometheus_client import REGISTRY

WAIT_SECONDS = 10.0
SUFFICIENT = {
    service_pb2.ACCESS_VIEWER: {"viewer", "operator", "admin"},
    service_pb2.ACCESS_OPERATOR: {"operator", "admin"},
    service_pb2.ACCESS_ADMIN: {"admin"},
}


async def test_a_watch_begins_with_the_operation_as_it_is(client):
    name = await client.start(package(), health=1)
    sequences = []
    async for message in client.WatchOperation(name=name):
        if not sequences:
            assert message.WhichOneof("message") == "snapshot"
            assert message.snapshot.name == name
        sequences.append(message.sequence)
    assert sequences == list(range(sequences[0], sequences[-1] + 1))


async def test_a_watch_of_what_has_ended_ends(client):
    operation = await client.installed(package())
    (message,) = [message async for message in client.WatchOperation(name=operation.name)]
    assert message.snapshot == operation
    events = await client.events(operation.name)
    assert not [one async for one in client.WatchOperation(name=operation.name, from_sequence=events[-1].sequence)]


async def test_a_watch_goes_on_from_any_sequence_on_another_replica(client, settings, connected):
    operation = await client.installed(package())
    events = await client.events(operation.name)
    async with running(SERVICE, settings) as other, connected(other, tenant=client.tenant) as elsewhere:
        for sequence in range(len(events)):
            told = elsewhere.WatchOperation(name=operation.name, from_sequence=sequence)
            assert [message.event async for message in told] == events[sequence:]


async def test_a_watch_on_another_replica_hears_what_happens_here(client, settings, connected):
    async with running(SERVICE, settings) as other, connected(other, tenant=client.tenant) as elsewhere:
        name = await client.start(package(), health=1)
        told = [message async for message in elsewhere.WatchOperation(name=name, from_sequence=0)]
    assert stage(told[-1].event) == "COMPLETED"


async def test_a_watch_ahead_of_the_log_is_refused(client):
    operation = await client.installed(package())
    refusal = await refused(client.WatchOperation(name=operation.name, from_sequence=1000))
    assert refusal.kind == ("OUT_OF_RANGE", "SEQUENCE_AHEAD")


async def test_a_watch_whose_past_is_gone_is_told_the_oldest(client, sql):
    operation = await client.installed(package())
    await sql.execute("DELETE FROM modules.event WHERE resource = $1 AND sequence <= 3", operation.name)
    refusal = await refused(client.WatchOperation(name=operation.name, from_sequence=1))
    assert refusal.kind == ("OUT_OF_RANGE", "SEQUENCE_EXPIRED")
    assert refusal.info.metadata["oldest"] == "4"


async def test_clients_that_cannot_stream_poll(client):
    name = await client.start(package(), health=1)
    found, sequence = [], 0
    while not found or found[-1].progress.percent != 100:
        wait = duration_pb2.Duration(seconds=5)
        page = await client.ListOperationEvents(name=name, from_sequence=sequence, wait=wait, page_size=2)
        assert len(page.events) <= 2
        found += page.events
        sequence = page.sequence
    assert found == await client.events(name)
    assert not (await client.ListOperationEvents(name=name, from_sequence=sequence)).events


async def test_events_go_to_nats_as_they_go_to_watches(client, nats):
    connection = await nats_client.connect(nats.url)
    subscription = await connection.jetstream().subscribe(
        f"millwright.{client.tenant}.modules.>", ordered_consumer=True, deliver_policy="all"
    )
    operation = await client.installed(package())
    events = await client.events(operation.name)
    told, moves = [], []
    while len(told) < len(events) or not moves:
        message = await subscription.next_msg(timeout=WAIT_SECONDS)
        (moves if message.headers["ce-subject"] == MODULE else told).append(message)
    await connection.close()
    bodies = [json_format.ParseDict(json.loads(message.data), operation_pb2.OperationEvent()) for message in told]
    assert bodies == events
    identifier = operation.name.partition("/")[2]
    assert {message.subject for message in told} == {f"millwright.{client.tenant}.modules.progress.{identifier}"}
    (move,) = moves
    assert move.subject == f"millwright.{client.tenant}.modules.lifecycle.quality"
    assert move.headers["ce-type"] == "io.millwright.modules.module.installed.v1"
    (listed,) = (await client.ListActivations(module=MODULE)).activations
    assert json_format.ParseDict(json.loads(move.data), module_pb2.Activation()) == listed


async def test_installs_are_counted_by_how_they_ended_and_timed_by_stage(client):
    def counted():
        return [
            REGISTRY.get_sample_value("millwright_modules_operations_ended_total", {"outcome": "COMPLETED"}) or 0,
            REGISTRY.get_sample_value("millwright_modules_stage_seconds_count", {"stage": "EXTRACTING"}) or 0,
        ]

    before = counted()
    await client.installed(package())
    assert counted() == [count + 1 for count in before]


@pytest.mark.parametrize("role", ["viewer", "operator", "admin", "worker"])
@pytest.mark.parametrize("rpc", Client.rpcs)
async def test_a_role_may_call_what_the_contract_says(client, token, rpc, role):
    method = Client.rpcs[rpc]
    client.token = token(tenant=client.tenant, roles=(role,))
    call = client.stream(rpc, []) if method.client_streaming else getattr(client, rpc)()
    try:
        await (anext(aiter(call), None) if method.server_streaming else call)
        code, reason = "OK", ""
    except grpc.aio.AioRpcError as error:
        code, reason = decode(error).kind
    if role in SUFFICIENT[method.GetOptions().Extensions[service_pb2.access]]:
        assert code in ("OK", "INVALID_ARGUMENT")
    else:
        assert (code, reason) == ("PERMISSION_DENIED", "ROLE_MISSING")


async def test_twenty_installs_at_once_all_end(client):
    packages = [package(code=f"module-{number}", page=str(number).encode()) for number in range(20)]
    names = await asyncio.gather(*(client.start(one) for one in packages))
    ended = await asyncio.gather(*(client.end_of(name) for name in names))
    assert {stage(operation) for operation in ended} == {"COMPLETED"}
    assert len((await client.ListModules()).modules) == 20
