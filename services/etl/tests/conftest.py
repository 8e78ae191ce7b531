"""The etl service in this process on real servers: a migrated database a test file, a tenant a test."""

import sys
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import asyncpg
import pytest
from millwright_etl.app import SERVICE
from millwright_local.testing.services import Urls, opened
from millwright_runtime.service import running

sys.path.append(str(Path(__file__).parent))

from etl_rig.client import Client
from etl_rig.processes import Processes


@pytest.fixture(scope="module")
async def urls(service_databases) -> AsyncIterator[Urls]:
    """The ways into a database of the test file's own."""
    async with service_databases.fresh(SERVICE) as urls:
        yield urls


@pytest.fixture(scope="module")
def settings(urls, service_settings):
    """The settings of the test file's service."""
    return service_settings(SERVICE, urls.service)


@pytest.fixture(scope="module")
async def service(settings):
    """The service, running."""
    async with running(SERVICE, settings) as service:
        yield service


@pytest.fixture(scope="session")
def connected(token):
    """Give a context manager that opens a client of a running service, of a tenant of its own unless told."""
    return partial(opened, Client, token)


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
async def sql(urls):
    """A connection to the test file's database that sees and may do everything."""
    connection = await asyncpg.connect(urls.superuser)
    yield connection
    await connection.close()


@pytest.fixture
async def admin(service, connected) -> AsyncIterator[Client]:
    """An administrator of a tenant that only this test knows."""
    async with connected(service, roles=("admin",)) as client:
        yield client


@pytest.fixture
def admin_of(service, connected):
    """Give a context manager that opens an administrator of another client's tenant."""
    return lambda client: connected(service, tenant=client.tenant, roles=("admin",))


@pytest.fixture
def processes(urls, nats, valkey, keys, tmp_path):
    """Processes of the service on the test file's database."""
    return Processes(urls, nats, valkey, keys, tmp_path)
