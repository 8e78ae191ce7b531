"""Fixtures of a service's own suite: it runs in this process on real servers, a database a test file, a tenant a test.

The suite says what it tests by a fixture `under_test`, and may put its own in the place of any of these.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import asyncpg
import pytest
from millwright_runtime.service import Running, Service, running
from millwright_runtime.settings import ServiceSettings as Settings

from millwright_local.testing.client import ContractClient
from millwright_local.testing.services import ServiceDatabases, ServiceSettings, Urls, opened

Connected: TypeAlias = Callable[..., AbstractAsyncContextManager[Any]]


@dataclass(frozen=True, slots=True)
class UnderTest:
    """A service, and what calls it."""

    service: Service[Any]
    client: type[ContractClient]
    roles: tuple[str, ...] = ("operator",)
    """Those of a client that is not given others."""


@pytest.fixture(scope="module")
async def urls(service_databases: ServiceDatabases, under_test: UnderTest) -> AsyncIterator[Urls]:
    """The ways into a database of the test file's own."""
    async with service_databases.fresh(under_test.service) as urls:
        yield urls


@pytest.fixture(scope="module")
def settings(urls: Urls, service_settings: ServiceSettings, under_test: UnderTest) -> Settings:
    """The settings of the test file's service."""
    settings: Settings = service_settings(under_test.service, urls.service)
    return settings


@pytest.fixture(scope="module")
async def service(settings: Settings, under_test: UnderTest) -> AsyncIterator[Running]:
    """The service, running."""
    async with running(under_test.service, settings) as service:
        yield service


@pytest.fixture(scope="module")  # one of the session would go on into the suite of another service
def connected(token: Callable[..., str], under_test: UnderTest) -> Connected:
    """Give a context manager that opens a client of a running service, of a tenant of its own unless told."""
    return partial(opened, under_test.client, token, roles=under_test.roles)


@pytest.fixture
async def client(service: Running, connected: Connected) -> AsyncIterator[Any]:
    """Somebody of a tenant that only this test knows."""
    async with connected(service) as client:
        yield client


@pytest.fixture
async def stranger(service: Running, connected: Connected) -> AsyncIterator[Any]:
    """Somebody of another tenant."""
    async with connected(service) as client:
        yield client


@pytest.fixture
async def sql(urls: Urls) -> AsyncIterator[asyncpg.Connection]:
    """A connection to the test file's database that sees and may do everything."""
    connection = await asyncpg.connect(urls.superuser)
    yield connection
    await connection.close()
