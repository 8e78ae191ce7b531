"""The schema of the service in a database of the test file's own, and connections to it as the service's role."""

import asyncpg
import pytest
from millwright_etl.app import SERVICE
from millwright_local.databases import create_database, create_roles
from millwright_local.services import Service
from millwright_runtime.postgres.migrations import Migrations

ROLES = Service(name="etl", port=50053, metrics_port=9153, health="", example="", command=())


@pytest.fixture(scope="module")
async def service_url(postgres):
    """The way into a migrated database, as the service's role."""
    name = "etl_windows"
    await create_roles(postgres, [ROLES])
    await create_database(postgres, name, services=[ROLES])
    url = postgres.url(name, ROLES.role)
    await Migrations(SERVICE.migrations, SERVICE.name).upgrade(postgres.url(name, ROLES.owner_role), url)
    return url


@pytest.fixture
async def connection(service_url):
    """A connection as the service's role, which row-level security holds to one tenant at a time."""
    connection = await asyncpg.connect(service_url)
    yield connection
    await connection.close()
