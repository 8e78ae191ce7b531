"""Settings of modules, in Postgres: those that hold, and those that held when a version was left."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import orjson
from millwright_runtime.json import JsonObject, to_text
from millwright_runtime.postgres.database import TENANT, Connection


@dataclass(frozen=True, slots=True)
class Saved:
    """The settings of a module as they were saved."""

    values: JsonObject
    version: str
    """Whose schema they fit."""
    revision: int
    updater: str
    update_time: datetime


async def find(connection: Connection, code: str) -> Saved | None:
    """Give a module's settings; None if none were ever saved."""
    row = await connection.fetchrow(_GET, code)
    return Saved(**{**dict(row), "values": orjson.loads(row["values"])}) if row else None


async def save(connection: Connection, tenant: str, code: str, values: JsonObject, version: str, updater: str) -> Saved:
    """Write a module's settings. The module's row is to be locked."""
    row = await connection.fetchrow(_SAVE, tenant, code, to_text(values), version, updater)
    return Saved(**{**dict(row), "values": orjson.loads(row["values"])})


async def keep(connection: Connection, tenant: str, code: str, saved: Saved) -> None:
    """Keep the settings of a version that is left."""
    await connection.execute(_KEEP, tenant, code, saved.version, to_text(saved.values))


async def find_kept(connection: Connection, code: str, version: str) -> JsonObject | None:
    """Give the settings that held when a version was left."""
    text = await connection.fetchval(_FIND_KEPT, code, version)
    values: JsonObject | None = orjson.loads(text) if text else None
    return values


async def purge(connection: Connection, code: str) -> None:
    """Remove all settings of a module."""
    await connection.execute(_PURGE, code)
    await connection.execute(_PURGE_KEPT, code)


_COLUMNS = '"values", version, revision, updater, update_time'
_GET = f"SELECT {_COLUMNS} FROM modules.setting WHERE tenant = {TENANT} AND code = $1"
_SAVE = f"""
INSERT INTO modules.setting (tenant, code, "values", version, updater) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (tenant, code) DO UPDATE
SET "values" = $3, version = $4, updater = $5, revision = setting.revision + 1, update_time = clock_timestamp()
RETURNING {_COLUMNS}
"""
_KEEP = """
INSERT INTO modules.kept_setting (tenant, code, version, "values") VALUES ($1, $2, $3, $4)
ON CONFLICT (tenant, code, version) DO UPDATE SET "values" = $4
"""
_FIND_KEPT = f"""
SELECT "values" FROM modules.kept_setting WHERE tenant = {TENANT} AND code = $1 AND version = $2
"""
_PURGE = f"DELETE FROM modules.setting WHERE tenant = {TENANT} AND code = $1"
_PURGE_KEPT = f"DELETE FROM modules.kept_setting WHERE tenant = {TENANT} AND code = $1"
