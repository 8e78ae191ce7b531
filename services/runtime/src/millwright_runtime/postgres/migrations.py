"""The service's schema: bring it up to date as its owner, and wait for it as the service."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import asyncpg
from alembic import op
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, pool, text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.util import await_only

_POLL_SECONDS = 0.5
_log = logging.getLogger(__name__)


def service_role() -> str:
    """Give, within a revision, the role that the service logs in as, quoted for SQL."""
    return str(op.get_context().opts["service_role"])


def execute(script: str) -> None:
    """Run, within a revision, all the statements of `script`: Alembic's own `op.execute` takes one at a time."""
    connection = op.get_bind().connection.dbapi_connection
    connection.run_async(lambda driver: driver.execute(script))  # type: ignore[union-attr]


def run_script(script: str) -> None:
    """Run SQL of several statements inside a revision, in its transaction; asyncpg takes a script as one message."""
    connection = op.get_bind().connection.driver_connection
    await_only(connection.execute(script))  # type: ignore[union-attr]


class Migrations:
    """The revisions in `directory`, kept in the version table of `schema`."""

    def __init__(self, directory: Path, schema: str) -> None:
        self._config = Config()
        self._config.set_main_option("script_location", str(directory))
        self._schema = schema

    async def upgrade(self, owner_url: str, service_url: str) -> None:
        """Bring the schema to the newest revision and grant the role of `service_url` what it needs.

        Runs under an advisory lock: any number of callers, one at a time. All revisions are one transaction. A schema
        newer than this code stays as it is, so that an older release can be rolled out again.
        """
        role = make_url(service_url).username or ""
        engine = create_async_engine(make_url(owner_url).set(drivername="postgresql+asyncpg"), poolclass=pool.NullPool)
        try:
            async with engine.begin() as connection:
                lock = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")
                await connection.execute(lock, {"name": f"migrate:{self._schema}"})
                await connection.execute(text(f'CREATE SCHEMA IF NOT EXISTS "{self._schema}"'))
                await connection.run_sync(self._upgrade, role)
        finally:
            await engine.dispose()

    def _upgrade(self, connection: Connection, service_role: str) -> None:
        quote = connection.dialect.identifier_preparer.quote_identifier
        schema, role = quote(self._schema), quote(service_role)
        script = ScriptDirectory.from_config(self._config)
        head = self._head()

        def steps(found: tuple[str, ...], _context: Any) -> Any:
            if any(_holds(revision, head) for revision in found):
                return []
            return script._upgrade_revs(head, found)  # type: ignore[arg-type]  # noqa: SLF001 - what alembic.command calls

        with EnvironmentContext(self._config, script, fn=steps) as environment:
            environment.configure(
                connection=connection,
                version_table_schema=self._schema,
                transaction_per_migration=False,
                service_role=role,
            )
            environment.run_migrations()
        connection.execute(text(f"GRANT USAGE ON SCHEMA {schema} TO {role}"))
        connection.execute(text(f"GRANT SELECT ON {schema}.alembic_version TO {role}"))

    async def wait(self, service_url: str) -> None:
        """Return once the schema holds the revision that this code needs, or a newer one; never gives up."""
        needed = self._head()
        told = ""
        while True:
            missing = await self._missing(service_url, needed)
            if missing is None:
                return
            if missing != told:
                _log.warning("waiting for the schema", extra={"schema": self._schema, "fault": missing})
                told = missing
            await asyncio.sleep(_POLL_SECONDS)

    async def _missing(self, url: str, needed: str) -> str | None:
        try:
            connection = await asyncpg.connect(url, timeout=5)
        except (OSError, TimeoutError, asyncpg.PostgresError) as error:
            return repr(error)
        try:
            found = await connection.fetchval(f"TABLE {self._schema}.alembic_version")
        except asyncpg.PostgresError as error:
            return f"{error}; run `migrate`"
        finally:
            await connection.close()
        is_there = found is not None and _holds(found, needed)
        return None if is_there else f"revision {needed} is needed, {found} is there"

    def _head(self) -> str:
        head = ScriptDirectory.from_config(self._config).get_current_head()
        if head is None:
            message = f"no revisions under {self._config.get_main_option('script_location')}"
            raise RuntimeError(message)
        return head


def _holds(found: str, needed: str) -> bool:
    """Tell whether revision `found` is `needed` or newer: they are numbered, such as 0007, and each only adds to what
    an older release needs (expand, then contract)."""
    return found >= needed
