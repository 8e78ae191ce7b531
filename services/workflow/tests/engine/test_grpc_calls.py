"""Calls of a real gRPC server by its proto file."""

import asyncio

import grpc
import pytest
from aiohttp import web as aio
from google.protobuf import json_format, message_factory
from millwright_runtime import tracing
from millwright_workflow.domain.interpreter import Authentication
from millwright_workflow.engine.calls.protos import Protos
from workflow_rig.certificate import certificate

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = f"00-{TRACE_ID}-b7ad6b7169203331-01"
PROTO = """
syntax = "proto3";
package plant;
import "google/protobuf/timestamp.proto";
message Piece { string name = 1; int64 weight_mg = 2; repeated Grade grades = 3; google.protobuf.Timestamp at = 4; }
enum Grade { GRADE_UNSPECIFIED = 0; GRADE_GOOD = 1; }
message Pressed { string said = 1; Piece piece = 2; bytes blob = 3; }
service Press {
  rpc Press(Piece) returns (Pressed);
  rpc Watch(Piece) returns (stream Pressed);
}
"""


class Server:
    """A press: answers what it was told, notes the metadata."""

    def __init__(self):
        self.metadata = []
        self.respond = None
        self.hold = asyncio.Event()

    async def start(self, credentials=None):
        method = await Protos().method("t", PROTO.encode(), "plant.Press", "Press")
        request = message_factory.GetMessageClass(method.descriptor.input_type)
        response = message_factory.GetMessageClass(method.descriptor.output_type)

        async def press(piece, context):
            self.metadata.append(dict(context.invocation_metadata()))
            if self.respond:
                return await self.respond(piece, context)
            return response(
                said=f"pressed {piece.name}", piece=json_format.ParseDict(json_format.MessageToDict(piece), request())
            )

        self.response = response
        handler = grpc.unary_unary_rpc_method_handler(press, request.FromString, response.SerializeToString)
        self.server = grpc.aio.server(options=[("grpc.max_send_message_length", -1)])
        self.server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("plant.Press", {"Press": handler}),))
        add = self.server.add_secure_port if credentials else self.server.add_insecure_port
        self.port = add("127.0.0.1:0", *((credentials,) if credentials else ()))
        await self.server.start()
        return self


@pytest.fixture
async def press():
    """A gRPC server in plaintext."""
    server = await Server().start()
    yield server
    server.hold.set()
    await server.server.stop(None)


@pytest.fixture
def proto(web):
    """The URL of the proto file."""
    return web.answer("/press.proto", lambda _: aio.Response(text=PROTO))


async def test_json_goes_in_and_comes_out(calls, press, proto, caller):
    tracing.join(TRACEPARENT)
    piece = {"name": "lid", "weightMg": "7", "grades": ["GRADE_GOOD"], "at": "2026-01-02T03:04:05Z"}
    answer = await calls.ask(proto, "127.0.0.1", press.port, "Press", piece, caller=caller)
    assert (answer.code, answer.message) == (0, {"said": "pressed lid", "piece": piece})
    metadata = press.metadata[0]
    assert metadata["idempotency-key"] == f"{caller.instance_id}/do/0/ask"
    assert metadata["traceparent"].split("-")[1] == TRACE_ID
    assert caller.confirmed == 1


async def test_the_proto_file_is_compiled_once(calls, press, proto, web):
    for _ in range(3):
        assert (await calls.ask(proto, "localhost", press.port, "Press")).code == 0
    assert len(web.hits["/press.proto"]) == 1
    assert len(calls.grpc._channels._kept) == 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"service": "plant.Lathe"}, "has no service 'plant.Lathe'"),
        ({"method": "Fold"}, "has no method 'Fold'"),
        ({"method": "Watch"}, "streams"),
        ({"arguments": {"nmae": 1}}, "'nmae'"),
        ({"arguments": {"weightMg": "S3CRET"}}, "weightMg"),
        ({"arguments": {"at": "S3CRET"}}, "at"),
    ],
)
async def test_what_does_not_fit_the_proto_file_is_a_fault_of_configuration(
    calls, press, proto, fault, changes, reason
):
    asked = {"method": "Press", "arguments": {}, "service": "plant.Press", **changes}
    kind, _, detail = await fault(calls.ask(proto, "127.0.0.1", press.port, **asked))
    assert (kind, reason in detail, "S3CRET" in detail) == ("configuration", True, False)
    assert not press.metadata


@pytest.mark.parametrize(
    "text",
    [
        "syntax = 'proto3'; message {",
        'syntax = "proto3"; import "/etc/passwd";',
        'syntax = "proto3"; import "../../../etc/passwd";',
        'syntax = "proto3"; import "other.proto";',
        "x" * (1024 * 1024 + 1),
        "\0\xff",
        'syntax = "proto3"; message A { ' + "message A { " * 5000,
    ],
    ids=["broken", "root", "above", "beside", "huge", "bytes", "deep"],
)
async def test_a_proto_file_that_does_not_compile_is_a_fault_of_configuration(calls, web, fault, text):
    url = web.answer("/x.proto", lambda _: aio.Response(text=text))
    kind, _, detail = await fault(calls.ask(url, "127.0.0.1", 1, "Press"))
    assert kind == "configuration"
    assert "root:" not in detail


