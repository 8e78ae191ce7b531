"""`call: judge` against the real judgment service: what it gives, that it is known by one key, and what goes wrong."""

import json

import pytest
from google.protobuf import json_format
from google.protobuf.struct_pb2 import Value
from millwright.judgment.v1 import judgment_service_pb2, release_service_pb2, ruleset_service_pb2
from millwright_judgment.app import SERVICE as JUDGMENT
from millwright_local.ports import find_free_port
from millwright_local.testing.certificates import Authority
from millwright_local.testing.client import ContractClient, rpcs_of
from millwright_local.testing.services import opened
from millwright_runtime.service import running
from millwright_workflow.app import SERVICE
from millwright_workflow.settings import WorkflowSettings
from pydantic import ValidationError
from workflow_rig.client import Client, Instance, InstanceEvent

RULESET = "rulesets/line.weld"


class Judge(ContractClient):
    """Calls the judgment service."""

    rpcs = rpcs_of((ruleset_service_pb2, release_service_pb2, judgment_service_pb2))


def ruleset():
    """A weld line's ruleset: more than 8 % of defects is critical."""
    rules = [
        {"_id": "r-critical", "i": "> 0.08", "o": '"critical"', "c": "0.95", "a": '"stop-line"', "e": '"too many"'},
        {"_id": "r-normal", "i": "", "o": '"normal"', "c": "0.99", "a": "", "e": ""},
    ]
    outputs = {"o": "outcome", "c": "confidence", "a": "actions", "e": "explanation_en"}
    content = {
        "hitPolicy": "first",
        "inputs": [{"id": "i", "name": "defect_rate", "field": "defect_rate"}],
        "outputs": [{"id": key, "name": field, "field": field} for key, field in outputs.items()],
        "rules": rules,
    }
    return {
        "namespace": "line",
        "name": "weld",
        "version": "1.0.0",
        "inputs": [{"field": "defect_rate", "type": "number", "min": 0, "max": 1, "missing": "indeterminate"}],
        "actions": {"stop-line": {"priority": 1, "labels": {"en": "Stop the line"}}},
        "decision": {
            "nodes": [
                {"id": "in", "name": "in", "type": "inputNode"},
                {"id": "table", "name": "main", "type": "decisionTableNode", "content": content},
                {"id": "out", "name": "out", "type": "outputNode"},
            ],
            "edges": [
                {"id": "e1", "type": "edge", "sourceId": "in", "targetId": "table"},
                {"id": "e2", "type": "edge", "sourceId": "table", "targetId": "out"},
            ],
        },
    }


def judging(**arguments):
    """A task that judges."""
    return {"ask": {"call": "judge", "with": {"ruleset": "line.weld", **arguments}}}


@pytest.fixture(scope="module")
async def judgment_settings(service_databases, service_settings):
    """The settings of a judgment service, on a port that its caller knows before it runs."""
    async with service_databases.fresh(JUDGMENT) as urls:
        yield service_settings(JUDGMENT, urls.service, listen=f"127.0.0.1:{find_free_port()}")


@pytest.fixture(scope="module")
async def judgment(judgment_settings):
    """The judgment service, running."""
    async with running(JUDGMENT, judgment_settings) as service:
        yield service


@pytest.fixture(scope="module")
def settings(urls, service_settings, judgment_settings, keys):
    """The settings of a workflow service that may call it."""
    return service_settings(
        SERVICE, urls.service, judgment_endpoint=judgment_settings.listen, signing_key=keys.private_file
    )


@pytest.fixture
async def judge(judgment, client, token):
    """A client of the judgment service in the tenant of the test, whose ruleset is published."""
    async with opened(Judge, token, judgment, client.tenant) as judge:
        await judge.PublishVersion(document=json.dumps(ruleset()), promote_to="prod")
        yield judge


async def executions(judge):
    return (await judge.ListExecutions()).executions


async def test_a_judgment_is_made_stored_and_given_to_the_workflow(client, judge):
    await client.release([judging(input={"defect_rate": 0.5}, segment={"line": "L1"})])
    name = await client.start()
    ended = await client.ended(name)
    assert ended.state == Instance.STATE_COMPLETED
    output = json_format.MessageToDict(ended.output)
    [execution] = await executions(judge)
    assert output == {
        "execution": execution.name,
        "version": f"{RULESET}/versions/1",
        "status": "DECIDED",
        "outcome": "critical",
        "level": 2,
        "confidence": 0.95,
        "winningRule": "r-critical",
        "matchedRules": ["r-critical", "r-normal"],
        "actions": [{"code": "stop-line", "priority": 1, "labels": {"en": "Stop the line"}}],
        "explanations": {"en": "too many"},
        "outputs": {},
        "problems": [],
    }
    assert (execution.caller, execution.segment.line) == (name, "L1")


async def test_the_input_of_the_task_is_judged_where_none_is_given(client, judge):
    await client.release([judging(version=1)])
    ended = await client.run(input=json_format.ParseDict({"defect_rate": 0.01}, Value()))
    assert json_format.MessageToDict(ended.output)["outcome"] == "normal"


async def test_what_cannot_be_decided_is_an_output_and_never_normal(client, judge):
    await client.release([judging(channel="prod", input={"defect_rate": None})])
    output = json_format.MessageToDict((await client.run()).output)
    assert (output["status"], output["outcome"], output["problems"][0]["code"]) == ("INDETERMINATE", None, "MISSING")


