"""Every RPC of a real process is listed, described and called by the tools that people use, over reflection alone."""

import base64
import json
import shutil
import subprocess
import sys
import uuid
from abc import ABC, abstractmethod
from pathlib import Path

import pytest

PREFIX = "millwright.workflow.v1."
WORKFLOW = "workflows/test.curl"
CHANNEL = f"{WORKFLOW}/channels/prod"
INSTANCE = str(uuid.uuid4())
RUNNING = str(uuid.uuid4())
SECONDS = 20


def definition(name: str, number: int, task: str) -> str:
    return f"document: {{dsl: 1.0.1, namespace: test, name: {name}, version: 1.0.{number}}}\ndo: [{{note: {task}}}]"


ONE, TWO = (definition("curl", number, f"{{set: {{number: {number}}}}}") for number in (1, 2))
SLOW = definition("slow", 1, "{wait: {minutes: 10}}")

# Every RPC in an order in which each has what it needs, with a request, and a sign that its answer must show.
CALLS = (
    ("WorkflowService/PublishVersion", {"definition": ONE, "promoteTo": "prod"}, '"number": 1'),
    ("WorkflowService/PublishVersion", {"definition": TWO}, '"number": 2'),
    ("WorkflowService/GetWorkflow", {"name": WORKFLOW}, '"latestVersion": 2'),
    ("WorkflowService/ListWorkflows", {}, WORKFLOW),
    ("WorkflowService/GetVersion", {"name": f"{WORKFLOW}/versions/1"}, "namespace: test"),
    ("WorkflowService/ListVersions", {"workflow": WORKFLOW}, '"semver": "1.0.2"'),
    ("WorkflowService/DiffVersions", {"workflow": WORKFLOW, "fromVersion": 1, "toVersion": 2}, "KIND_CHANGED"),
    ("ReleaseService/PromoteVersion", {"channel": CHANNEL, "version": 2}, "OPERATION_PROMOTE"),
    ("ReleaseService/RollbackVersion", {"channel": CHANNEL, "reason": "a test"}, "OPERATION_ROLLBACK"),
    ("ReleaseService/MarkVersionGood", {"version": f"{WORKFLOW}/versions/2", "reason": "a test"}, "STATE_GOOD"),
    (
        "ReleaseService/StartCanary",
        {"channel": CHANNEL, "version": 2, "steps": [{"weightBp": 100}, {"weightBp": 5000}]},
        "OPERATION_CANARY_START",
    ),
    ("ReleaseService/StepCanary", {"channel": CHANNEL}, "OPERATION_CANARY_STEP"),
    ("ReleaseService/AbortCanary", {"channel": CHANNEL, "reason": "a test"}, "OPERATION_CANARY_ABORT"),
    ("ReleaseService/MarkVersionBad", {"version": f"{WORKFLOW}/versions/2", "reason": "a test"}, "STATE_BAD"),
    ("ReleaseService/GetChannel", {"name": CHANNEL}, '"version": 1'),
    ("ReleaseService/ListReleases", {"workflow": WORKFLOW}, '"revision": "1"'),
    ("ReleaseService/ListReleaseEvents", {"workflow": WORKFLOW}, '"sequence": "10"'),
    ("ReleaseService/WatchReleases", {"workflow": WORKFLOW, "fromSequence": 9}, "OPERATION_MARK_BAD"),
    ("InstanceService/StartInstance", {"workflow": WORKFLOW, "input": 1, "instanceId": INSTANCE}, INSTANCE),
    ("InstanceService/WatchInstance", {"name": f"instances/{INSTANCE}", "fromSequence": 0}, "KIND_COMPLETED"),
    ("InstanceService/GetInstance", {"name": f"instances/{INSTANCE}"}, "STATE_COMPLETED"),
    ("InstanceService/ListInstances", {"workflow": WORKFLOW}, INSTANCE),
    ("InstanceService/ListInstanceEvents", {"name": f"instances/{INSTANCE}"}, "KIND_STARTED"),
    ("WorkflowService/PublishVersion", {"definition": SLOW, "promoteTo": "prod"}, '"number": 1'),
    ("InstanceService/StartInstance", {"workflow": "workflows/test.slow", "instanceId": RUNNING}, RUNNING),
    ("InstanceService/ListCheckpoints", {"instance": f"instances/{INSTANCE}"}, "/do/0/note"),
    ("InstanceService/GetCheckpoint", {"instance": f"instances/{INSTANCE}"}, "TIER_POSTGRES"),
    ("InstanceService/ForkInstance", {"name": f"instances/{INSTANCE}"}, '"adoptedTasks": "1"'),
    (
        "InstanceService/ListInstanceEvents",
        {"name": f"instances/{RUNNING}", "fromSequence": 1, "wait": "10s"},
        "KIND_STARTED",
    ),
    ("InstanceService/PauseInstance", {"name": f"instances/{RUNNING}", "reason": "a test"}, RUNNING),
    ("WorkflowService/ListSchedules", {}, "{"),
    ("ApprovalService/ListApprovals", {}, "{"),
    ("CatalogueService/ListCircuits", {}, "{"),
    (
        "EventService/PublishEvents",
        {"events": [{"id": RUNNING, "source": "/test", "type": "test.happened"}]},
        '"accepted": 1',
    ),
    ("InstanceService/CancelInstance", {"name": f"instances/{RUNNING}", "reason": "a test"}, RUNNING),
)
# Calls that are refused, and the reasons.
NO_JOB, NO_APPROVAL = f"runJobs/{uuid.UUID(int=1)}", f"approvals/{uuid.UUID(int=1)}"
REFUSED = (
    ("InstanceService/RetryInstance", {"name": f"instances/{INSTANCE}"}, "INSTANCE_NOT_FAULTED"),
    ("ReleaseService/GetRunJob", {"name": NO_JOB}, "RUN_JOB_NOT_FOUND"),
    ("ReleaseService/ListRunJobOutcomes", {"runJob": NO_JOB}, "RUN_JOB_NOT_FOUND"),
    ("ReleaseService/CancelRunJob", {"name": NO_JOB}, "RUN_JOB_NOT_FOUND"),
    ("ReleaseService/WatchRunJob", {"name": NO_JOB}, "RUN_JOB_NOT_FOUND"),
    ("ApprovalService/GetApproval", {"name": NO_APPROVAL}, "APPROVAL_NOT_FOUND"),
    ("ApprovalService/DecideApproval", {"name": NO_APPROVAL, "approve": True}, "APPROVAL_NOT_FOUND"),
    ("WorkerService/StreamWork", {"open": {"worker": "test", "queues": ["test"]}}, "ROLE_MISSING"),
    ("InstanceService/ResumeInstance", {"name": f"instances/{INSTANCE}"}, "INSTANCE_NOT_PAUSED"),
    ("WorkflowService/GetWorkflow", {"name": "workflows/test.none"}, "WORKFLOW_NOT_FOUND"),
    ("WorkflowService/PublishVersion", {"definition": "do: ["}, "INVALID_DEFINITION"),
)


