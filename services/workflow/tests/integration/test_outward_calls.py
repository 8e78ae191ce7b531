"""Calls to other systems from workflows that run: OpenAPI, gRPC, schemas, secrets and tokens."""

import json

import grpc
import pytest
from aiohttp import web as aio
from google.protobuf import json_format, message_factory
from millwright_local.testing.refusals import refused
from millwright_workflow.app import SERVICE
from millwright_workflow.engine.calls.protos import Protos
from millwright_workflow.settings import WorkflowSettings
from workflow_rig.client import InstanceEvent
from workflow_rig.definitions import get

TENANT = "plant-of-secrets"
PROTO = """
syntax = "proto3";
package plant;
message Piece { string name = 1; }
service Press { rpc Press(Piece) returns (Piece); }
"""


@pytest.fixture(scope="module")
def secrets(tmp_path_factory):
    """The directory of secrets."""
    directory = tmp_path_factory.mktemp("secrets")
    (directory / TENANT).mkdir()
    (directory / TENANT / "key").write_text("S3CRET\n")
    policy = {"grant": "client_credentials", "client": {"id": "press", "secret": "cl1ent"}}
    (directory / TENANT / "login").write_text(json.dumps(policy))
    return directory


@pytest.fixture(scope="module")
def settings(urls, service_settings, secrets) -> WorkflowSettings:
    """The settings of the test file's service."""
    return service_settings(SERVICE, urls.service, secrets_directory=secrets)


@pytest.fixture
async def plant(service, connected):
    """An operator of the tenant that has secrets."""
    async with connected(service, TENANT) as client:
        yield client


async def outcome(client, do, version, **sections):
    await client.publish(do, version, promote_to="prod", **sections)
    instance = await client.run()
    error = instance.error
    output = json_format.MessageToDict(instance.output) if instance.HasField("output") else None
    return output, (error.type.rpartition("/")[2], error.status) if error.type else None


def operation(**more):
    return {"operationId": "grade", "responses": {"200": {"description": "graded"}}, **more}


