"""A peer to call, and the command to run.

The peer is a real gRPC server in this process that speaks the contract: it answers what a test told it to, and keeps
what came. It knows no rule of the service; the end-to-end tests run the command against the real one.
"""

import os
import pty
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import message_factory
from google.protobuf.any_pb2 import Any as Packed
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from millwright.api.v1 import audit_service_pb2
from millwright.etl.v1 import pipeline_service_pb2
from millwright.judgment.v1 import (
    experiment_service_pb2,
    judgment_service_pb2,
    replay_service_pb2,
    ruleset_service_pb2,
)
from millwright.judgment.v1 import release_service_pb2 as ruleset_release_service_pb2
from millwright.modules.v1 import module_service_pb2
from millwright.workflow.v1 import (
    approval_service_pb2,
    instance_service_pb2,
    release_service_pb2,
    workflow_service_pb2,
)
from millwright_cli.__main__ import app
from typer.testing import CliRunner, Result

CONTRACT = (
    workflow_service_pb2,
    release_service_pb2,
    instance_service_pb2,
    approval_service_pb2,
    ruleset_service_pb2,
    ruleset_release_service_pb2,
    judgment_service_pb2,
    replay_service_pb2,
    experiment_service_pb2,
    module_service_pb2,
    pipeline_service_pb2,
    audit_service_pb2,
)


@dataclass
class Refusal:
    """An error, with details as the contract has them; without a reason, a bare status."""

    code: grpc.StatusCode
    reason: str = ""
    message: str = "refused"
    metadata: dict[str, str] = field(default_factory=dict)
    violations: list[tuple[str, str]] = field(default_factory=list)
    after: int = 0
    """How many messages of a stream of requests it lets come first."""

    def end(self, context: grpc.ServicerContext) -> None:
        details = []
        if self.reason:
            details.append(error_details_pb2.ErrorInfo(reason=self.reason, domain="millwright", metadata=self.metadata))
        if self.violations:
            request = error_details_pb2.BadRequest()
            for path, fault in self.violations:
                request.field_violations.add(field=path, description=fault)
            details.append(request)
        if details:
            status = status_pb2.Status(code=self.code.value[0], message=self.message)
            for detail in details:
                packed = Packed()
                packed.Pack(detail)
                status.details.append(packed)
            context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
        context.abort(self.code, self.message)


@dataclass
class Call:
    method: str
    request: Any
    metadata: dict[str, str]