async def test_a_proto_file_that_cannot_be_had_is_a_fault_of_communication(calls, web, fault):
    web.answer("/x.proto", lambda _: aio.Response(status=404))
    assert (await fault(calls.ask(f"{web.url}/x.proto", "127.0.0.1", 1, "Press")))[0] == "communication"


async def test_every_code_is_an_answer(calls, press, proto):
    async def refuse(_, context):
        await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "the press is open")

    press.respond = refuse
    answer = await calls.ask(proto, "127.0.0.1", press.port, "Press")
    assert (answer.code, answer.message, answer.detail) == (9, None, "the press is open")


async def test_a_server_that_is_not_there_is_unavailable(calls, press, proto):
    assert (await calls.ask(proto, "nowhere.invalid", 50051, "Press")).code == 14
    await press.server.stop(None)
    assert (await calls.ask(proto, "127.0.0.1", press.port, "Press")).code == 14


async def test_a_server_that_does_not_answer_is_cut_off(open_calls, press, proto):
    async def wait(_, context):
        await press.hold.wait()

    press.respond = wait
    async with open_calls(seconds=0.5) as calls:
        assert (await calls.ask(proto, "127.0.0.1", press.port, "Press")).code == 4


@pytest.mark.parametrize("compression", [None, grpc.Compression.Gzip])
async def test_an_answer_that_is_too_large_is_refused(calls, press, proto, compression):
    async def flood(_, context):
        if compression:
            context.set_compression(compression)
        return press.response(blob=b"\0" * (64 * 1024 * 1024))

    press.respond = flood
    assert (await calls.ask(proto, "127.0.0.1", press.port, "Press")).code in (8, 12, 13)


async def test_bytes_that_are_no_response_are_an_internal_error(calls, web, press):
    other = PROTO.replace("string said = 1", "int64 said = 1").replace("bytes blob = 3", "string blob = 3")
    url = web.answer("/other.proto", lambda _: aio.Response(text=other))

    async def garble(_, context):
        return press.response(blob=b"\xff\xfe")

    press.respond = garble
    assert (await calls.ask(url, "127.0.0.1", press.port, "Press")).code == 13


async def test_proof_goes_as_metadata_and_echoes_come_without_it(open_calls, press, proto, fault):
    async def echo(piece, context):
        said = dict(context.invocation_metadata())["authorization"]
        await context.abort(grpc.StatusCode.UNAUTHENTICATED, f"no {said} for {piece.name}")

    press.respond = echo
    async with open_calls(secrets={"login": {"username": "ann", "password": "S3CRET"}}) as calls:
        policy = Authentication("basic", secret="login")
        arguments = {"name": calls.sealed["login"]["password"]}
        answer = await calls.ask(proto, "127.0.0.1", press.port, "Press", arguments, auth=policy)
        digest = Authentication("digest", secret="login")
        assert (await fault(calls.ask(proto, "127.0.0.1", press.port, "Press", auth=digest)))[0] == "configuration"
    assert press.metadata[0]["authorization"].startswith("Basic ")
    assert (answer.code, answer.detail) == (16, "no [secret] for [secret]")


async def test_a_denied_network_is_not_called(open_calls, press, proto, web, fault):
    async with open_calls(denied="127.0.0.2/32") as calls:
        assert (await fault(calls.ask(proto, "127.0.0.2", press.port, "Press")))[:2] == ("authorization", 403)
    assert not press.metadata


@pytest.mark.parametrize("token", ["S3CRET\n", "S3CRÉT", "S3CRET\0"])
async def test_a_token_that_metadata_cannot_hold_is_refused_unseen(calls, press, proto, fault, token):
    policy = Authentication("bearer", settings={"token": token})
    kind, _, detail = await fault(calls.ask(proto, "127.0.0.1", press.port, "Press", auth=policy))
    assert (kind, "S3CR" in detail, press.metadata) == ("configuration", False, [])


@pytest.mark.parametrize("host", ["", "a/b", "ftp://a", "a@b"])
async def test_what_is_no_host_is_refused(calls, proto, fault, host):
    assert (await fault(calls.ask(proto, host, 1, "Press")))[0] == "configuration"


async def test_tls_checks_the_name_that_was_asked_for(calls, proto, monkeypatch, tmp_path):
    key, chain = certificate()
    server = await Server().start(grpc.ssl_server_credentials([(key, chain)]))
    trust = grpc.ssl_channel_credentials(chain)
    try:
        assert (
            await calls.ask(proto, "https://localhost", server.port, "Press")
        ).code == 14  # signed by nobody we know
        monkeypatch.setattr(grpc, "ssl_channel_credentials", lambda: trust)
        assert (await calls.ask(proto, "https://127.0.0.1", server.port, "Press")).code == 14
        await calls.grpc._channels.close()
        assert (await calls.ask(proto, "https://localhost", server.port, "Press")).code == 0
    finally:
        await server.server.stop(None)
