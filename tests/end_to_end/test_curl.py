"""Every RPC of every service is listed, described and called by the tools that people use, over reflection alone."""

import subprocess
import time

import pytest
from millwright_local.services import SERVICES

from tests.end_to_end.curl.calls import CALLS
from tests.end_to_end.curl.cases import Call, names, plain
from tests.end_to_end.curl.tools import BUILD_SECONDS, Buf, Grpcurl, Tool, ToolMissingError, run

ROLES = ("operator", "admin", "worker")
LATE_SECONDS = 10.0
PAUSE_SECONDS = 0.2

pytestmark = pytest.mark.timeout(BUILD_SECONDS + 60)
every_service = pytest.mark.parametrize("service", [service.name for service in SERVICES])


@pytest.fixture(params=[Buf, Grpcurl], ids=lambda tool: tool.name)
def tool(request, shared_replicas, tenant, service) -> Tool:
    stack = shared_replicas.stack
    try:
        return request.param(stack.services[service].address, stack.keys.token(tenant=tenant, roles=ROLES))
    except ToolMissingError as missing:
        pytest.skip(str(missing))


@pytest.fixture
def service() -> str:
    """The service that a test calls which is no test of all of them."""
    return "workflow"


def full_name(service: str, call: Call) -> str:
    return call.rpc if call.rpc.startswith("millwright.") else f"millwright.{service}.v1.{call.rpc}"


def read_until(command: list[str], sign: str) -> str:
    """Run a command that never ends until it has printed the sign."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            for line in process.stdout:
                if plain(sign) in plain(line):
                    return line
        finally:
            process.kill()
    return ""


def answer(tool: Tool, rpc: str, call: Call, known: dict[str, str]) -> str:
    """Make a call, and give what the tool says of it."""
    command = tool.command(rpc, call.text(known))
    if call.is_endless:
        return read_until(command, call.sign)
    end = time.monotonic() + (LATE_SECONDS if call.is_late else 0)
    while True:
        done = run(*command)
        assert (done.returncode != 0) is call.is_refused, f"{rpc}: {done.stdout} {done.stderr}"
        text = tool.details(done.stderr) if call.is_refused else done.stdout
        if plain(call.sign) in plain(text) or time.monotonic() > end:
            return text
        time.sleep(PAUSE_SECONDS)


@every_service
def test_every_rpc_is_listed_called_and_its_errors_are_read(tool, service) -> None:
    assert tool.rpcs() == {full_name(service, call) for call in CALLS[service]}
    known: dict[str, str] = {}
    for call in CALLS[service]:
        rpc = full_name(service, call)
        text = answer(tool, rpc, call, known)
        assert plain(call.sign) in plain(text), f"{rpc}: {text}"
        known.update(names(text))


@every_service
@pytest.mark.parametrize("tool", [Grpcurl], indirect=True)
def test_every_rpc_is_described_with_the_access_it_needs(tool, service) -> None:
    for name in sorted({rpc.partition("/")[0] for rpc in tool.rpcs()}):
        described = tool.description(name)
        assert described.count("  rpc ") > 0
        assert described.count("option (.millwright.api.v1.access)") == described.count("  rpc ")


def test_a_call_without_a_token_is_refused(tool) -> None:
    tool.bearer = "x-nothing: 1"
    refusal = run(*tool.command("millwright.workflow.v1.WorkflowService/ListWorkflows", "{}"))
    assert "unauthenticated" in refusal.stderr.lower()
