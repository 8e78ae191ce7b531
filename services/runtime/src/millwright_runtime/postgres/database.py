"""Connections to Postgres. Every transaction belongs to one tenant, and row-level security holds it there.

The tenant is set with SET LOCAL, in the same round trip as BEGIN: it cannot outlive its transaction, so a pooler such
as PgBouncer between us and the server can never lend one tenant's connection to another.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

import asyncpg

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Connection: TypeAlias = PoolConnectionProxy[asyncpg.Record]
else:
    Connection: TypeAlias = Any

ALL_TENANTS = "*"
"""For background work that serves every tenant; no token can hold it."""

_TENANT = re.compile(r"[a-z0-9-]{1,63}|\*")
_STATEMENT_SECONDS = 30.0


class RoleTooPowerful(Exception):
    """The service's role could reach past row-level security or change the history: serving with it is refused."""


class Database:
    """A pool of connections as the service's own role."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    @classmethod
    async def open(cls, url: str, connections: int, *, application: str) -> Database:
        """Connect, with at most `connections` at once; raise asyncpg's errors if that is not possible now."""
        pool = await asyncpg.create_pool(
            url,
            min_size=1,
            max_size=connections,
            command_timeout=_STATEMENT_SECONDS,
            server_settings={"application_name": application, "timezone": "UTC"},
            reset=_leave_as_is,
        )
        return cls(pool)

    async def close(self) -> None:
        """Close every connection once its transaction has ended; after 5 s, without waiting."""
        try:
            await asyncpg.compat.wait_for(self._pool.close(), 5)
        except TimeoutError:
            self._pool.terminate()

    @asynccontextmanager
    async def transaction(self, tenant: str) -> AsyncIterator[Connection]:
        """Give a connection inside a transaction that sees the rows of `tenant` alone; commit at the end."""
        async with self._begun("BEGIN", tenant) as connection:
            yield connection

    @asynccontextmanager
    async def snapshot(self, tenant: str) -> AsyncIterator[Connection]:
        """Give a connection for reading rows of `tenant`: several statements see one and the same state."""
        async with self._begun("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", tenant) as connection:
            yield connection

    @asynccontextmanager
    async def _begun(self, begin: str, tenant: str) -> AsyncIterator[Connection]:
        if not _TENANT.fullmatch(tenant):
            message = f"not a tenant: {tenant!r}"
            raise ValueError(message)
        async with self._pool.acquire() as connection:
            await connection.execute(f"{begin}; SET LOCAL millwright.tenant = '{tenant}'")
            try:
                yield connection
            except BaseException:
                if not connection.is_closed():
                    await connection.execute("ROLLBACK")
                raise
            await connection.execute("COMMIT")

    async def ping(self) -> None:
        """Raise unless Postgres answers a trivial query within two seconds."""
        await self._pool.fetchval("SELECT 1", timeout=2)

    async def check_role(self, schema: str) -> None:
        """Raise RoleTooPowerful if the role is a superuser, passes row-level security, or owns tables of `schema`."""
        fault = await self._pool.fetchval(_ROLE_FAULT, schema)
        if fault:
            role = await self._pool.fetchval("SELECT current_user")
            message = (
                f"the database role {role} {fault}: give the service a role of its own that owns nothing, and the "
                f"owner's URL to `migrate` alone (MIGRATION_DATABASE_URL)"
            )
            raise RoleTooPowerful(message)


# What makes the current role unfit to serve, or NULL.
_ROLE_FAULT = """
SELECT CASE
    WHEN rolsuper THEN 'is a superuser'
    WHEN rolbypassrls THEN 'passes row-level security'
    WHEN EXISTS (
        SELECT FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
        WHERE nspname = $1 AND pg_has_role(current_user, relowner, 'MEMBER')
    ) THEN 'owns tables of the schema ' || $1
END
FROM pg_roles WHERE rolname = current_user
"""


async def _leave_as_is(_connection: Connection) -> None:
    """Skip asyncpg's reset: every use ends in COMMIT or ROLLBACK, and nothing of ours outlives a transaction."""
