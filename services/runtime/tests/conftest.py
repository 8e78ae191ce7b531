"""The sample service and its scratch databases: a schema made by the runtime's own migrations, as a service has it."""

import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import pytest
from millwright_local.databases import create_database, create_roles
from millwright_local.postgres import Postgres
from millwright_local.services import SERVICES
from millwright_local.testing.databases import DatabaseFactory
from millwright_runtime.postgres.database import Database
from millwright_runtime.postgres.migrations import Migrations

sys.path.append(str(Path(__file__).parent))
MIGRATIONS = Path(__file__).parent / "runtime_sample" / "migrations"


@dataclass(frozen=True)
class Urls:
    """The ways into one database: as the owner of the schema, and as the service."""

    owner: str
    service: str


class OwnPostgres(NamedTuple):
    """A server, and the ways into its database."""

    server: Postgres
    owner: str
    service: str


@pytest.fixture(scope="module")
async def empty(postgres: Postgres, database_factory: DatabaseFactory) -> AsyncIterator[Urls]:
    """A database without the schema."""
    name = await database_factory.create()
    yield Urls(postgres.url(name, SERVICES[0].owner_role), postgres.url(name, SERVICES[0].role))
    await database_factory.drop(name)


@pytest.fixture(scope="module")
async def urls(empty: Urls) -> Urls:
    """A database with the sample's schema."""
    await Migrations(MIGRATIONS, "sample").upgrade(empty.owner, empty.service)
    return empty


@pytest.fixture(scope="module")
async def own_postgres(local_directory: Path) -> AsyncIterator[OwnPostgres]:
    """A Postgres that a test file may stop, with the sample's schema; its own tests start it again."""
    async with Postgres(local_directory / f"postgres-{uuid4().hex[:8]}", durable=False) as server:
        await create_roles(server)
        await create_database(server, "sample")
        own = OwnPostgres(server, server.url("sample", SERVICES[0].owner_role), server.url("sample", SERVICES[0].role))
        await Migrations(MIGRATIONS, "sample").upgrade(own.owner, own.service)
        yield own


@pytest.fixture
async def database(urls: Urls) -> AsyncIterator[Database]:
    """A pool of two connections, as the service."""
    pool = await Database.open(urls.service, 2, application="test")
    yield pool
    await pool.close()
