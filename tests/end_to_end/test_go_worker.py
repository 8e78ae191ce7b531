"""The worker in Go, built from the contract as it is now: works, and goes on from what its predecessor saved."""

import asyncio
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from google.protobuf.json_format import MessageToDict
from millwright.workflow.v1.instance_pb2 import InstanceEvent
from millwright.workflow.v1.instance_service_pb2 import WatchInstanceRequest
from millwright.workflow.v1.workflow_service_pb2 import PublishVersionRequest
from millwright_local.processes import Process

SOURCES = Path(__file__).parents[2] / "examples" / "workers" / "go"
INSPECTION = """
document: {dsl: 1.0.1, namespace: test, name: inspection, version: 1.0.0}
do:
- inspect: {call: task, with: {queue: inspect, input: {parts: 100}, heartbeat: PT1S}}
"""
BUILD_SECONDS = 280


def go(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["go", *arguments], cwd=SOURCES, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False
    )


@pytest.fixture(scope="module")
def inspector(tmp_path_factory) -> Path:
    """The worker, built."""
    if shutil.which("go") is None:
        pytest.skip("the Go toolchain is not here")
    if (fetched := go("mod", "download")).returncode:
        pytest.skip(f"the Go modules cannot be had: {fetched.stderr[-300:]}")
    binary = tmp_path_factory.mktemp("go") / "inspector"
    for step in (("generate", "."), ("vet", "."), ("build", "-o", str(binary), ".")):
        done = go(*step)
        assert done.returncode == 0, done.stderr
    return binary


@pytest.mark.timeout(BUILD_SECONDS + 60)
async def test_a_worker_in_go_goes_on_where_its_predecessor_was_killed(inspector, replicas, connect, tenant):
    client = connect(replicas.first)
    await client.call(client.workflows.PublishVersion, PublishVersionRequest(definition=INSPECTION, promote_to="prod"))
    [instance] = await client.start("workflows/test.inspection", [None])
    token = replicas.stack.keys.token(tenant=tenant, roles=("worker",))
    first, second = (
        Process(
            f"inspector {number}",
            [str(inspector), replicas.second.address, "inspect"],
            log=replicas.stack.logs / f"inspector-{number}.log",
            environment={**os.environ, "MILLWRIGHT_TOKEN": token},
        )
        for number in (1, 2)
    )
    try:
        first.start()
        async for answer in client.stream(client.instances.WatchInstance, WatchInstanceRequest(name=instance)):
            if answer.event.kind == InstanceEvent.KIND_TASK_PROGRESS:
                break
        await first.kill()
        second.start()
        async with asyncio.timeout(30):
            output = MessageToDict((await client.end_of(instance)).output)
    finally:
        await first.kill()
        await second.kill()
    assert output["inspected"] == 100
    assert output["attempt"] == 1
    assert output["begin"] > 0
