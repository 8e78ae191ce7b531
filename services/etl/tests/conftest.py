"""The etl service in this process on real servers: a migrated database a test file, a tenant a test."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from millwright_etl.app import SERVICE
from millwright_local.testing.service_plugin import UnderTest

sys.path.append(str(Path(__file__).parent))

from etl_rig.client import Client
from etl_rig.processes import Processes


@pytest.fixture(scope="session")
def under_test():
    """What is tested here, and who calls it."""
    return UnderTest(SERVICE, Client)


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
