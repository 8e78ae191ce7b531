"""The service's schema, as the service sees it: which revision it needs, and whether that is there yet."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import asyncpg

from millwright_runtime.postgres.database import Database, is_connection_loss

_POLL_SECONDS = 0.5
_log = logging.getLogger(__name__)


def newest(migrations: Path) -> str:
    """Give the newest revision in a directory of migrations: files are named by it, such as `0007_canaries.py`."""
    return max(file.stem.partition("_")[0] for file in (migrations / "versions").glob("[0-9]*.py"))


def holds(found: str, needed: str) -> bool:
    """Tell whether a schema at revision `found` has what code needs that was written for `needed`.

    Revisions are numbered, and each only adds to what an older release needs (expand, then contract).
    """
    return found >= needed


async def wait(schema: str, needed: str, database: Database) -> None:
    """Return once `schema` is at revision `needed`, or a newer one; never gives up."""
    told = ""
    while True:
        missing = await _missing(schema, needed, database)
        if missing is None:
            return
        if missing != told:
            _log.warning("waiting for the schema", extra={"schema": schema, "fault": missing})
            told = missing
        await asyncio.sleep(_POLL_SECONDS)


async def _missing(schema: str, needed: str, database: Database) -> str | None:
    try:
        revisions = await database.call(f"TABLE {schema}.alembic_version")
    except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError, asyncpg.InsufficientPrivilegeError) as error:
        return f"{error}; run `migrate`"
    except Exception as error:
        if not (isinstance(error, asyncpg.PostgresError) or is_connection_loss(error)):
            raise
        return repr(error)
    found = next((revision for (revision,) in revisions), None)
    is_there = found is not None and holds(found, needed)
    return None if is_there else f"revision {needed} is needed, {found} is there"
