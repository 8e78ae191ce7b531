"""The judgment service on real servers, and the command against it: a tenant a test."""

import asyncio
import json
import sys
import uuid
from pathlib import Path

import pytest
from millwright_judgment.app import SERVICE
from millwright_runtime.service import running

EXAMPLES = Path(__file__).parents[4] / "examples" / "rulesets" / "weld"
NAME = "quality.weld"


@pytest.fixture(scope="module")
async def judgment(service_databases, service_settings):
    """The address of a judgment service with a database of the test file's own."""
    async with (
        service_databases.fresh(SERVICE) as urls,
        running(SERVICE, service_settings(SERVICE, urls.service)) as service,
    ):
        yield f"127.0.0.1:{service.server.port}"


@pytest.fixture
def operator(token):
    """The token of an operator of a tenant that only this test knows."""
    return token(tenant=f"t-{uuid.uuid4().hex[:12]}", roles=("operator",), subject="kim")


@pytest.fixture
def call(judgment, operator, bare):
    """Run the command against the service, beside the loop that the service runs on."""

    async def call(*args, **given):
        return await asyncio.to_thread(bare, *args, "--endpoint", judgment, "--token", operator, **given)

    return call


@pytest.fixture
def answer(call):
    """Run the command and give its answer as JSON; it must succeed."""

    async def answer(*args, **given):
        result = await call(*args, "-o", "json", **given)
        assert result.exit_code == 0, result.stderr
        return json.loads(result.stdout)

    return answer


@pytest.fixture
def process(judgment, operator):
    """Start the command as a process of its own, to go on beside others."""

    async def process(*args):
        given = (*args, "--endpoint", judgment, "--token", operator)
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "millwright_cli", *given, stdout=asyncio.subprocess.PIPE
        )

    return process


@pytest.fixture
def document(tmp_path):
    """Write the example's document with other keys, and give its path."""

    def write(number=1, **changes):
        path = tmp_path / f"{uuid.uuid4().hex}.json"
        path.write_text(json.dumps(json.loads(example(number).read_text()) | changes))
        return str(path)

    return write


def example(number):
    """The path of one of the example's versions."""
    return EXAMPLES / f"v{number}.json"


@pytest.fixture
async def line(answer):
    """Version 1 of the example, published and promoted to `prod`."""
    return await answer("ruleset", "publish", str(example(1)), "--promote")
