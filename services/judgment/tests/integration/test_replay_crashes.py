"""Replays in processes that are killed or frozen: another goes on after the last page, and nothing is counted twice."""

import uuid
from contextlib import asynccontextmanager

import asyncpg
import grpc
import pytest
from judgment_rig.client import RULESET, Client, given, version
from judgment_samples.documents import weld, weld_rows
from millwright.judgment.v1 import judgment_service_pb2, replay_pb2
from millwright_judgment.app import SERVICE
from millwright_local.ports import LOOPBACK, find_free_port
from millwright_local.processes import until
from millwright_local.service_process import ServiceProcess
from millwright_local.services import named

COUNT = 1_500
PAGE = 10
CHANGED = sum(0.04 < number % 100 / 1000 <= 0.08 for number in range(COUNT))
DONE = "SELECT (progress::json->>'done')::int FROM judgment.replay WHERE replay = $1"


@pytest.fixture
async def replicas(service_databases, service_settings, token, tmp_path):
    """Two processes of the service on one database, of which the first runs; and who sees everything."""
    async with service_databases.fresh(SERVICE) as urls:
        settings = service_settings(SERVICE, urls.service)
        common = {
            "DATABASE_URL": urls.service,
            "NATS_URL": settings.nats_url.get_secret_value(),
            "VALKEY_URL": settings.valkey_url.get_secret_value(),
            "JWKS": settings.jwks,
            "JWT_ISSUER": settings.jwt_issuer,
            "JWT_AUDIENCE": settings.jwt_audience,
            "REPLAY_PAGE_EXECUTIONS": str(PAGE),
        }
        processes = [
            ServiceProcess(
                named("judgment"),
                tmp_path / f"{name}.log",
                {**common, **{key: f"{LOOPBACK}:{find_free_port()}" for key in ("LISTEN", "METRICS_LISTEN")}},
            )
            for name in ("first", "second")
        ]
        sql = await asyncpg.connect(urls.superuser)
        await processes[0].start()
        try:
            yield processes, sql
        finally:
            for process in processes:
                if process.process is not None and process.process.is_running:
                    process.thaw()
                    await process.stop()
            await sql.close()


@asynccontextmanager
async def calling(process, token, tenant):
    async with grpc.aio.insecure_channel(process.address) as channel:
        yield Client(channel, token(tenant=tenant), tenant)


@pytest.mark.parametrize("harm", ["kill", "freeze"])
async def test_another_process_goes_on_after_the_last_page(replicas, token, harm):
    (first, second), sql = replicas
    tenant = f"t-{uuid.uuid4().hex[:12]}"
    async with calling(first, token, tenant) as client:
        await client.publish("1.0.0", promote_to="prod")
        await client.publish("2.0.0", decision=weld(weld_rows(r_critical={"defect_rate": "> 0.04"}))["decision"])
        inputs = [
            judgment_service_pb2.BatchInput(input=given(defect_rate=number % 100 / 1000)) for number in range(COUNT)
        ]
        await client.JudgeBatch(ruleset=RULESET, inputs=inputs)
        selection = replay_pb2.Selection(filter=judgment_service_pb2.ExecutionFilter(ruleset=RULESET))
        targets = [replay_pb2.Target(version=version(2))]
        replay = (await client.CreateReplay(selection=selection, targets=targets)).replay
    replay_id = uuid.UUID(replay.name.split("/")[1])

    async def is_under_way():
        return await sql.fetchval(DONE, replay_id) > 0

    await until(is_under_way, 20)
    if harm == "kill":
        await first.kill()
    else:
        first.freeze()
    committed = await sql.fetchval(DONE, replay_id)
    assert 0 < committed < COUNT
    await second.start()
    async with calling(second, token, tenant) as client:
        events = [it.event async for it in client.WatchReplay(name=replay.name, from_sequence=0, deadline=60)]
        first.thaw()  # it finds that the replay is another's, and goes on with what there is
        again = replay_pb2.Selection(filter=selection.filter, max_executions=PAGE)
        other = (await client.CreateReplay(selection=again, targets=targets)).replay
        assert [it async for it in client.WatchReplay(name=other.name, deadline=60)]
        found = (await client.GetReplayReport(name=replay.name)).report
        done = (await client.GetReplay(name=replay.name)).replay
    assert [it.sequence for it in events] == list(range(1, len(events) + 1))
    dones = [it.progress.done for it in events]
    assert dones == sorted(dones)
    assert (done.state, done.progress.done) == (replay_pb2.Replay.STATE_COMPLETED, COUNT)
    (target,) = found.targets
    assert (found.selected, found.reproduced, target.compared, target.changed_outcomes) == (
        COUNT,
        COUNT,
        COUNT,
        CHANGED,
    )
    kept = "SELECT count(*) FROM judgment.replay_difference WHERE replay = $1"
    assert await sql.fetchval(kept, replay_id) == CHANGED
    assert await sql.fetchval("SELECT count(*) FROM judgment.execution WHERE tenant = $1", tenant) == COUNT
