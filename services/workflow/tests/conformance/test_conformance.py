"""What the specification asks for, feature by feature, end to end: published, run by the real service, and judged."""

import base64
import json
from pathlib import Path

import pytest
import yaml
from aiohttp import web as http
from google.protobuf import json_format
from google.protobuf.struct_pb2 import Value
from millwright.workflow.v1 import instance_pb2
from millwright_workflow.domain.definition import parse, walk_tasks
from millwright_workflow.domain.definition.tasks import KINDS
from workflow_rig.client import InstanceEvent
from workflow_rig.definitions import written
from workflow_rig.events import event

SCENARIOS = yaml.safe_load((Path(__file__).parent / "scenarios.yaml").read_text())
OF_THE_KIT = {"branch", "call", "data-flow", "do", "emit", "flow", "for", "raise", "set", "switch", "try"}
OPENAPI = {
    "openapi": "3.0.3",
    "info": {"title": "Orders", "version": "1"},
    "paths": {
        "/orders": {
            "get": {
                "operationId": "findOrders",
                "parameters": [{"name": "state", "in": "query", "schema": {"type": "string"}}],
                "responses": {"200": {"description": "them"}},
            }
        },
        "/orders/{order}": {
            "get": {
                "operationId": "getOrder",
                "parameters": [{"name": "order", "in": "path", "required": True, "schema": {"type": "integer"}}],
                "responses": {"200": {"description": "it"}},
            }
        },
    },
}


def serve(web, path, answer):
    """Have the web server answer a path: with a status, with what a user may see, or with JSON."""

    def respond(request):
        if isinstance(answer, int):
            return http.Response(status=answer)
        if answer == "openapi":
            return http.json_response({**OPENAPI, "servers": [{"url": web.url}]})
        if isinstance(answer, dict) and "basic" in answer:
            expected = "Basic " + base64.b64encode(answer["basic"].encode()).decode()
            is_known = request.headers.get("authorization") == expected
            return http.json_response({"welcome": True}) if is_known else http.Response(status=401)
        return http.json_response(answer)

    async def respond_later(request):
        return respond(request)

    web.answer(path, respond_later)


def at(value, path):
    """Give what lies at a path with dots."""
    for name in path.split("."):
        value = value[name]
    return value


def test_every_feature_of_the_kit_and_every_kind_of_task_has_a_scenario():
    documents = [written(scenario["do"], use=scenario.get("use", {})) for scenario in SCENARIOS]
    kinds = {type(task).kind for each in documents for _, _, task in walk_tasks(parse(each).document)}
    assert {scenario["feature"] for scenario in SCENARIOS} >= OF_THE_KIT
    assert {kind.partition(":")[0] for kind in kinds} == set(KINDS)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: f"{scenario['feature']}: {scenario['name']}")
async def test_the_service_does_what_the_scenario_says(client, web, scenario):
    for path, answer in scenario.get("web", {}).items():
        serve(web, path, answer)
    do, use = json.loads(json.dumps([scenario["do"], scenario.get("use", {})]).replace("http://plant", web.url))
    await client.publish(do, promote_to="prod", use=use)
    given = json_format.ParseDict(scenario["input"], Value()) if "input" in scenario else None
    instance = await client.start(**({"input": given} if given else {}))
    if "events" in scenario:
        await client.reached(instance, InstanceEvent.KIND_CORRELATION_STARTED)
        await client.PublishEvents(events=[event(**each) for each in scenario["events"]])
    ended = await client.ended(instance)
    if "fault" in scenario:
        assert ended.state == instance_pb2.Instance.STATE_FAULTED
        error = json_format.MessageToDict(ended.error)
        assert {name: error.get(name) for name in scenario["fault"]} == scenario["fault"]
        return
    assert ended.state == instance_pb2.Instance.STATE_COMPLETED, ended.error
    output = json_format.MessageToDict(ended.output)
    if "output" in scenario:
        assert output == scenario["output"]
    assert {path: at(output, path) for path in scenario.get("has", {})} == scenario.get("has", {})
    assert all(at(output, path) is not None for path in scenario.get("present", []))
    assert {path: len(at(output, path)) for path in scenario.get("items", {})} == scenario.get("items", {})
    if "order" in scenario:
        events = await client.events(ended.name)
        finished = [each.task for each in events if each.kind == InstanceEvent.KIND_TASK_COMPLETED]
        assert [task.rpartition("/")[2].partition("#")[0] for task in finished] == scenario["order"]