class Tool(ABC):
    """A command that knows of a process what reflection tells it."""

    def __init__(self, address: str, token: str) -> None:
        self.address = address
        self.bearer = f"authorization: Bearer {token}"

    @abstractmethod
    def rpcs(self) -> set[str]:
        """Give `Service/Method` of every RPC of ours."""

    @abstractmethod
    def command(self, rpc: str, body: dict) -> list[str]:
        """Give the command that calls an RPC."""

    @abstractmethod
    def details(self, output: str) -> str:
        """Give the details of an error as text, from what the tool printed."""


class Buf(Tool):
    COMMAND = (str(Path(sys.executable).with_name("buf")), "curl", "--protocol", "grpc", "--http2-prior-knowledge")

    def rpcs(self) -> set[str]:
        return ours(run(*self.COMMAND, "--list-methods", f"http://{self.address}").stdout)

    def command(self, rpc: str, body: dict) -> list[str]:
        return [*self.COMMAND, "-H", self.bearer, "-d", json.dumps(body), f"http://{self.address}/{PREFIX}{rpc}"]

    def details(self, output: str) -> str:
        details = json.loads(output)["details"]  # each with its type, and its bytes
        assert details[0]["type"] == "google.rpc.ErrorInfo"
        return " ".join(str(base64.b64decode(detail["value"] + "==")) for detail in details)


class Grpcurl(Tool):
    FOUND = shutil.which("grpcurl")

    def rpcs(self) -> set[str]:
        services = run(self.FOUND, "-plaintext", self.address, "list").stdout.split()
        listed = [run(self.FOUND, "-plaintext", self.address, "list", service).stdout for service in services]
        return {rpc.replace(".", "/") for rpc in ours("".join(listed))}

    def command(self, rpc: str, body: dict) -> list[str]:
        flags = ("-plaintext", "-H", self.bearer, "-d", json.dumps(body))
        return [self.FOUND, *flags, self.address, PREFIX + rpc]

    def details(self, output: str) -> str:
        assert '"@type": "type.googleapis.com/google.rpc.ErrorInfo"' in output
        return output


def ours(names: str) -> set[str]:
    return {name.removeprefix(PREFIX) for name in names.split() if name.startswith(PREFIX)}


def plain(text: str) -> str:
    """Give text without the difference between `latestVersion` and `latest_version`: each tool prints its own."""
    return text.replace("_", "").lower()


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)


def read_until(command: list[str], sign: str) -> None:
    """Run a command that never ends until it has printed the sign."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert any(sign in line for line in process.stdout)
        finally:
            process.kill()


@pytest.fixture(params=[Buf, Grpcurl])
def tool(request, shared_replicas, tenant) -> Tool:
    if request.param is Grpcurl and Grpcurl.FOUND is None:
        pytest.skip("grpcurl is not installed")
    return request.param(shared_replicas.first.address, shared_replicas.stack.keys.token(tenant=tenant))


def test_every_rpc_is_listed_called_and_its_errors_are_read(tool) -> None:
    assert tool.rpcs() == {rpc for rpc, _, _ in (*CALLS, *REFUSED)}
    for rpc, body, sign in CALLS:
        command = tool.command(rpc, body)
        if rpc == "ReleaseService/WatchReleases":
            read_until(command, sign)
            continue
        answer = run(*command)
        assert answer.returncode == 0, answer.stderr
        assert plain(sign) in plain(answer.stdout)
    for rpc, body, reason in REFUSED:
        answer = run(*tool.command(rpc, body))
        assert answer.returncode != 0
        assert reason in tool.details(answer.stderr)


@pytest.mark.parametrize("tool", [Grpcurl], indirect=True)
def test_every_rpc_is_described_with_the_access_it_needs(tool) -> None:
    for service in sorted({rpc.partition("/")[0] for rpc in tool.rpcs()}):
        described = run(tool.FOUND, "-plaintext", tool.address, "describe", PREFIX + service).stdout
        assert described.count("option (.millwright.api.v1.access)") == described.count("  rpc ")


def test_a_call_without_a_token_is_refused(tool) -> None:
    tool.bearer = "x-nothing: 1"
    answer = run(*tool.command("WorkflowService/ListWorkflows", {}))
    assert "unauthenticated" in answer.stderr.lower()
