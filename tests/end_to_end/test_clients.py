"""The clients in Python, Go and TypeScript, built from the contract as it is: each does the same, twice if need be."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from millwright.judgment.v1.ruleset_service_pb2 import PublishVersionRequest as PublishRuleset
from millwright.workflow.v1.workflow_service_pb2 import PublishVersionRequest
from millwright_local.judgment_client import JudgmentClient
from millwright_local.workflow_client import WorkflowClient

ROOT = Path(__file__).parents[2]
CLIENTS = ROOT / "examples/clients"
BUILD_SECONDS = 280


def build(directory: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False)


def need(tool: str, fetch: Sequence[str], directory: Path) -> None:
    """Skip where a toolchain is not there, or its packages cannot be had."""
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not here")
    if (fetched := build(directory, *fetch)).returncode:
        pytest.skip(f"packages cannot be had: {fetched.stderr[-300:]}")


def in_python() -> Sequence[str]:
    return [sys.executable, str(CLIENTS / "python/judge_lot.py")]


def in_go() -> Sequence[str]:
    directory = CLIENTS / "go"
    need("go", ("go", "mod", "download"), directory)
    for step in (("generate", "."), ("vet", "."), ("build", "-o", "judgelot", ".")):
        done = build(directory, "go", *step)
        assert done.returncode == 0, done.stderr
    return [str(directory / "judgelot")]


def in_typescript() -> Sequence[str]:
    directory = CLIENTS / "typescript"
    need("npm", ("npm", "install", "--no-audit", "--no-fund"), directory)
    for script in ("generate", "build"):
        done = build(directory, "npm", "run", "--silent", script)
        assert done.returncode == 0, done.stdout + done.stderr
    return ["node", str(directory / "dist/judge-lot.js")]


@pytest.fixture
async def published(replicas, tenant) -> None:
    """The ruleset and the workflow that the clients need, in the test's tenant."""
    token = replicas.stack.keys.token(tenant=tenant)
    async with WorkflowClient(replicas.first.address, token) as client:
        definition = (ROOT / "examples/workflows/grade-lot/v1.yaml").read_text()
        request = PublishVersionRequest(definition=definition, promote_to="prod")
        await client.call(client.workflows.PublishVersion, request)
    async with JudgmentClient(replicas.stack.endpoints["judgment"], token) as client:
        document = (ROOT / "examples/rulesets/weld/v1.json").read_text()
        await client.call(client.rulesets.PublishVersion, PublishRuleset(document=document, promote_to="prod"))


@pytest.mark.timeout(BUILD_SECONDS + 120)
@pytest.mark.parametrize("make", [in_python, in_go, in_typescript])
async def test_a_lot_is_judged_and_followed_up(make: Callable[[], Sequence[str]], published, replicas, tenant):
    program = await asyncio.to_thread(make)
    endpoints = [replicas.stack.endpoints["judgment"], replicas.second.address]
    environment = os.environ | {"MILLWRIGHT_TOKEN": replicas.stack.keys.token(tenant=tenant)}

    async def run(*measured: str) -> tuple[int, list[str], str]:
        command = [*program, *endpoints, *measured]
        done = await asyncio.to_thread(
            subprocess.run, command, env=environment, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout.splitlines(), done.stderr

    code, lines, err = await run("L-7", "0.09", "25", "widget")
    assert code == 0, err
    assert lines[0].startswith("L-7: critical, by rule "), lines
    assert lines[1:] == [
        "1 CREATED",
        "2 STARTED",
        "3 TASK_COMPLETED /do/0/computeRate",
        "4 TASK_COMPLETED /do/1/settle",
        "5 TASK_COMPLETED /do/2/grade",
        "6 COMPLETED",
        lines[-1],
    ]
    assert json.loads(lines[-1]) == {"grade": "B", "lot": "L-7"}
    _, again, _ = await run("L-7", "0.09", "25", "widget")
    assert again[:-1] == lines[:-1]  # the same lot: the same judgment, and the same instance
    assert json.loads(again[-1]) == json.loads(lines[-1])
    code, lines, _ = await run("L-8", "0.001", "25", "widget")
    assert (code, len(lines)) == (0, 1)
    assert lines[0].startswith("L-8: normal, ")
    code, lines, err = await run("L-9", "7", "25", "widget")
    assert (code, lines) == (1, [])
    assert "INVALID_INPUT" in err
