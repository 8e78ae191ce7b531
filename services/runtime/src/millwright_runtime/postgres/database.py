"""Connections to Postgres. Every transaction belongs to one tenant, and row-level security holds it there.

The tenant is set with SET LOCAL, in the same round trip as BEGIN: it cannot outlive its transaction, so a pooler such
as PgBouncer between us and the server can never lend one tenant's connection to another.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import asyncpg

from millwright_runtime.errors import Unavailable

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Connection: TypeAlias = PoolConnectionProxy[asyncpg.Record]
else:
    Connection: TypeAlias = Any

ALL_TENANTS = "*"
"""For background work that serves every tenant; no token can hold it."""

TENANT = "current_setting('millwright.tenant')"
"""The transaction's tenant, in SQL. Row-level security holds each statement to it anyway; naming it lets an index that
begins with the tenant serve the statement."""

_ROLLBACK_SECONDS = 2.0
_CLOSE_SECONDS = 5.0
_PING_SECONDS = 2.0
_TENANT = re.compile(r"[a-z0-9-]{1,63}|\*")
_STATEMENT_SECONDS = 30.0
_IDLE_MILLISECONDS = 5_000
"""A process that is frozen in the middle of a transaction keeps its locks no longer than this from the others."""
_TRANSACTION_SECONDS = 60.0
"""Nor than this, if it froze in the middle of asking: Postgres does not count that as idle, nor as a statement."""


class Companion(Protocol):
    """What is written along with the first transaction of its tenant that the running task commits."""

    @property
    def tenant(self) -> str:
        """Give the tenant whose transaction it goes with."""
        ...

    @property
    def is_due(self) -> bool:
        """Tell whether it is still to be written."""
        ...

    async def write(self, connection: Connection) -> None:
        """Write it in a transaction that is about to be committed."""
        ...

    def committed(self) -> None:
        """Hear that it is written for good."""
        ...


_companion: ContextVar[Companion | None] = ContextVar("millwright_companion", default=None)


def accompany(companion: Companion) -> None:
    """Have `companion` written along with what the running task commits next."""
    _companion.set(companion)


class RoleTooPowerful(Exception):
    """The service's role could reach past row-level security or change the history: serving with it is refused."""


class NotLoggedIn(Exception):
    """A command cannot log in to the database, and does not wait. The message says why, without the URL."""


class DatabaseUnavailable(Unavailable):
    """The database cannot be reached at the moment. Try again, with the same request_id where the call has one."""


class Database:
    """A pool of connections as the service's own role."""

    def __init__(self, pool: asyncpg.Pool, url: str) -> None:
        self._pool = pool
        self._url = url
        self._waiting: dict[object, float] = {}
        """Since when each waits for a connection; in the order that they came."""

    @classmethod
    async def open(cls, url: str, connections: int, *, application: str) -> Database:
        """Give a pool of at most `connections`. They are made when they are needed: nothing is connected yet."""
        pool = await asyncpg.create_pool(
            url,
            min_size=0,
            max_size=connections,
            command_timeout=_STATEMENT_SECONDS,
            server_settings={
                "application_name": application,
                "timezone": "UTC",
                "idle_in_transaction_session_timeout": str(_IDLE_MILLISECONDS),
            },
            reset=_leave_as_is,
        )
        return cls(pool, url)

    @property
    def late_seconds(self) -> float:
        """How long whoever waits the longest for a connection has waited; 0 if nobody does."""
        return time.monotonic() - next(iter(self._waiting.values())) if self._waiting else 0.0

    async def close(self) -> None:
        """Close every connection once its transaction has ended; after 5 s, without waiting."""
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._pool.close()
        except TimeoutError:
            self._pool.terminate()

    @asynccontextmanager
    async def transaction(self, tenant: str) -> AsyncIterator[Connection]:
        """Give a connection inside a transaction that sees the rows of `tenant` alone; commit at the end.

        It may take a minute; whoever needs longer asks for it by `limits.extension`.
        """
        companion = _companion.get()
        is_written = False
        begin = f"BEGIN; SET LOCAL transaction_timeout = {round(_TRANSACTION_SECONDS * 1000)}"
        async with self._begun(begin, tenant) as connection:
            yield connection
            if companion and companion.is_due and companion.tenant == tenant:
                await companion.write(connection)
                is_written = True
        if companion and is_written:
            companion.committed()

    @asynccontextmanager
    async def snapshot(self, tenant: str) -> AsyncIterator[Connection]:
        """Give a connection for reading rows of `tenant`: several statements see one and the same state."""
        async with self._begun("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", tenant) as connection:
            yield connection

    async def call(self, statement: str, *values: Any) -> list[asyncpg.Record]:
        """Give the rows of one statement that is a transaction by itself, in one round trip.

        It belongs to no tenant and sees no rows of any, unless it calls a function that sets one for the transaction.
        """
        connection = await self._acquire()
        try:
            rows: list[asyncpg.Record] = await connection.fetch(statement, *values)
            return rows
        finally:
            await self._pool.release(connection)

    @asynccontextmanager
    async def _begun(self, begin: str, tenant: str) -> AsyncIterator[Connection]:
        if not _TENANT.fullmatch(tenant):
            message = f"not a tenant: {tenant!r}"
            raise ValueError(message)
        connection = await self._acquire()
        try:
            await connection.execute(f"{begin}; SET LOCAL millwright.tenant = '{tenant}'")
            yield connection
            await connection.execute("COMMIT")
        except BaseException:
            await _roll_back(connection)
            raise
        finally:
            await self._pool.release(connection)

    async def _acquire(self) -> Connection:
        waiter = object()
        self._waiting[waiter] = time.monotonic()
        try:
            return await self._pool.acquire()
        except OSError as error:
            raise DatabaseUnavailable from error
        finally:
            del self._waiting[waiter]

    async def ping(self) -> None:
        """Raise unless Postgres answers within two seconds; that our connections are all busy is no fault of its.

        Nor does it say that Postgres is well: for one that is frozen they all wait. So it is then asked over one more.
        """
        async with asyncio.timeout(_PING_SECONDS):
            if self._pool.get_size() == self._pool.get_max_size() and not self._pool.get_idle_size():
                await self._knock()
            else:
                async with self.snapshot(ALL_TENANTS):
                    pass

    async def _knock(self) -> None:
        """Make a connection and end it; that there are too many is an answer, too."""
        with suppress(asyncpg.TooManyConnectionsError):
            (await asyncpg.connect(self._url)).terminate()

    async def check_role(self, schema: str) -> None:
        """Raise RoleTooPowerful if the role is or can become one that row-level security does not hold.

        That is a superuser, one with BYPASSRLS, or the owner of `schema` or of a table in it.
        """
        fault = await self._pool.fetchval(_ROLE_FAULT, schema)
        if fault:
            role = await self._pool.fetchval("SELECT current_user")
            message = (
                f"the database role {role} {fault}: give the service a role of its own that owns nothing, and the "
                f"owner's URL to `migrate` alone (MIGRATION_DATABASE_URL)"
            )
            raise RoleTooPowerful(message)


