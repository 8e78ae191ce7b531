"""Keys that are trusted, and what is asked of packages, in Postgres."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from millwright_runtime.postgres.database import TENANT, Connection

from millwright_modules.domain.signing import Policy


@dataclass(frozen=True, slots=True)
class Key:
    """A key that is trusted."""

    key: str
    public_key: bytes
    owner: str
    creator: str
    create_time: datetime


async def insert(
    connection: Connection, tenant: str, key: str, public_key: bytes, owner: str, creator: str
) -> Key | None:
    """Trust a key; give nothing if its id is taken by another one."""
    await connection.execute(_INSERT, tenant, key, public_key, owner, creator)
    row = await connection.fetchrow(f"{_SELECT} AND key = $1 AND public_key = $2", key, public_key)
    return Key(**dict(row)) if row else None


async def remove(connection: Connection, key: str) -> bool:
    """Trust a key no more; tell whether it was there."""
    return bool(await connection.fetchval(_REMOVE, key))


async def all_trusted(connection: Connection) -> Sequence[Key]:
    """Give the keys that are trusted, by id."""
    return [Key(**dict(row)) for row in await connection.fetch(f"{_SELECT} ORDER BY key")]


async def policy(connection: Connection) -> Policy:
    """Give what is asked of packages: a warning, unless it was set."""
    return Policy(await connection.fetchval(_POLICY) or Policy.WARN.value)


async def set_policy(connection: Connection, tenant: str, value: Policy, updater: str) -> None:
    """Set what is asked of packages."""
    await connection.execute(_SET_POLICY, tenant, value.value, updater)


_SELECT = f"SELECT key, public_key, owner, creator, create_time FROM modules.signing_key WHERE tenant = {TENANT}"
_INSERT = """
INSERT INTO modules.signing_key (tenant, key, public_key, owner, creator) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT DO NOTHING
"""
_REMOVE = f"DELETE FROM modules.signing_key WHERE tenant = {TENANT} AND key = $1 RETURNING true"
_POLICY = f"SELECT policy FROM modules.signature_policy WHERE tenant = {TENANT}"
_SET_POLICY = """
INSERT INTO modules.signature_policy (tenant, policy, updater) VALUES ($1, $2, $3)
ON CONFLICT (tenant) DO UPDATE SET policy = $2, updater = $3, update_time = clock_timestamp()
"""
