"""Versions of modules with what was built of them, in Postgres. A version never changes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import asyncpg
from millwright_runtime.postgres.database import TENANT, Connection

from millwright_modules.domain import names
from millwright_modules.domain.errors import VersionNotFound
from millwright_modules.domain.module import Asset, ModuleVersion
from millwright_modules.store.problems import problems_from_text, problems_to_text


async def insert(connection: Connection, tenant: str, version: ModuleVersion, assets: Sequence[Asset]) -> None:
    """Write a version with its assets; one that is there stays as it is."""
    is_new = await connection.fetchval(
        _INSERT,
        tenant,
        version.code,
        version.version,
        version.package_digest,
        version.package_bytes,
        version.manifest,
        version.entry,
        version.signer,
        problems_to_text(version.warnings),
    )
    if is_new:
        await connection.execute(
            _INSERT_ASSETS,
            tenant,
            version.code,
            version.version,
            [asset.path for asset in assets],
            [asset.digest for asset in assets],
            [asset.size_bytes for asset in assets],
            [asset.media_type for asset in assets],
        )


async def find(connection: Connection, code: str, version: str) -> ModuleVersion | None:
    """Give a version, if it is kept."""
    row = await connection.fetchrow(_GET, code, version)
    return _version(row) if row else None


async def get(connection: Connection, code: str, version: str) -> ModuleVersion:
    """Give a version; raise VersionNotFound."""
    found = await find(connection, code, version)
    if found is None:
        raise VersionNotFound(module=names.module(code), version=version)
    return found


async def find_package(connection: Connection, digest: bytes) -> ModuleVersion | None:
    """Give the version that a package became."""
    row = await connection.fetchrow(_FIND_PACKAGE, digest)
    return _version(row) if row else None


async def manifests(connection: Connection, pairs: Collection[tuple[str, str]]) -> Mapping[str, tuple[str, str]]:
    """Give manifest and signer of one version of each module, by code."""
    rows = await connection.fetch(_MANIFESTS, [code for code, _ in pairs], [version for _, version in pairs])
    return {row["code"]: (row["manifest"], row["signer"]) for row in rows}


async def page(
    connection: Connection, code: str, before: tuple[datetime, str] | None, limit: int
) -> Sequence[ModuleVersion]:
    """Give at most `limit` versions of a module, newest first, from before the place `before`."""
    return [_version(row) for row in await connection.fetch(_PAGE, code, *(before or (None, "")), limit)]


async def kept(connection: Connection, code: str) -> Sequence[str]:
    """Give the versions of a module that are kept."""
    return [row["version"] for row in await connection.fetch(_KEPT, code)]


async def remove(connection: Connection, code: str, versions: Collection[str]) -> None:
    """Remove versions with their assets."""
    await connection.execute(_REMOVE, code, list(versions))


async def remove_unless_live(connection: Connection, code: str, version: str) -> None:
    """Remove a version with its assets, unless it was made live since, or something is being done to the module."""
    await connection.execute(_REMOVE_UNLESS_LIVE, code, version)


async def surplus(connection: Connection, keep: int) -> Sequence[tuple[str, str, str]]:
    """Give versions, of any tenant, beyond the `keep` that were live last; neither the live one nor one on its way."""
    rows = await connection.fetch(_SURPLUS, keep)
    return [(row["tenant"], row["code"], row["version"]) for row in rows]


async def assets(connection: Connection, code: str, version: str) -> Sequence[Asset]:
    """Give what was built of a version, by path."""
    return [_asset(row) for row in await connection.fetch(_ASSETS, code, version)]


async def find_asset(connection: Connection, code: str, version: str, path: str) -> Asset | None:
    """Give one file of a version, if it has it."""
    row = await connection.fetchrow(_FIND_ASSET, code, version, path)
    return _asset(row) if row else None


def _version(row: asyncpg.Record) -> ModuleVersion:
    return ModuleVersion(**{**dict(row), "warnings": problems_from_text(row["warnings"])})


def _asset(row: asyncpg.Record) -> Asset:
    return Asset(row["path"], row["digest"], row["bytes"], row["media_type"])


_COLUMNS = "code, version, package_digest, package_bytes, manifest, entry, signer, warnings, create_time"
_SELECT = f"SELECT {_COLUMNS} FROM modules.version WHERE tenant = {TENANT}"
_INSERT = """
INSERT INTO modules.version
    (tenant, code, version, package_digest, package_bytes, manifest, entry, signer, warnings)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING RETURNING true
"""
_INSERT_ASSETS = """
INSERT INTO modules.asset (tenant, code, version, path, digest, bytes, media_type)
SELECT $1, $2, $3, * FROM unnest($4::text[], $5::bytea[], $6::bigint[], $7::text[])
"""
_GET = f"{_SELECT} AND code = $1 AND version = $2"
_FIND_PACKAGE = f"{_SELECT} AND package_digest = $1"
_MANIFESTS = f"""
SELECT code, manifest, signer FROM modules.version
WHERE tenant = {TENANT} AND (code, version) IN (SELECT * FROM unnest($1::text[], $2::text[]))
"""
_PAGE = f"""
{_SELECT} AND code = $1 AND ($2::timestamptz IS NULL OR (create_time, version) < ($2, $3))
ORDER BY create_time DESC, version DESC LIMIT $4
"""
_KEPT = f"SELECT version FROM modules.version WHERE tenant = {TENANT} AND code = $1"
_REMOVE = f"DELETE FROM modules.version WHERE tenant = {TENANT} AND code = $1 AND version = ANY ($2::text[])"
_REMOVE_UNLESS_LIVE = f"""
WITH locked AS (
    SELECT code FROM modules.module
    WHERE tenant = {TENANT} AND code = $1 AND active_version <> $2 AND operation IS NULL FOR UPDATE
)
DELETE FROM modules.version USING locked WHERE tenant = {TENANT} AND version.code = locked.code AND version.version = $2
"""
_SURPLUS = """
SELECT tenant, code, version FROM (
    SELECT version.tenant, version.code, version.version, active_version, operation,
           row_number() OVER (
               PARTITION BY version.tenant, version.code
               ORDER BY version.version = active_version DESC, live.generation DESC NULLS LAST, version.create_time DESC
           ) AS place
    FROM modules.version
    JOIN modules.module ON (module.tenant, module.code) = (version.tenant, version.code)
    LEFT JOIN LATERAL (
        SELECT max(generation) AS generation FROM modules.activation
        WHERE (activation.tenant, activation.code, to_version) = (version.tenant, version.code, version.version)
    ) AS live ON true
) AS ordered
WHERE place > $1 AND version <> active_version AND operation IS NULL
"""
_ASSETS = f"""
SELECT path, digest, bytes, media_type FROM modules.asset
WHERE tenant = {TENANT} AND code = $1 AND version = $2 ORDER BY path
"""
_FIND_ASSET = f"""
SELECT path, digest, bytes, media_type FROM modules.asset
WHERE tenant = {TENANT} AND code = $1 AND version = $2 AND path = $3
"""