class Peer:
    """The server. Each answer is used once, in order; a stream's answer is a list of messages and maybe a Refusal.

    What a client streams comes as a list, once it is whole.
    """

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self._answers: dict[str, deque[Any]] = {}
        self._servers: list[grpc.Server] = []
        self.endpoint = self.listen()

    def listen(self, credentials: grpc.ServerCredentials | None = None) -> str:
        """Listen at one more port, with TLS where there are credentials; give where."""
        server = grpc.server(ThreadPoolExecutor(4), options=[("grpc.so_reuseport", 0)])
        for module in CONTRACT:
            for service in module.DESCRIPTOR.services_by_name.values():
                handlers = {method.name: self._handler(method) for method in service.methods}
                server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service.full_name, handlers),))
        here = "127.0.0.1:0"
        port = server.add_secure_port(here, credentials) if credentials else server.add_insecure_port(here)
        server.start()
        self._servers.append(server)
        return f"127.0.0.1:{port}"

    refusal = staticmethod(Refusal)
    UNAVAILABLE = grpc.StatusCode.UNAVAILABLE
    OUT_OF_RANGE = grpc.StatusCode.OUT_OF_RANGE
    INVALID_ARGUMENT = grpc.StatusCode.INVALID_ARGUMENT
    FAILED_PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION
    NOT_FOUND = grpc.StatusCode.NOT_FOUND

    def answers(self, method: str, *answers: Message | Refusal | list[Message | Refusal]) -> None:
        self._answers.setdefault(method, deque()).extend(answers)

    def requests(self, method: str) -> list[Any]:
        return [call.request for call in self.calls if call.method == method]

    def stop(self) -> None:
        for server in self._servers:
            server.stop(None).wait()

    def _handler(self, method: Any) -> grpc.RpcMethodHandler:
        request_class = message_factory.GetMessageClass(method.input_type)
        if method.client_streaming:
            return grpc.stream_unary_rpc_method_handler(
                lambda requests, context: self._gather(method.name, requests, context),
                request_deserializer=request_class.FromString,
                response_serializer=lambda message: message.SerializeToString(),
            )
        behaviour = self._stream if method.server_streaming else self._unary
        sent, answered = ("stream" if is_streaming else "unary" for is_streaming in _streamings(method))
        make = getattr(grpc, f"{sent}_{answered}_rpc_method_handler")
        return make(
            lambda sent, context: behaviour(method.name, list(sent) if method.client_streaming else sent, context),
            request_deserializer=request_class.FromString,
            response_serializer=lambda message: message.SerializeToString(),
        )

    def _next(self, method: str, request: Any, context: grpc.ServicerContext) -> Any:
        self.calls.append(Call(method, request, dict(context.invocation_metadata())))
        answers = self._answers.get(method)
        return answers.popleft() if answers else Refusal(grpc.StatusCode.UNIMPLEMENTED, message=f"no answer: {method}")

    def _unary(self, method: str, request: Any, context: grpc.ServicerContext) -> Any:
        answer = self._next(method, request, context)
        if isinstance(answer, Refusal):
            answer.end(context)
        return answer

    def _gather(self, method: str, requests: Iterator[Any], context: grpc.ServicerContext) -> Any:
        """Answer a stream of requests; what came is kept as a list."""
        came: list[Any] = []
        answer = self._next(method, came, context)
        if isinstance(answer, Refusal):
            came += islice(requests, answer.after)
            answer.end(context)
        came += requests
        return answer

    def _stream(self, method: str, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        answer = self._next(method, request, context)
        for message in answer if isinstance(answer, list) else [answer]:
            if isinstance(message, Refusal):
                message.end(context)
            yield message


def _streamings(method: Any) -> tuple[bool, bool]:
    return method.client_streaming, method.server_streaming


# The command's own environment, so that no test depends on whose machine it runs on.
CLEAN = dict.fromkeys(
    (
        "MILLWRIGHT_WORKFLOW_ENDPOINT",
        "MILLWRIGHT_MODULES_ENDPOINT",
        "MILLWRIGHT_JUDGMENT_ENDPOINT",
        "MILLWRIGHT_TOKEN",
        "MILLWRIGHT_TOKEN_FILE",
        "MILLWRIGHT_OUTPUT",
        "LC_ALL",
        "LC_MESSAGES",
    )
) | {"LANG": "en_US.UTF-8"}

Run = Callable[..., Result]


@pytest.fixture(scope="session")
def _server() -> Iterator[Peer]:
    server = Peer()
    yield server
    server.stop()


@pytest.fixture
def peer(_server) -> Peer:
    _server.calls.clear()
    _server._answers.clear()
    return _server


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command in an empty directory, told nothing about where services are."""
    monkeypatch.chdir(tmp_path)

    def run(*args: str, stdin: str | bytes | None = None, env: dict[str, str] | None = None) -> Result:
        return CliRunner().invoke(app, args, input=stdin, env={**CLEAN, **(env or {})}, prog_name="millwright")

    return run


@pytest.fixture
def run(peer: Peer, bare: Run) -> Run:
    """Run the command against the peer."""
    return lambda *args, **given: bare("--endpoint", peer.endpoint, *args, **given)


@pytest.fixture
def typed(peer):
    """Run the command in a terminal of 100 columns and give its exit code and all that it drew."""

    def run(*args):
        ours, theirs = pty.openpty()
        env = {**os.environ, "COLUMNS": "100", "TERM": "xterm-256color"}
        env |= {f"MILLWRIGHT_{name}_ENDPOINT": peer.endpoint for name in ("WORKFLOW", "JUDGMENT", "MODULES")}
        env |= {"LANG": "en_US.UTF-8", "LC_ALL": "C.UTF-8"}
        streams = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
        process = subprocess.Popen([sys.executable, "-m", "millwright_cli", *args], env=env, **streams)
        os.close(theirs)
        drawn = b""
        try:
            while part := os.read(ours, 65_536):
                drawn += part
        except OSError:
            pass  # Linux says EIO where the other end has closed
        finally:
            os.close(ours)
        return process.wait(), drawn.decode()

    return run