async def test_an_operation_of_openapi_3_is_called(plant, web):
    parameters = [
        {"name": "line", "in": "path", "required": True, "schema": {"type": "string"}},
        {"name": "shift", "in": "query", "schema": {"type": "array"}},
        {"name": "X-Key", "in": "header", "schema": {"type": "string"}},
    ]
    body = {"required": True, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Piece"}}}}
    document = {
        "openapi": "3.1.0",
        "servers": [{"url": "/api/{stage}", "variables": {"stage": {"default": "v1"}}}],
        "paths": {"/lines/{line}": {"parameters": parameters, "post": operation(requestBody=body)}},
        "components": {"schemas": {"Piece": {"type": "object"}}},
    }
    web.answer("/openapi.json", lambda _: aio.json_response(document))
    web.answer("/api/v1/lines/a b", lambda _: aio.json_response({"grade": "A"}))
    arguments = {
        "document": {"endpoint": f"{web.url}/openapi.json"},
        "operationId": "grade",
        "parameters": {"line": "a b", "shift": [1, 2], "X-Key": "${ $secrets.key }", "body": {"name": "lid"}},
    }
    ask = [{"grade": {"call": "openapi", "with": arguments}}]
    assert await outcome(plant, ask, "1.0.0", use={"secrets": ["key"]}) == ({"grade": "A"}, None)
    ((method, headers, query, sent),) = web.hits["/api/v1/lines/a b"]
    assert (method, query, json.loads(sent)) == ("POST", "shift=1&shift=2", {"name": "lid"})
    assert {name.lower(): value for name, value in headers.items()}["x-key"] == "S3CRET"


async def test_an_operation_of_openapi_2_is_called(plant, web):
    fields = [{"name": name, "in": "formData", "type": "string"} for name in ("name", "key")]
    document = f"""
swagger: "2.0"
basePath: /v2
paths:
  /grade:
    post: {json.dumps(operation(parameters=fields))}
"""
    web.answer("/swagger.yaml", lambda _: aio.Response(text=document))
    web.answer("/v2/grade", lambda _: aio.json_response({"grade": "B"}))
    arguments = {
        "document": {"endpoint": f"{web.url}/swagger.yaml"},
        "operationId": "grade",
        "parameters": {"name": "a lid", "key": "${ $secrets.key }"},
    }
    ask = [{"grade": {"call": "openapi", "with": arguments}}]
    assert await outcome(plant, ask, "2.0.0", use={"secrets": ["key"]}) == ({"grade": "B"}, None)
    assert web.hits["/v2/grade"][0][3] == b"name=a+lid&key=S3CRET"


async def test_a_method_is_called_and_its_code_is_an_error_that_can_be_caught(plant, web):
    method = await Protos().method("t", PROTO.encode(), "plant.Press", "Press")
    piece = message_factory.GetMessageClass(method.descriptor.input_type)

    async def press(request, context):
        if not request.name:
            await context.abort(grpc.StatusCode.NOT_FOUND, "no name")
        return piece(name=f"pressed {request.name}")

    handler = grpc.unary_unary_rpc_method_handler(press, piece.FromString, piece.SerializeToString)
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("plant.Press", {"Press": handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    web.answer("/press.proto", lambda _: aio.Response(text=PROTO))

    def call(name):
        proto = {"endpoint": f"{web.url}/press.proto"}
        target = {"name": "plant.Press", "host": "127.0.0.1", "port": port}
        return {
            "call": "grpc",
            "with": {"proto": proto, "service": target, "method": "Press", "arguments": {"name": name}},
        }

    caught = {"try": [{"fail": call("")}], "catch": {"errors": {"with": {"status": 404}}, "as": "e", "do": []}}
    do = [{"missing": caught}, {"press": call("lid")}]
    try:
        assert await outcome(plant, do, "3.0.0") == ({"name": "pressed lid"}, None)
    finally:
        await server.stop(None)


async def test_data_is_held_to_schemas_written_here_and_elsewhere(plant, web):
    web.answer("/piece.json", lambda _: aio.json_response({"required": ["name"]}))
    elsewhere = {"schema": {"resource": {"endpoint": f"{web.url}/piece.json"}}}
    do = [{"weld": {"set": {"name": "lid"}, "output": elsewhere}}]
    assert await outcome(plant, do, "4.0.0") == ({"name": "lid"}, None)
    do = [{"weld": {"set": {"nmae": "lid"}, "output": elsewhere}}]
    assert await outcome(plant, do, "4.1.0") == (None, ("validation", 400))
    do = [
        {"weld": {"set": {"name": 7}, "output": {"schema": {"document": {"properties": {"name": {"pattern": "^l"}}}}}}}
    ]
    assert await outcome(plant, do, "4.2.0") == ({"name": 7}, None)


async def test_a_policy_that_is_a_secret_gets_a_token(plant, web, secrets):
    login = json.loads((secrets / TENANT / "login").read_text())
    (secrets / TENANT / "login-here").write_text(json.dumps({**login, "authority": web.url}))
    web.answer("/oauth2/token", lambda _: aio.json_response({"access_token": "t1", "expires_in": 60}))
    use = {"secrets": ["login-here"], "authentications": {"erp": {"oauth2": {"use": "login-here"}}}}
    do = [get({"uri": f"{web.url}/a", "authentication": {"use": "erp"}})]
    assert await outcome(plant, do, "5.0.0", use=use) == ({}, None)
    assert web.hits["/a"][0][1]["Authorization"] == "Bearer t1"
    assert b"client_secret=cl1ent" in web.hits["/oauth2/token"][0][3]


async def test_a_secret_that_there_is_not_is_found_out_when_it_is_sent(plant, web):
    do = [get(f"{web.url}/a", headers={"x-key": "${ $secrets.gone }"})]
    assert await outcome(plant, do, "6.0.0", use={"secrets": ["gone"]}) == (None, ("authorization", 403))
    assert not web.hits["/a"]


async def test_another_tenant_has_no_such_secret(client, web):
    do = [get(f"{web.url}/a", headers={"x-key": "${ $secrets.key }"})]
    assert await outcome(client, do, "1.0.0", use={"secrets": ["key"]}) == (None, ("authorization", 403))


async def test_a_seal_in_a_result_is_opened_after_a_pause(plant, web):
    web.hold("/slow")
    do = [
        {"take": {"set": {"key": "${ $secrets.key }"}, "export": {"as": "${ . }"}}},
        get(f"{web.url}/slow", "rest"),
        get(f"{web.url}/a", headers={"x-key": "${ $context.key }"}),
    ]
    await plant.publish(do, "7.0.0", promote_to="prod", use={"secrets": ["key"]})
    instance = await plant.start()
    await web.arrival("/slow")
    await plant.PauseInstance(name=instance)
    web.let_go("/slow")
    await plant.reached(instance, InstanceEvent.KIND_PAUSED)
    await plant.ResumeInstance(name=instance)
    assert not (await plant.ended(instance)).error.type
    assert {name.lower(): value for name, value in web.hits["/a"][0][1].items()}["x-key"] == "S3CRET"


async def test_a_schema_that_is_none_is_found_when_it_is_published(plant):
    schema = {"schema": {"document": {"type": "objekt"}}}
    refusal = await refused(plant.publish([{"a": {"set": {"b": 1}, "output": schema}}], input=schema))
    assert refusal.faults == [
        ("/do/0/a/output/schema/document", "SCHEMA_INVALID"),
        ("/input/schema/document", "SCHEMA_INVALID"),
    ]


async def test_a_secret_that_there_is_not_does_not_keep_a_version_from_being_published(plant):
    await plant.publish([{"a": {"set": {"b": "${ $secrets.gone }"}}}], "8.0.0", use={"secrets": ["gone"]})