@pytest.mark.parametrize(
    ("arguments", "kind", "status", "said"),
    [
        ({"input": {"defect_rate": 2}}, "communication", 400, "input.values.defect_rate"),
        ({"input": {"colour": "red"}}, "communication", 400, "input.values.colour"),
        ({"input": {"defect_rate": [1]}}, "validation", 400, "'defect_rate' is none of them"),
        ({"input": [1]}, "validation", 400, "judges an object"),
        ({"input": {}, "version": 1, "channel": "prod"}, "validation", 400, "not both"),
        ({"input": {}, "eventTime": "yesterday"}, "validation", 400, "do not fit"),
        ({"input": {}, "version": 9}, "communication", 404, "no version 9"),
        ({"input": {}, "ruleset": "line.none"}, "communication", 404, "line.none"),
    ],
)
async def test_what_is_wrong_with_a_call_is_said(client, judge, arguments, kind, status, said):
    await client.release([judging(**arguments)])
    error = (await client.run()).error
    assert (error.type.rpartition("/")[2], error.status) == (kind, status)
    assert said in error.detail


async def test_a_try_that_tries_again_is_the_same_judgment(client, judge):
    """The attempt that failed had been judged: the one after it gets that answer, and nothing is stored twice."""
    failing = {"check": {"raise": {"error": {"type": "https://plant.example/errors/seal", "status": 500}}}}
    again = {"retry": {"delay": {"milliseconds": 1}, "limit": {"attempt": {"count": 2}}}}
    tried = {"try": [judging(input={"defect_rate": 0.5}), failing], "catch": again}
    await client.release([{"guarded": tried}])
    assert (await client.run()).state == Instance.STATE_FAULTED
    assert len(await executions(judge)) == 1


async def test_each_round_of_a_loop_is_a_judgment_of_its_own(client, judge):
    each = {"for": {"each": "rate", "in": "${ [0.1, 0.2, 0.3] }"}, "do": [judging(input={"defect_rate": "${ $rate }"})]}
    await client.release([{"lots": each}])
    assert (await client.run()).state == Instance.STATE_COMPLETED
    assert len(await executions(judge)) == 3


async def test_another_tenants_ruleset_is_not_there(stranger, judge):
    await stranger.release([judging(input={"defect_rate": 0.5})])
    assert (await stranger.run()).error.status == 404


async def test_a_service_that_comes_back_in_time_has_been_waited_for(
    service_databases, service_settings, judgment_settings, keys, token
):
    """Nothing listens when the first attempt is made."""
    there = judgment_settings.model_copy(update={"listen": f"127.0.0.1:{find_free_port()}"})
    async with service_databases.fresh(SERVICE) as urls:
        here = service_settings(SERVICE, urls.service, judgment_endpoint=there.listen, signing_key=keys.private_file)
        async with (
            running(SERVICE, here) as alone,
            opened(Client, token, alone) as client,
        ):
            async with running(JUDGMENT, there) as first, opened(Judge, token, first, client.tenant) as judge:
                await judge.PublishVersion(document=json.dumps(ruleset()), promote_to="prod")
            patient = {"retry": {"delay": {"seconds": 1}, "limit": {"attempt": {"count": 100}}}}
            await client.release([{"guarded": {"try": [judging(input={"defect_rate": 0.5})], "catch": patient}}])
            name = await client.start()
            await client.reached(name, InstanceEvent.KIND_TASK_RETRIED)
            async with running(JUDGMENT, there) as second, opened(Judge, token, second, client.tenant) as judge:
                assert (await client.ended(name)).state == Instance.STATE_COMPLETED
                assert len(await executions(judge)) == 1


async def test_judgment_is_called_over_mutual_tls_where_authorities_are_named(
    service_databases, service_settings, judgment_settings, keys, token, tmp_path
):
    authority = Authority()
    theirs, ours = authority.issue(tmp_path / "judgment"), authority.issue(tmp_path / "workflow")
    there = judgment_settings.model_copy(
        update={
            "listen": f"127.0.0.1:{find_free_port()}",
            "tls_certificate": theirs.certificate,
            "tls_key": theirs.key,
            "tls_client_ca": theirs.ca,
        }
    )
    secure = {"tls_certificate": ours.certificate, "tls_key": ours.key, "services_ca": ours.ca}
    calling = {"judgment_endpoint": there.listen, "signing_key": keys.private_file, **secure}
    async with service_databases.fresh(SERVICE) as urls:
        here = service_settings(SERVICE, urls.service, **calling)
        async with (
            running(JUDGMENT, there) as called,
            running(SERVICE, here) as caller,
            opened(Client, token, caller, tls=ours) as client,
            opened(Judge, token, called, client.tenant, tls=ours) as judge,
        ):
            await judge.PublishVersion(document=json.dumps(ruleset()), promote_to="prod")
            await client.release([judging(input={"defect_rate": 0.5})])
            assert json_format.MessageToDict((await client.run()).output)["outcome"] == "critical"


def test_a_key_that_signs_nothing_is_a_wrong_setting(settings, tmp_path):
    wrong = tmp_path / "key.pem"
    wrong.write_text("no key")
    with pytest.raises(ValidationError, match="private key in PEM"):
        WorkflowSettings(**{**settings.model_dump(), "signing_key": wrong})
