"""A secret is in what is sent and nowhere else: planted in every place, then looked for in everything that is kept."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import pytest
from aiohttp import web
from millwright.workflow.v1.instance_service_pb2 import WatchInstanceRequest
from millwright.workflow.v1.workflow_service_pb2 import PublishVersionRequest
from millwright_local.scratch import scratch_directory
from millwright_local.stack import Stack
from millwright_local.workflow_client import WorkflowClient

from tests.leaks import dump, everything_in_valkey, files_of, holders

TENANT = "plant-of-secrets"
MARKS = {name: f"MARK{name.upper()}77aa55" for name in ("key", "password", "client", "token", "env")}
VISIBLE = "VISIBLE99bb44"
USE = """
use:
  secrets: [key, login, erp, token]
  authentications:
    user: {basic: {use: login}}
    challenged: {digest: {use: login}}
    erp: {oauth2: {use: erp}}
    refusing: {oauth2: {authority: '${ .web + "/refusing" }', client: {id: a, secret: '${ $secrets.key }'}}}
"""
TASKS = """
- header: {call: http, with: {method: get, endpoint: '${ .web + "/ok" }', headers: {x-key: '${ $secrets.key }'}}}
- query: {call: http, with: {method: get, endpoint: '${ .web + "/ok" }', query: {k: '${ $secrets.key }'}}}
- body: {call: http, with: {method: post, endpoint: '${ .web + "/ok" }', body: {k: '${ "x" + $secrets.key }'}}}
- path: {call: http, with: {method: get, endpoint: '${ .web + "/ok/" + $secrets.key }', output: response}}
- userinfo: {call: http, with: {method: get, endpoint: '${ .web | sub("//"; "//ann:" + $secrets.key + "@") }'}}
- basic: {call: http, with: {method: get, endpoint: {uri: '${ .web + "/ok" }', authentication: {use: user}}}}
- digest: {call: http, with: {method: get, endpoint: {uri: '${ .web + "/digest" }', authentication: {use: challenged}}}}
- issued: {call: http, with: {method: get, endpoint: {uri: '${ .web + "/ok" }', authentication: {use: erp}}}}
- variable: {call: http, with: {method: get, endpoint: '${ .web + "/ok" }', headers: {x-token: '${ $secrets.token }'}}}
- kept: {set: {key: '${ $secrets.key }', all: '${ $secrets }', seen: VISIBLE99bb44}, export: {as: '${ . }'}}
"""
FAILING = """
- echoed: {call: http, with: {method: post, endpoint: '${ .web + "/echo" }', body: {k: '${ $secrets.key }'}}}
- nowhere: {call: http, with: {method: get, endpoint: '${ $secrets.key | "http://ann:" + . + "@127.0.0.1:1/" + . }'}}
- nothing: {call: http, with: {method: get, endpoint: '${ $secrets.key }'}}
- unsendable: {call: http, with: {method: get, endpoint: '${ .web + "/ok" }', headers: {'a b': '${ $secrets.key }'}}}
- refused: {call: http, with: {method: get, endpoint: {uri: '${ .web + "/ok" }', authentication: {use: refusing}}}}
- pressed:
    call: grpc
    with:
      proto: {endpoint: '${ .web + "/press.proto" }'}
      service: {name: plant.Press, host: 127.0.0.1, port: PORT, authentication: {use: user}}
      method: Press
      arguments: {name: '${ $secrets.key }'}
- misfit:
    call: grpc
    with:
      proto: {endpoint: '${ .web + "/press.proto" }'}
      service: {name: plant.Press, host: 127.0.0.1, port: PORT}
      method: Press
      arguments: {count: '${ $secrets.key }'}
- document: {call: openapi, with: {document: {endpoint: '${ .web + "/echo?k=" + $secrets.key }'}, operationId: a}}
- formed: {set: {k: '${ $secrets.key }'}, output: {schema: {document: {properties: {k: {pattern: '^[0-9]$'}}}}}}
- computed: {set: {k: '${ $secrets.key | error }'}}
- held: {call: http, with: {method: get, endpoint: '${ .web + "/hold" }'}}
- raised: {raise: {error: {type: 'https://a.example/b', status: 500, detail: '${ "it is " + $secrets.key }'}}}
"""
PROTO = """
syntax = "proto3";
package plant;
message Piece { string name = 1; int32 count = 2; }
service Press { rpc Press(Piece) returns (Piece); }
"""


@dataclass
class Plant:
    """The systems that workflows call: they note what they are sent, and repeat it in their refusals."""

    url: str = ""
    port: int = 0
    seen: list[str] = field(default_factory=list)
    held: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: web.Request) -> web.Response:
        """Answer any request."""
        sent = f"{request.raw_path} {dict(request.headers)} {await request.text()}"
        self.seen.append(sent)
        if request.path == "/hold":
            self.held.set()
            await self.released.wait()
        if request.path == "/press.proto":
            return web.Response(text=PROTO)
        if request.path == "/erp/oauth2/token":
            return web.json_response({"access_token": f"issued-{MARKS['token']}", "expires_in": 3600})
        if request.path == "/digest" and "Authorization" not in request.headers:
            return web.Response(status=401, headers={"www-authenticate": 'Digest realm="p", nonce="n", qop="auth"'})
        if request.path.startswith(("/echo", "/refusing")):
            return web.json_response({"error": sent, "error_description": sent}, status=400, headers={"x-echo": "1"})
        return web.json_response({})

    async def press(self, request: bytes, context: grpc.aio.ServicerContext) -> bytes:
        """Refuse any piece, and say all about it."""
        metadata = dict(context.invocation_metadata() or ())
        self.seen.append(f"{request!r} {metadata}")
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"no {request!r} of {metadata['authorization']}")
        return b""


@pytest.fixture(scope="module")
async def plant() -> AsyncIterator[Plant]:
    plant = Plant()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", plant.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    plant.url = f"http://{host}:{port}"
    server = grpc.aio.server()
    handler = grpc.unary_unary_rpc_method_handler(plant.press)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("plant.Press", {"Press": handler}),))
    plant.port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield plant
    await server.stop(None)
    await runner.cleanup()


def write_secrets(directory: Path, plant: Plant) -> None:
    """Write the tenant's secrets as an operator does."""
    tenant = directory / TENANT
    tenant.mkdir()
    client = {"id": "press", "secret": MARKS["client"]}
    (tenant / "key").write_text(MARKS["key"] + "\n")
    (tenant / "login").write_text(json.dumps({"username": "ann", "password": MARKS["password"]}))
    (tenant / "erp").write_text(json.dumps({"authority": f"{plant.url}/erp", "client": client}))


