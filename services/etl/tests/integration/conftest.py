"""Connections as the service's role, which row-level security holds to one tenant at a time."""

import asyncpg
import pytest
from etl_rig.plant import Plant


@pytest.fixture
async def connection(urls):
    """A connection as the service's role."""
    connection = await asyncpg.connect(urls.service)
    yield connection
    await connection.close()


@pytest.fixture
async def plant(connection):
    """A plant that only this test knows."""
    plant = Plant(connection)
    await plant.begin()
    return plant
