"""Connections as the service's role, which row-level security holds to one tenant at a time."""

import asyncpg
import pytest


@pytest.fixture
async def connection(urls):
    """A connection as the service's role."""
    connection = await asyncpg.connect(urls.service)
    yield connection
    await connection.close()