@pytest.fixture(scope="module")
async def stack(plant: Plant, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """One service that logs all it can, with secrets in files and in its environment."""
    directory = tmp_path_factory.mktemp("secrets")
    write_secrets(directory, plant)
    with pytest.MonkeyPatch.context() as patch, scratch_directory() as home:
        patch.setenv("MILLWRIGHT_WORKFLOW_SECRETS_DIRECTORY", str(directory))
        patch.setenv("MILLWRIGHT_WORKFLOW_SECRETS_PREFIX", "PLANT_SECRET_")
        patch.setenv("PLANT_SECRET_PLANT_OF_SECRETS__TOKEN", MARKS["env"])
        patch.setenv("MILLWRIGHT_WORKFLOW_LOG_LEVEL", "DEBUG")
        async with Stack(home, free_ports=True, durable=False, environment={}) as stack:
            yield stack


@pytest.fixture(scope="module")
async def told(stack: Stack, plant: Plant) -> AsyncIterator[dict[str, bytes]]:
    """All that Valkey holds and the API tells of an instance that uses every secret in every place."""
    client = WorkflowClient(stack.services["workflow"].address, stack.keys.token(tenant=TENANT))
    publication = PublishVersionRequest(definition=written(plant), promote_to="prod")
    await client.call(client.workflows.PublishVersion, publication)
    (instance,) = await client.start("workflows/test.leak", [{"web": plant.url}])
    await plant.held.wait()
    cached = await everything_in_valkey(stack)
    plant.released.set()
    ended = await client.end_of(instance)
    watching = WatchInstanceRequest(name=instance, from_sequence=0)
    answers = [str(each) async for each in client.stream(client.instances.WatchInstance, watching)]
    yield {"api": "\n".join([str(ended), *answers]).encode(), **cached}
    await client.close()


def written(plant: Plant) -> str:
    """Write the definition: what works, then what fails, each caught and kept, and one uncaught at last."""
    tasks, failing = (text.replace("PORT", str(plant.port)).strip().split("\n- ") for text in (TASKS, FAILING))
    lines = ["document: {dsl: 1.0.1, namespace: test, name: leak, version: 1.0.0}", USE, "do:"]
    for task in tasks:
        name, _, rest = task.removeprefix("- ").partition(":")
        lines.append(f"- {name}:\n    do:\n    - it:{rest}\n    output: {{as: $input}}")
    for task in failing:
        name, _, rest = task.removeprefix("- ").partition(":")
        body = rest.replace("\n", "\n      ")
        lines.append(
            f"- {name}:\n    try:\n    - it:{body}\n    catch:\n      as: caught\n"
            f"      retry: {{delay: PT0.01S, limit: {{attempt: {{count: 1}}}}}}\n"
            f"      do: [{{keep: {{set: {{failure: '${{ $caught }}'}}}}}}]\n    output: {{as: $input}}"
        )
    last = failing[-1].removeprefix("- ").partition(":")
    lines.append(f"- last:{last[2]}")
    return "\n".join(lines)


@pytest.fixture(scope="module")
async def kept(stack: Stack, told: dict[str, bytes]) -> dict[str, bytes]:
    """Everything that is kept anywhere: a dump of the database, Valkey, the API, and each file of the stack."""
    return {**told, "dump": dump(stack), **files_of(stack)}


def test_every_secret_was_sent(told: dict[str, bytes], plant: Plant) -> None:
    everything = {"sent": "\n".join(plant.seen).encode()}
    assert [name for name, mark in MARKS.items() if not holders(everything, [mark])] == []


def test_what_is_no_secret_is_found_in_what_is_kept(kept: dict[str, bytes]) -> None:
    found = holders(kept, [VISIBLE])
    assert "dump" in found
    assert any(name.startswith("valkey ") for name in found)


def test_a_secret_is_in_nothing_that_is_kept(kept: dict[str, bytes]) -> None:
    assert holders(kept, list(MARKS.values())) == []


def test_every_failure_was_one(kept: dict[str, bytes], told: dict[str, bytes]) -> None:
    text = kept["dump"].decode()
    for word in (
        "answered 400",
        "the connection was refused",
        "cannot be sent",
        "No token was issued",
        "code 3",
        "count",
    ):
        assert word in text, word
    assert b"https://a.example/b" in told["api"]
