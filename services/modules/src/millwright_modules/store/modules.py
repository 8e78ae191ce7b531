"""Modules and the history of what was live, in Postgres."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence

import asyncpg
import orjson
from millwright_runtime.postgres.database import TENANT, Connection

from millwright_modules.domain import names
from millwright_modules.domain.errors import ModuleNotFound
from millwright_modules.domain.manifest.model import Manifest
from millwright_modules.domain.module import Activation, Module, Move, MoveKind, State


async def find(connection: Connection, code: str) -> Module | None:
    """Give a module, if it is there."""
    row = await connection.fetchrow(_GET, code)
    return _module(row) if row else None


async def get(connection: Connection, code: str) -> Module:
    """Give a module; raise ModuleNotFound."""
    found = await find(connection, code)
    if found is None:
        raise ModuleNotFound(module=names.module(code))
    return found


async def lock(connection: Connection, code: str) -> Module:
    """Give a module and keep it from others until the transaction ends; raise ModuleNotFound."""
    row = await connection.fetchrow(f"{_GET} FOR UPDATE", code)
    if row is None:
        raise ModuleNotFound(module=names.module(code))
    return _module(row)


async def lock_or_insert(connection: Connection, tenant: str, manifest: Manifest) -> Module:
    """Give a module and keep it from others; one that is not there is written, as one whose first version comes."""
    await connection.execute(
        _INSERT,
        tenant,
        manifest.code,
        orjson.dumps(dict(manifest.titles)).decode(),
        manifest.category.value,
        manifest.publisher,
    )
    return await lock(connection, manifest.code)


async def lock_all(connection: Connection) -> Sequence[Module]:
    """Give all modules, by code, and keep them from others: what depends on what stays as it is."""
    return [_module(row) for row in await connection.fetch(_LOCK_ALL)]


async def installed(connection: Connection) -> Sequence[Module]:
    """Give the modules that have a version, by code."""
    return [_module(row) for row in await connection.fetch(_INSTALLED)]


async def page(connection: Connection, after: str, with_uninstalled: bool, limit: int) -> Sequence[Module]:  # noqa: FBT001
    """Give at most `limit` modules by code, after the code `after`."""
    return [_module(row) for row in await connection.fetch(_PAGE, after, with_uninstalled, limit)]


async def note_operation(connection: Connection, code: str, operation: uuid.UUID) -> None:
    """Note the operation that is under way."""
    await connection.execute(_NOTE_OPERATION, code, operation)


async def clear_operation(connection: Connection, code: str, operation: uuid.UUID) -> None:
    """Note that the operation has ended; a module of which nothing was ever live goes."""
    await connection.execute(_CLEAR_OPERATION, code, operation)
    await connection.execute(_REMOVE_NEVER_LIVE, code)


async def write_move(
    connection: Connection, tenant: str, module: Module, move: Move, described: Manifest | None = None
) -> tuple[Module, Activation]:
    """Write where a module stands after a move, and the move's row in the history.

    With `described`, titles, category and publisher become those of that manifest.
    """
    titles = orjson.dumps(dict(described.titles if described else module.titles)).decode()
    category = described.category.value if described else module.category
    publisher = described.publisher if described else module.publisher
    row = await connection.fetchrow(
        _UPDATE,
        module.code,
        module.state.value,
        module.active_version,
        module.generation,
        titles,
        category,
        publisher,
    )
    written = await connection.fetchrow(
        _INSERT_MOVE,
        tenant,
        move.code,
        move.generation,
        move.kind.value,
        move.from_version,
        move.to_version,
        move.reason,
        move.actor,
        move.is_automatic,
        move.operation,
    )
    return _module(row), _activation(written)


async def history(connection: Connection, code: str, before: int, limit: int) -> Sequence[Activation]:
    """Give at most `limit` rows of the history before a generation, newest first."""
    return [_activation(row) for row in await connection.fetch(_HISTORY, code, before, limit)]


def _module(row: asyncpg.Record) -> Module:
    titles: Mapping[str, str] = orjson.loads(row["titles"])
    return Module(**{**dict(row), "titles": titles, "state": State(row["state"])})


def _activation(row: asyncpg.Record) -> Activation:
    fields = dict(row)
    create_time = fields.pop("create_time")
    return Activation(Move(**{**fields, "kind": MoveKind(fields["kind"])}), create_time)


_COLUMNS = "code, titles, category, publisher, state, active_version, generation, operation, create_time, update_time"
_SELECT = f"SELECT {_COLUMNS} FROM modules.module WHERE tenant = {TENANT}"
_GET = f"{_SELECT} AND code = $1"
_INSERT = """
INSERT INTO modules.module (tenant, code, titles, category, publisher, state) VALUES ($1, $2, $3, $4, $5, 'INSTALLING')
ON CONFLICT DO NOTHING
"""
_LOCK_ALL = f"{_SELECT} ORDER BY code FOR UPDATE"
_INSTALLED = f"{_SELECT} AND state IN ('ENABLED', 'DISABLED') ORDER BY code"
_PAGE = f"{_SELECT} AND code > $1 AND ($2 OR state <> 'UNINSTALLED') ORDER BY code LIMIT $3"
_NOTE_OPERATION = f"""
UPDATE modules.module SET operation = $2, update_time = clock_timestamp() WHERE tenant = {TENANT} AND code = $1
"""
_CLEAR_OPERATION = f"""
UPDATE modules.module SET operation = NULL, update_time = clock_timestamp()
WHERE tenant = {TENANT} AND code = $1 AND operation = $2
"""
_REMOVE_NEVER_LIVE = f"""
DELETE FROM modules.module WHERE tenant = {TENANT} AND code = $1 AND generation = 0 AND operation IS NULL
    AND NOT EXISTS (SELECT FROM modules.version WHERE (version.tenant, version.code) = (module.tenant, module.code))
"""
_UPDATE = f"""
UPDATE modules.module
SET state = $2, active_version = $3, generation = $4, titles = $5, category = $6, publisher = $7,
    update_time = clock_timestamp()
WHERE tenant = {TENANT} AND code = $1 RETURNING {_COLUMNS}
"""
_MOVE_COLUMNS = """code, generation, kind, from_version, to_version, reason, actor, is_automatic, operation,
    create_time"""
_INSERT_MOVE = f"""
INSERT INTO modules.activation
    (tenant, code, generation, kind, from_version, to_version, reason, actor, is_automatic, operation)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING {_MOVE_COLUMNS}
"""
_HISTORY = f"""
SELECT {_MOVE_COLUMNS} FROM modules.activation
WHERE tenant = {TENANT} AND code = $1 AND generation < $2 ORDER BY generation DESC LIMIT $3
"""