# What makes the current role unfit to serve, or NULL. Roles that it is a member of count: SET ROLE reaches them.
_ROLE_FAULT = """
WITH reach AS (SELECT * FROM pg_roles WHERE pg_has_role(current_user, oid, 'MEMBER'))
SELECT CASE
    WHEN (SELECT bool_or(rolsuper) FROM reach) THEN 'is a superuser'
    WHEN (SELECT bool_or(rolbypassrls) FROM reach) THEN 'passes row-level security'
    WHEN EXISTS (
        SELECT FROM pg_namespace LEFT JOIN pg_class ON relnamespace = pg_namespace.oid
        WHERE nspname = $1 AND (nspowner IN (SELECT oid FROM reach) OR relowner IN (SELECT oid FROM reach))
    ) THEN 'owns the schema ' || $1 || ' or tables in it'
END
"""


def is_connection_loss(error: BaseException) -> bool:
    """Tell whether `error` means that Postgres is away or at its limits, rather than that we asked something wrong.

    Nothing is to blame on what was asked: the same may be asked again later.
    """
    if isinstance(error, BaseExceptionGroup):  # of tasks that failed together
        return all(is_connection_loss(each) for each in error.exceptions)
    if isinstance(error, asyncpg.InterfaceError):  # most of them are mistakes of ours; these tell of a loss
        return any(sign in str(error) for sign in ("is closed", "is closing", "been released back to the pool"))
    return isinstance(
        error,
        (
            ConnectionError,
            TimeoutError,
            DatabaseUnavailable,
            asyncpg.PostgresConnectionError,
            asyncpg.InternalClientError,  # what asyncpg makes of a server that dies in the middle of an exchange
            asyncpg.CannotConnectNowError,
            asyncpg.AdminShutdownError,
            asyncpg.CrashShutdownError,
            asyncpg.InsufficientResourcesError,  # a full disk, no memory, too many connections
            asyncpg.PostgresIOError,
            asyncpg.IdleInTransactionSessionTimeoutError,
            asyncpg.TransactionTimeoutError,
            asyncpg.ReadOnlySQLTransactionError,  # a replica that has not been promoted yet
            asyncpg.TransactionRollbackError,  # a deadlock, which ends one of two who are both right
        ),
    )


def is_away(error: BaseException) -> bool:
    """Tell whether `error` means that Postgres, or another server that the work needs, is away or at its limits.

    As with a lost connection, the same may be tried again later.
    """
    if isinstance(error, BaseExceptionGroup):
        return all(is_away(each) for each in error.exceptions)
    return isinstance(error, Unavailable) or is_connection_loss(error)


async def _roll_back(connection: Connection) -> None:
    """Undo the transaction. A connection that cannot even do that is given up: then Postgres undoes it."""
    try:
        await connection.execute("ROLLBACK", timeout=_ROLLBACK_SECONDS)
    except BaseException as error:
        with suppress(asyncpg.InterfaceError):  # where the loss was noticed, it is not ours any more
            connection.terminate()
        if not isinstance(error, Exception):
            raise  # cancelled once more


async def _leave_as_is(_connection: Connection) -> None:
    """Skip asyncpg's reset: every use ends in COMMIT or ROLLBACK, and nothing of ours outlives a transaction."""
