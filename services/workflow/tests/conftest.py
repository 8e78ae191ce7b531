"""The workflow service in this process on real servers: a migrated database a test file, a tenant a test."""

import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import asyncpg
import grpc
import pytest
from millwright_local.postgres import Postgres
from millwright_runtime.postgres.migrations import Migrations
from millwright_runtime.service import running
from millwright_workflow.app import SERVICE
from millwright_workflow.settings import WorkflowSettings

sys.path.append(str(Path(__file__).parent))

from workflow_rig.client import Client
from workflow_rig.web import Web

ROLE, OWNER = "millwright_workflow", "millwright_workflow_owner"


class Urls(NamedTuple):
    """The ways into one database: as the service, as the owner of its schema, and as one who sees everything."""

    service: str
    owner: str
    superuser: str


def urls_of(server: Postgres, database: str) -> Urls:
    """Give the ways into a database of a server."""
    return Urls(server.url(database, ROLE), server.url(database, OWNER), server.url(database))


@pytest.fixture(scope="session")
async def template(postgres, database_factory) -> str:
    """The name of a database with the service's schema, that nobody is connected to."""
    name = await database_factory.create()
    urls = urls_of(postgres, name)
    await Migrations(SERVICE.migrations, SERVICE.name).upgrade(urls.owner, urls.service)
    return name


@pytest.fixture(scope="module")
async def urls(postgres, database_factory, template) -> AsyncIterator[Urls]:
    """The ways into a database of the test file's own."""
    name = await database_factory.create(template)
    yield urls_of(postgres, name)
    await database_factory.drop(name)


@pytest.fixture(scope="session")
def settings_for(keys):
    """Give a function that makes the settings of a service on given servers."""

    def make(database_url, nats_url, valkey_url, **others):
        return WorkflowSettings(
            **{
                "database_url": database_url,
                "nats_url": nats_url,
                "valkey_url": valkey_url,
                "listen": "127.0.0.1:0",
                "metrics_listen": "127.0.0.1:0",
                "jwks": str(keys.jwks_file),
                "jwt_issuer": keys.issuer,
                "jwt_audience": keys.audience,
                "drain_seconds": 5.0,
                **others,
            }
        )

    return make


@pytest.fixture(scope="module")
def settings(urls, nats, valkey, settings_for):
    """The settings of the test file's service."""
    return settings_for(urls.service, nats.url, valkey.url)


@pytest.fixture(scope="module")
async def service(settings):
    """The service, running."""
    async with running(SERVICE, settings) as service:
        yield service


@pytest.fixture(scope="session")
def connected(token):
    """Give a context manager that opens a client of a running service, of a tenant of its own unless told."""

    @asynccontextmanager
    async def connect(service, tenant=None, **claims):
        tenant = tenant or f"t-{uuid.uuid4().hex[:12]}"
        async with grpc.aio.insecure_channel(f"127.0.0.1:{service.server.port}") as channel:
            yield Client(channel, token(tenant=tenant, **claims), tenant)

    return connect


@pytest.fixture
async def client(service, connected) -> AsyncIterator[Client]:
    """An operator of a tenant that only this test knows."""
    async with connected(service) as client:
        yield client


@pytest.fixture
async def stranger(service, connected) -> AsyncIterator[Client]:
    """An operator of another tenant."""
    async with connected(service) as client:
        yield client


@pytest.fixture
async def web() -> AsyncIterator[Web]:
    """A web server for workflows to call."""
    async with Web() as server:
        yield server


@pytest.fixture
async def sql(urls):
    """A connection to the test file's database that sees and may do everything."""
    connection = await asyncpg.connect(urls.superuser)
    yield connection
    await connection.close()
