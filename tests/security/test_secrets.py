"""Passwords, keys and tokens of all four services: in their settings and on the wire, and in nothing that they tell.

Everything goes wrong meanwhile: tokens are refused, servers are away, and one does not take the password.
"""

import urllib.request
from collections.abc import AsyncIterator, Iterator

import grpc
import pytest
from millwright_local.processes import until
from millwright_local.scratch import scratch_directory
from millwright_local.service_process import ServiceProcess
from millwright_local.stack import Stack

from tests.leaks import dump, everything_in_valkey, files_of, holders

MARKS = {name: f"MARK{name.upper()}31cc66" for name in ("database", "nats", "valkey", "forged", "bucket")}
DATABASES = ("DATABASE_URL", "MIGRATION_DATABASE_URL")
DENIED = f"eyJhbGciOiJFZERTQSJ9.{MARKS['forged']}.{MARKS['forged']}"
OUTAGE_SECONDS = 30.0


def plant(stack: Stack, service: ServiceProcess) -> None:
    """Give a service settings with passwords, and let it log all it can."""
    assert stack.valkey
    assert stack.nats
    urls = {name: service._settings[service.service.setting(name)] for name in DATABASES}
    secrets = {
        **{name: url.replace("@/", f":{MARKS['database']}@/", 1) for name, url in urls.items()},
        "VALKEY_URL": stack.valkey.url.replace("redis://", f"redis://default:{MARKS['valkey']}@"),
        "NATS_URL": stack.nats.url.replace("nats://", f"nats://plant:{MARKS['nats']}@"),
        "LOG_LEVEL": "DEBUG",
    }
    if service.name == "modules":
        credentials = stack.home.parent / f"{stack.home.name}-credentials"
        credentials.write_text(f"[default]\naws_access_key_id = plant\naws_secret_access_key = {MARKS['bucket']}\n")
        secrets |= {"S3_BUCKET": "plant", "S3_ENDPOINT": "http://127.0.0.1:1", "S3_CREDENTIALS": str(credentials)}
        secrets["ARTIFACTS"] = "s3"
    for name, value in secrets.items():
        service._settings[service.service.setting(name)] = value


@pytest.fixture(scope="module")
async def stack() -> AsyncIterator[Stack]:
    """All four services, with a secret in every place."""
    with scratch_directory() as home:
        stack = Stack(home / "stack", free_ports=True, durable=False, environment={})
        for service in stack.services.values():
            plant(stack, service)
        async with stack:
            yield stack


async def answer(service: ServiceProcess, bearer: str) -> str:
    """Call the service's example, and give all that it says."""
    async with grpc.aio.insecure_channel(service.address) as channel:
        call = channel.unary_unary(f"/{service.service.example}")(
            b"", timeout=10, metadata=[("authorization", f"Bearer {bearer}")]
        )
        try:
            return f"OK {await call!r}"
        except grpc.aio.AioRpcError as error:
            return f"{error.code().name} {error.details()} {error.trailing_metadata()!r} {error.debug_error_string()}"


def metrics(service: ServiceProcess) -> bytes:
    """Read the service's metrics."""
    with urllib.request.urlopen(f"http://{service.metrics_address}/metrics") as page:
        content: bytes = page.read()
        return content


def logged(service: ServiceProcess, text: str):
    """Make a claim: that the service has logged `text`."""

    async def has_logged() -> bool:
        return text in service.log.read_text()

    return has_logged


@pytest.fixture(scope="module")
def bearer(stack: Stack) -> str:
    """A token that is good."""
    return stack.keys.token(roles=("viewer", "operator", "admin"))


@pytest.fixture(scope="module")
async def told(stack: Stack, bearer: str) -> dict[str, bytes]:
    """What the services answer and tell while everything goes wrong, and what is kept afterwards."""
    assert stack.postgres
    assert stack.valkey
    assert stack.nats
    found: dict[str, str] = {}
    for name, service in stack.services.items():
        found[f"{name} answers"] = await answer(service, bearer)
        found[f"{name} refuses"] = await answer(service, DENIED)
    cached = await everything_in_valkey(stack)
    stack.nats._options = ["--user", "plant", "--pass", "another"]
    await stack.nats.restart()
    await stack.valkey.stop()
    await stack.postgres.stop()
    for name, service in stack.services.items():
        await until(logged(service, "the database does not answer"), OUTAGE_SECONDS)
        await until(logged(service, "NATS is away"), OUTAGE_SECONDS)
        found[f"{name} without its database"] = await answer(service, bearer)
    await stack.postgres.start()
    pages = {f"{name} metrics": metrics(service) for name, service in stack.services.items()}
    answers = {name: text.encode() for name, text in found.items()}
    return {**answers, **pages, **cached, "dump": dump(stack), **files_of(stack)}


def private_lines(stack: Stack) -> Iterator[str]:
    """Give what only the file of the signing key may hold."""
    yield from stack.keys.private_file.read_text().splitlines()[1:-1]


def test_all_went_wrong_as_it_should(stack: Stack, told: dict[str, bytes]) -> None:
    for name in stack.services:
        assert told[f"{name} answers"].startswith(b"OK")
        assert told[f"{name} refuses"].startswith(b"UNAUTHENTICATED")
        assert told[f"{name} without its database"].startswith(b"UNAVAILABLE")
        assert b"millwright_calls_total" in told[f"{name} metrics"]


def test_a_secret_of_the_settings_or_the_wire_is_in_nothing_that_is_told(bearer: str, told: dict[str, bytes]) -> None:
    signature = bearer.rpartition(".")[2]
    assert holders(told, [*MARKS.values(), signature]) == []


def test_a_private_key_is_in_its_file_alone(stack: Stack, told: dict[str, bytes]) -> None:
    assert holders(told, private_lines(stack)) == ["keys/signing-key.pem"]
