"""Fixtures for every test suite of the repository: the real servers, databases, keys and tokens.

Servers start when the first test asks for them, once a test run (once a worker under pytest-xdist), and stop at
its end. They are shared: a test takes a database of its own, a tenant of its own, or both.
"""

import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from millwright_local.databases import create_roles
from millwright_local.keys import Keys
from millwright_local.nats import Nats
from millwright_local.postgres import Postgres
from millwright_local.s3 import S3, cached_binary
from millwright_local.scratch import scratch_directory
from millwright_local.testing.databases import DatabaseFactory
from millwright_local.testing.services import ServiceDatabases, ServiceSettings
from millwright_local.valkey import Valkey


@pytest.fixture(scope="session")
def local_directory() -> Iterator[Path]:
    """A directory for the servers of this run.

    Not one of pytest's own: their parent is closed to other users, and under root Postgres is one.
    """
    with scratch_directory() as directory:
        yield directory


@pytest.fixture(scope="session")
async def postgres(local_directory: Path) -> AsyncIterator[Postgres]:
    """A running Postgres with the services' roles. It does not wait for the disk."""
    server = Postgres(local_directory / "postgres", durable=False)
    async with server:
        await create_roles(server)
        yield server


@pytest.fixture(scope="session")
async def valkey(local_directory: Path) -> AsyncIterator[Valkey]:
    """A running Valkey."""
    server = Valkey(local_directory / "valkey")
    async with server:
        yield server


@pytest.fixture(scope="session")
async def nats(local_directory: Path) -> AsyncIterator[Nats]:
    """A running NATS server with JetStream."""
    server = Nats(local_directory / "nats")
    async with server:
        yield server


@pytest.fixture(scope="session")
async def s3(local_directory: Path) -> AsyncIterator[S3]:
    """A running S3 server."""
    if not os.access(cached_binary(), os.X_OK):
        pytest.skip("no S3 server is here: `make s3` brings it where Go is installed")
    server = S3(local_directory / "s3")
    async with server:
        yield server


@pytest.fixture(scope="session")
def database_factory(postgres: Postgres) -> DatabaseFactory:
    """Makes databases: `await database_factory.create(template)` returns a name."""
    return DatabaseFactory(postgres)


@pytest.fixture(scope="session")
def service_databases(postgres: Postgres, database_factory: DatabaseFactory) -> ServiceDatabases:
    """Makes databases with a service's schema: `async with service_databases.fresh(SERVICE) as urls`."""
    return ServiceDatabases(postgres, database_factory)


@pytest.fixture(scope="session")
def service_settings(nats: Nats, valkey: Valkey, keys: Keys) -> ServiceSettings:
    """Makes the settings of a service on these servers: `service_settings(SERVICE, urls.service, …)`."""
    return ServiceSettings(nats, valkey, keys)


@pytest.fixture(scope="session")
def keys(local_directory: Path) -> Keys:
    """The signing key of this run; `keys.jwks_file` is what a service verifies with."""
    return Keys(local_directory / "keys")


@pytest.fixture(scope="session")
def token(keys: Keys) -> Callable[..., str]:
    """Signs bearer tokens: `token(tenant=..., roles=(...), subject=..., lifetime=..., **claims)`."""
    return keys.token
