"""The service as a process of its own: its command, its exit codes, and SIGTERM."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import grpc
import pytest
from millwright.workflow.v1 import (
    release_service_pb2,
    release_service_pb2_grpc,
    workflow_service_pb2,
    workflow_service_pb2_grpc,
)
from millwright_local.ports import find_free_port
from millwright_local.processes import Process
from millwright_local.testing.refusals import refused

SECONDS = 60


@pytest.fixture
def environment(own_postgres, nats, valkey, keys):
    values = {
        "DATABASE_URL": own_postgres.service,
        "MIGRATION_DATABASE_URL": own_postgres.owner,
        "NATS_URL": nats.url,
        "VALKEY_URL": valkey.url,
        "LISTEN": f"127.0.0.1:{find_free_port()}",
        "METRICS_LISTEN": f"127.0.0.1:{find_free_port()}",
        "JWKS": str(keys.jwks_file),
        "JWT_ISSUER": keys.issuer,
    }
    return {f"MILLWRIGHT_SAMPLE_{name}": value for name, value in values.items()}


@pytest.fixture
async def start(environment, tmp_path):
    """Starts `python -m runtime_sample VERB`, with changes to the environment."""
    started = []

    def start(verb, **changes):
        process = Process(
            "sample",
            [sys.executable, "-m", "runtime_sample", verb],
            log=tmp_path / f"{len(started)}.log",
            environment={**environment, **changes, "PYTHONPATH": str(Path(__file__).parent)},
        )
        started.append(process)
        process.start()
        return process

    yield start
    for process in started:
        await process.kill()


async def says(process, text):
    """Wait until the process has written `text`."""

    async def has_said():
        return text in process.log.read_text()

    await process.wait_until(has_said, SECONDS)


async def test_migrating_brings_the_schema_up_to_date_and_ends(start):
    assert await start("migrate").wait(SECONDS) == 0


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://nobody@127.0.0.1:1/sample", "refused"),
        ("postgresql://nobody@127.0.0.1:1/sample?sslmode=verify-full&sslrootcert=/nowhere/ca.pem", "a file that"),
        ("postgresql://nobody@/sample?host={directory}", 'role "nobody" does not exist'),
    ],
    ids=["nobody listens", "no authorities", "no such role"],
)
async def test_migrating_that_cannot_log_in_ends_with_code_1_and_one_line(start, own_postgres, url, expected):
    url = url.format(directory=own_postgres.server.socket_directory)
    process = start("migrate", MILLWRIGHT_SAMPLE_MIGRATION_DATABASE_URL=url)
    assert await process.wait(SECONDS) == 1
    (line,) = process.log.read_text().splitlines()
    assert line.startswith("cannot log in to Postgres to migrate: ")
    assert expected in line


async def test_wrong_settings_end_it_with_code_2(start):
    process = start("serve", MILLWRIGHT_SAMPLE_LISTEN="nowhere")
    assert await process.wait(SECONDS) == 2
    assert process.log.read_text() == "MILLWRIGHT_SAMPLE_LISTEN: must be HOST:PORT, such as 0.0.0.0:50051\n"


async def test_a_role_that_is_too_powerful_ends_it_with_code_1_and_one_line(start, environment):
    owner = environment["MILLWRIGHT_SAMPLE_MIGRATION_DATABASE_URL"]
    process = start("serve", MILLWRIGHT_SAMPLE_DATABASE_URL=owner)
    assert await process.wait(SECONDS) == 1
    assert "owns the schema sample or tables in it" in process.log.read_text()
    assert "Traceback" not in process.log.read_text()


async def test_sigterm_ends_it_while_it_waits_for_its_database(start):
    process = start("serve", MILLWRIGHT_SAMPLE_DATABASE_URL="postgresql://nobody@127.0.0.1:1/none")
    await says(process, "waiting for the schema")
    os.kill(process.pid, signal.SIGTERM)
    assert await process.wait(SECONDS) == 0


async def test_sigterm_ends_streams_finishes_calls_and_then_the_process(start, environment, token):
    process = start("serve")
    await says(process, '"message":"serving"')
    metadata = (("authorization", f"Bearer {token()}"),)
    async with grpc.aio.insecure_channel(environment["MILLWRIGHT_SAMPLE_LISTEN"]) as channel:
        request = release_service_pb2.WatchReleasesRequest(from_sequence=10**6)
        watching = release_service_pb2_grpc.ReleaseServiceStub(channel).WatchReleases(request, metadata=metadata)
        await anext(aiter(watching))
        workflows = workflow_service_pb2_grpc.WorkflowServiceStub(channel)
        call = workflows.GetWorkflow(workflow_service_pb2.GetWorkflowRequest(name="in 1"), metadata=metadata)
        finishing = asyncio.create_task(_await(call))
        await says(process, "waiting\n")
        os.kill(process.pid, signal.SIGTERM)
        refusal = await refused(watching)
        assert (refusal.code, refusal.reason) == ("UNAVAILABLE", "SHUTTING_DOWN")
        assert not finishing.done()
        assert (await finishing).workflow.name == "in 1"
    assert await process.wait(SECONDS) == 0


async def _await(call):
    return await call
