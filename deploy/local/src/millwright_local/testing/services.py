"""A service on real servers: databases with its schema, its settings, and clients of it."""

import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, TypeVar

import grpc
from millwright_runtime.postgres.migrations import Migrations
from millwright_runtime.service import Running, Service, SettingsT

from millwright_local.keys import Keys
from millwright_local.nats import Nats
from millwright_local.postgres import Postgres
from millwright_local.services import named
from millwright_local.testing.certificates import Issued
from millwright_local.testing.client import ContractClient
from millwright_local.testing.databases import DatabaseFactory
from millwright_local.valkey import Valkey

ClientT = TypeVar("ClientT", bound=ContractClient)


class Urls(NamedTuple):
    """The ways into one database: as the service, as the owner of its schema, and as one who sees everything."""

    service: str
    owner: str
    superuser: str


class ServiceDatabases:
    """Makes databases in which a service's schema is: it is migrated once a test run, and copied from then on."""

    def __init__(self, postgres: Postgres, factory: DatabaseFactory) -> None:
        self._postgres = postgres
        self._factory = factory
        self._templates: dict[str, str] = {}

    @asynccontextmanager
    async def fresh(self, service: Service[Any]) -> AsyncIterator[Urls]:
        """Give the ways into a database of its own; it is dropped at the end."""
        if service.name not in self._templates:
            self._templates[service.name] = await self._migrated(service)
        name = await self._factory.create(self._templates[service.name])
        try:
            yield self._urls(service, name)
        finally:
            await self._factory.drop(name)

    async def _migrated(self, service: Service[Any]) -> str:
        name = await self._factory.create()
        urls = self._urls(service, name)
        await Migrations(service.migrations, service.name).upgrade(urls.owner, urls.service)
        return name

    def _urls(self, service: Service[Any], database: str) -> Urls:
        roles = named(service.name)
        url = self._postgres.url
        return Urls(url(database, roles.role), url(database, roles.owner_role), url(database))


class ServiceSettings:
    """Makes the settings of services on the test run's servers."""

    def __init__(self, nats: Nats, valkey: Valkey, keys: Keys) -> None:
        self._nats = nats
        self._valkey = valkey
        self._keys = keys

    def __call__(self, service: Service[SettingsT], database_url: str, **others: Any) -> SettingsT:
        """Give the settings of `service` on a database; `others` take the place of what is given otherwise."""
        return service.settings(
            **{
                "database_url": database_url,
                "nats_url": self._nats.url,
                "valkey_url": self._valkey.url,
                "listen": "127.0.0.1:0",
                "metrics_listen": "127.0.0.1:0",
                "jwks": str(self._keys.jwks_file),
                "jwt_issuer": self._keys.issuer,
                "jwt_audience": self._keys.audience,
                "drain_seconds": 5.0,
                **others,
            }
        )


@asynccontextmanager
async def opened(
    client_type: type[ClientT],
    token: Callable[..., str],
    service: Running,
    tenant: str = "",
    *,
    tls: Issued | None = None,
    **claims: Any,
) -> AsyncIterator[ClientT]:
    """Give a client of a running service, of a tenant of its own unless told; `claims` are those of its token.

    With a certificate, it speaks TLS and shows it.
    """
    tenant = tenant or f"t-{uuid.uuid4().hex[:12]}"
    async with _channel(f"127.0.0.1:{service.server.port}", tls) as channel:
        yield client_type(channel, token(tenant=tenant, **claims), tenant)


def _channel(address: str, tls: Issued | None) -> grpc.aio.Channel:
    if tls is None:
        return grpc.aio.insecure_channel(address)
    certificate, key, ca = (file.read_bytes() for file in tls)
    return grpc.aio.secure_channel(address, grpc.ssl_channel_credentials(ca, key, certificate))
