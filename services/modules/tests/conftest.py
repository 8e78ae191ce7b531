"""The modules service in this process on real servers: a migrated database a test file, a tenant a test."""

import sys
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import asyncpg
import pytest
from millwright_local.testing.services import Urls, opened
from millwright_modules.app import SERVICE
from millwright_runtime.service import running

sys.path.append(str(Path(__file__).parent))

from modules_rig.client import Client


@pytest.fixture(scope="module")
async def urls(service_databases) -> AsyncIterator[Urls]:
    """The ways into a database of the test file's own."""
    async with service_databases.fresh(SERVICE) as urls:
        yield urls


@pytest.fixture(scope="module")
def settings(urls, service_settings, tmp_path_factory):
    """The settings of the test file's service."""
    return service_settings(SERVICE, urls.service, work_directory=tmp_path_factory.mktemp("work"))


@pytest.fixture(scope="module")
async def service(settings):
    """The service, running."""
    async with running(SERVICE, settings) as service:
        yield service


@pytest.fixture(scope="session")
def connected(token):
    """Give a context manager that opens a client of a running service, of a tenant of its own unless told."""
    return partial(opened, Client, token, roles=("admin",))


@pytest.fixture
async def client(service, connected) -> AsyncIterator[Client]:
    """An administrator of a tenant that only this test knows."""
    async with connected(service) as client:
        yield client


@pytest.fixture
async def stranger(service, connected) -> AsyncIterator[Client]:
    """An administrator of another tenant."""
    async with connected(service) as client:
        yield client


@pytest.fixture
async def sql(urls):
    """A connection to the test file's database that sees and may do everything."""
    connection = await asyncpg.connect(urls.superuser)
    yield connection
    await connection.close()
