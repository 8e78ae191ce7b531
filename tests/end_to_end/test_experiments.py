"""An experiment whose replicas die between the break of its guardrail and the commit: it is rolled back, and once."""

import asyncio
import json
from collections.abc import AsyncIterator

import grpc
import pytest
from millwright.judgment.v1 import (
    experiment_service_pb2,
    judgment_service_pb2,
    release_service_pb2,
    ruleset_service_pb2,
)
from millwright.judgment.v1.experiment_pb2 import Arm, Experiment, ExperimentStep, Guardrail
from millwright.judgment.v1.judgment_pb2 import Input, Value
from millwright.judgment.v1.judgment_service_pb2 import BatchInput, JudgeBatchResponse
from millwright.judgment.v1.release_pb2 import Release
from millwright_local.databases import DATABASE
from millwright_local.processes import until
from millwright_local.testing.client import ContractClient, rpcs_of

from tests.end_to_end.conftest import Replicas

RULESET = "rulesets/test.trial"
CHANNEL = f"{RULESET}/channels/prod"
NAME = "experiments/trial"
LOTS = 400
LOCK = "SELECT FROM judgment.ruleset WHERE tenant = $1 AND ruleset = 'test.trial' FOR NO KEY UPDATE"
LOOKS_THAT_WAIT = """
SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%judgment.ruleset%FOR NO KEY%'
"""


class JudgmentClient(ContractClient):
    """Calls the judgment service."""

    rpcs = rpcs_of((ruleset_service_pb2, release_service_pb2, judgment_service_pb2, experiment_service_pb2))


@pytest.fixture
async def judging(shared_replicas: Replicas) -> AsyncIterator[Replicas]:
    """Two replicas of the judgment service, for a test that may kill them."""
    stack = shared_replicas.stack
    second = stack.services.get("judgment-2") or stack.add_replica("judgment")
    if second.process is None or not second.process.is_running:
        await second.start()
    replicas = Replicas(stack, stack.services["judgment"], second)
    yield replicas
    await replicas.restore()


@pytest.fixture
async def client(judging: Replicas, tenant: str) -> AsyncIterator[JudgmentClient]:
    """A client of the first replica, in the test's tenant."""
    async with grpc.aio.insecure_channel(judging.first.address) as channel:
        yield JudgmentClient(channel, judging.stack.keys.token(tenant=tenant), tenant)


def document(version: str, limit: str) -> str:
    """Give a ruleset that calls a defect rate above a limit critical."""
    rules = [
        {"_id": "r-critical", "i": f"> {limit}", "o": '"critical"', "c": "0.9"},
        {"_id": "r-normal", "o": '"normal"', "c": "0.9"},
    ]
    table = {
        "hitPolicy": "first",
        "inputs": [{"id": "i", "name": "defect_rate", "field": "defect_rate"}],
        "outputs": [
            {"id": "o", "name": "outcome", "field": "outcome"},
            {"id": "c", "name": "confidence", "field": "confidence"},
        ],
        "rules": rules,
    }
    nodes = [
        {"id": "begin", "name": "Request", "type": "inputNode"},
        {"id": "main", "name": "main", "type": "decisionTableNode", "content": table},
        {"id": "end", "name": "Response", "type": "outputNode"},
    ]
    edges = [
        {"id": f"{source}-{target}", "type": "edge", "sourceId": source, "targetId": target}
        for source, target in (("begin", "main"), ("main", "end"))
    ]
    field = {"field": "defect_rate", "type": "number", "min": 0, "max": 1, "resolution": 0.001}
    name = {"namespace": "test", "name": "trial", "version": version}
    return json.dumps({**name, "inputs": [field], "decision": {"nodes": nodes, "edges": edges}})


async def publish(client: JudgmentClient) -> None:
    """Publish a version for `prod`, and one that calls everything critical."""
    await client.PublishVersion(document=document("1.0.0", "0.08"), promote_to="prod")
    await client.PublishVersion(document=document("2.0.0", "0.01"))


async def begin(client: JudgmentClient, name: str, *guardrails: Guardrail) -> None:
    """Begin a canary of the second version, for a half of the units."""
    experiment = Experiment(
        name=name,
        channel=CHANNEL,
        mode=Experiment.MODE_CANARY,
        arms=[Arm(name="tighter", version=2)],
        guardrails=guardrails,
        steps=[ExperimentStep(weight_bp=5000)],
    )
    await client.StartExperiment(experiment=experiment)


async def judge_all(client: JudgmentClient) -> JudgeBatchResponse:
    """Judge one input for each of many lots."""
    given = Input(values={"defect_rate": Value(number=0.05)})
    inputs = [BatchInput(input=given, routing_key=f"lot-{number}") for number in range(LOTS)]
    answer: JudgeBatchResponse = await client.JudgeBatch(ruleset=RULESET, inputs=inputs)
    return answer


async def log(client: JudgmentClient) -> list[Release]:
    """Give the release log, oldest first."""
    return list(reversed((await client.ListReleases(ruleset=RULESET)).releases))


async def test_a_broken_guardrail_outlives_the_replicas_that_die_before_its_commit(judging, client, tenant) -> None:
    await publish(client)
    await begin(client, NAME, Guardrail(measure=Guardrail.MEASURE_TOP_OUTCOME_RATE, max_increase=0.1))
    postgres = judging.stack.postgres
    async with postgres.connect(DATABASE) as holder, postgres.connect(DATABASE) as observer:

        async def has_decided() -> bool:
            return bool(await observer.fetchval(LOOKS_THAT_WAIT))

        async with holder.transaction():
            await holder.execute(LOCK, tenant)  # whoever decides waits here, and has committed nothing
            judged = await judge_all(client)
            await until(has_decided, 20)
            for replica in (judging.first, judging.second):
                await replica.kill()
    async with postgres.connect(DATABASE) as observer:
        rows = await observer.fetchval("SELECT count(*) FROM judgment.release WHERE tenant = $1", tenant)
    assert rows == 4  # two publications, a promotion, the start
    await asyncio.gather(judging.first.start(), judging.second.start())

    async def is_rolled_back() -> bool:
        return (await log(client))[-1].operation == Release.OPERATION_ROLLBACK

    await until(is_rolled_back, 20)
    releases = await log(client)
    assert [release.revision for release in releases] == list(range(1, 6))
    assert (releases[-1].from_version, releases[-1].to_version, releases[-1].automatic) == (2, 1, True)
    (evidence,) = json.loads(releases[-1].evidence)
    arms = [result.judged.execution.arm for result in judged.results]
    assert (evidence["armExecutions"], evidence["controlExecutions"]) == (arms.count("tighter"), arms.count("control"))
    found = await judge_all(client)
    assert {result.judged.execution.version for result in found.results} == {f"{RULESET}/versions/1"}


async def test_a_unit_keeps_its_arm_past_the_end_of_the_process(judging, client) -> None:
    await publish(client)
    await begin(client, NAME)
    before = await judge_all(client)
    await client.StopExperiment(name=NAME, reason="a new one")
    await begin(client, "experiments/again")
    first = await judge_all(client)
    await judging.first.kill()
    await judging.first.start()
    second = await judge_all(client)
    arms = [[result.judged.execution.arm for result in answer.results] for answer in (before, first, second)]
    assert arms[1] == arms[2]
    assert arms[0] != arms[1]  # another experiment draws anew
