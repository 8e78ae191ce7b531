"""Fixtures for every test suite of the repository: the real servers, databases, keys and tokens.

Servers start when the first test asks for them, once a test run (once a worker under pytest-xdist), and stop at
its end. They are shared: a test takes a database of its own, a tenant of its own, or both.
"""

import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from millwright_local.databases import create_database, create_roles
from millwright_local.keys import Keys
from millwright_local.nats import Nats
from millwright_local.postgres import Postgres
from millwright_local.scratch import scratch_directory
from millwright_local.valkey import Valkey


class DatabaseFactory:
    """Makes databases in the test run's Postgres, granted to the services' roles."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres
        self._numbers = itertools.count(1)

    async def create(self, template: str | None = None) -> str:
        """Create a database and return its name.

        With `template` it is a copy (about 40 ms) of that database, to which nobody may be connected.
        """
        name = f"test_{next(self._numbers)}"
        await create_database(self._postgres, name, template=template)
        return name

    async def drop(self, name: str) -> None:
        """Drop a database and end the connections to it. Databases also end with the test run."""
        async with self._postgres.connect() as connection:
            await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


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
def database_factory(postgres: Postgres) -> DatabaseFactory:
    """Makes databases: `await database_factory.create(template)` returns a name."""
    return DatabaseFactory(postgres)


@pytest.fixture(scope="session")
def keys(local_directory: Path) -> Keys:
    """The signing key of this run; `keys.jwks_file` is what a service verifies with."""
    return Keys(local_directory / "keys")


@pytest.fixture(scope="session")
def token(keys: Keys) -> Callable[..., str]:
    """Signs bearer tokens: `token(tenant=..., roles=(...), subject=..., lifetime=..., **claims)`."""
    return keys.token
