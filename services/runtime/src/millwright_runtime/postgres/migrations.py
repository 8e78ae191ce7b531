"""The service's schema: bring it up to date as its owner, and wait for it as the service."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import asyncpg
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, pool, text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine

_POLL_SECONDS = 0.5
_log = logging.getLogger(__name__)


class Migrations:
    """The revisions in `directory`, kept in the version table of `schema`."""

    def __init__(self, directory: Path, schema: str) -> None:
        self._config = Config()
        self._config.set_main_option("script_location", str(directory))
        self._schema = schema

    async def upgrade(self, owner_url: str, service_url: str) -> None:
        """Bring the schema to the newest revision and grant the role of `service_url` what it needs.

        Runs under an advisory lock: any number of callers, one at a time. Each revision is given `service_role`
        through Alembic's context.
        """
        service_role = make_url(service_url).username or ""
        engine = create_async_engine(make_url(owner_url).set(drivername="postgresql+asyncpg"), poolclass=pool.NullPool)
        try:
            async with engine.begin() as connection:
                lock = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")
                await connection.execute(lock, {"name": f"migrate:{self._schema}"})
                await connection.execute(text(f'CREATE SCHEMA IF NOT EXISTS "{self._schema}"'))
                await connection.run_sync(self._upgrade, service_role)
        finally:
            await engine.dispose()

    def _upgrade(self, connection: Connection, service_role: str) -> None:
        script = ScriptDirectory.from_config(self._config)

        def steps(revision: Any, _context: Any) -> Any:
            return script._upgrade_revs("head", revision)  # noqa: SLF001 - what alembic.command itself calls

        with EnvironmentContext(self._config, script, fn=steps) as environment:
            environment.configure(
                connection=connection,
                version_table_schema=self._schema,
                transaction_per_migration=False,
                service_role=service_role,
            )
            environment.run_migrations()

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
        # Revisions are numbered; a newer schema still serves an older replica (expand, then contract).
        return None if found is not None and found >= needed else f"revision {needed} is needed, {found} is there"

    def _head(self) -> str:
        head = ScriptDirectory.from_config(self._config).get_current_head()
        if head is None:
            message = f"no revisions under {self._config.get_main_option('script_location')}"
            raise RuntimeError(message)
        return head
