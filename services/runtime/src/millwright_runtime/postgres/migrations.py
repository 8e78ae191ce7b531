"""Bring the service's schema up to date, as its owner.

Only the verb `migrate` imports this module: Alembic and SQLAlchemy take a second to load that `serve` need not spend.
"""

from __future__ import annotations

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

from millwright_runtime.postgres import schema
from millwright_runtime.postgres.database import ALL_TENANTS, NotLoggedIn
from millwright_runtime.postgres.partitions import AHEAD_DAYS


def service_role() -> str:
    """Give, within a revision, the role that the service logs in as, quoted for SQL."""
    return str(op.get_context().opts["service_role"])


def execute(script: str) -> None:
    """Run, within a revision, all the statements of `script`: Alembic's own `op.execute` takes one at a time."""
    connection = op.get_bind().connection.dbapi_connection
    connection.run_async(lambda driver: driver.execute(script))  # type: ignore[union-attr]


class Migrations:
    """The revisions in `directory`, kept in the version table of `schema`."""

    def __init__(self, directory: Path, schema: str) -> None:
        self._directory = directory
        self._config = Config()
        self._config.set_main_option("script_location", str(directory))
        self._schema = schema

    async def upgrade(self, owner_url: str, service_url: str) -> None:
        """Bring the schema to the newest revision and grant the role of `service_url` what it needs.

        Runs under an advisory lock: any number of callers, one at a time. All revisions are one transaction. A schema
        newer than this code stays as it is, so that an older release can be rolled out again. Raises NotLoggedIn.
        """
        role = make_url(service_url).username or ""
        engine = create_async_engine(
            "postgresql+asyncpg://",
            async_creator=lambda: _connect(owner_url),
            poolclass=pool.NullPool,
        )
        try:
            async with engine.begin() as connection:
                lock = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")
                await connection.execute(lock, {"name": f"migrate:{self._schema}"})
                # A revision changes rows of every tenant: row-level security holds the owner, too.
                await connection.execute(text(f"SET LOCAL millwright.tenant = '{ALL_TENANTS}'"))
                await connection.execute(text(f'CREATE SCHEMA IF NOT EXISTS "{self._schema}"'))
                await connection.run_sync(self._upgrade, role)
                if await connection.scalar(text(f"SELECT to_regproc('{self._schema}.make_partitions')")):
                    await connection.execute(text(f'SELECT "{self._schema}".make_partitions({AHEAD_DAYS})'))
        finally:
            await engine.dispose()

    def _upgrade(self, connection: Connection, service_role: str) -> None:
        quote = connection.dialect.identifier_preparer.quote_identifier
        own_schema, role = quote(self._schema), quote(service_role)
        script = ScriptDirectory.from_config(self._config)
        head = schema.newest(self._directory)

        def steps(found: tuple[str, ...], _context: Any) -> Any:
            if any(schema.holds(revision, head) for revision in found):
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
        connection.execute(text(f"GRANT USAGE ON SCHEMA {own_schema} TO {role}"))
        connection.execute(text(f"GRANT SELECT ON {own_schema}.alembic_version TO {role}"))


async def _connect(owner_url: str) -> Any:
    """Connect as asyncpg does: it reads all that a URL may say, such as sslmode."""
    try:
        return await asyncpg.connect(owner_url)
    except FileNotFoundError as error:  # it does not say which
        raise NotLoggedIn("cannot log in to Postgres to migrate: a file that the URL names is not there") from error
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise NotLoggedIn(f"cannot log in to Postgres to migrate: {error or type(error).__name__}") from error
