"""Rulesets and their versions, in Postgres."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg
import orjson
from millwright_runtime.postgres.database import TENANT, Connection

from millwright_judgment.domain.errors import RulesetNotFound, VersionNotFound
from millwright_judgment.domain.releases import Version, VersionState


@dataclass(frozen=True, slots=True)
class Ruleset:
    """A ruleset's row."""

    ruleset: str
    titles: Mapping[str, str]
    latest_version: int
    latest_revision: int
    create_time: datetime
    update_time: datetime
    read_time: datetime
    """Now, on the database's clock."""


@dataclass(frozen=True, slots=True)
class Text:
    """What a version says: the document as it was published, its canonical form, and what the gate found."""

    document: str
    canonical: str
    gate_report: str
    """As JSON."""


async def ensure(connection: Connection, tenant: str, ruleset: str) -> None:
    """Make the ruleset if it is not there."""
    await connection.execute(_ENSURE, tenant, ruleset)


async def find(connection: Connection, ruleset: str) -> Ruleset | None:
    """Give the ruleset, if it is there."""
    row = await connection.fetchrow(f"{_SELECT} AND ruleset = $1", ruleset)
    return _ruleset(row) if row else None


async def get(connection: Connection, ruleset: str) -> Ruleset:
    """Give the ruleset; raise RulesetNotFound."""
    found = await find(connection, ruleset)
    if found is None:
        raise RulesetNotFound(ruleset=ruleset)
    return found


async def page(connection: Connection, after: str, limit: int) -> Sequence[Ruleset]:
    """Give at most `limit` rulesets by name, after the name `after`."""
    rows = await connection.fetch(f"{_SELECT} AND ruleset > $1 ORDER BY ruleset LIMIT $2", after, limit)
    return [_ruleset(row) for row in rows]


async def insert_version(
    connection: Connection, tenant: str, ruleset: str, version: Version, text: Text, titles: Mapping[str, str]
) -> None:
    """Write a new version; the ruleset is called as it says."""
    await connection.execute(
        _INSERT_VERSION,
        tenant,
        ruleset,
        version.number,
        version.semver,
        version.content_hash,
        text.document,
        text.canonical,
        text.gate_report,
        version.creator,
        version.create_time,
        orjson.dumps(dict(titles)).decode(),
    )


async def find_content(connection: Connection, ruleset: str, content_hash: bytes) -> Version | None:
    """Give the version of that content, if there is one."""
    row = await connection.fetchrow(f"{_SELECT_VERSION} AND content_hash = $2", ruleset, content_hash)
    return _version(row) if row else None


async def find_semver(connection: Connection, ruleset: str, semver: str) -> Version | None:
    """Give the version of that semver, if there is one."""
    row = await connection.fetchrow(f"{_SELECT_VERSION} AND semver = $2", ruleset, semver)
    return _version(row) if row else None


async def get_version(connection: Connection, ruleset: str, number: int) -> tuple[Version, Text]:
    """Give a version with what it says; raise VersionNotFound."""
    row = await connection.fetchrow(_GET_VERSION, ruleset, number)
    if row is None:
        raise VersionNotFound(version=number, ruleset=ruleset)
    return _version(row), Text(row["document"], row["canonical"], row["gate_report"])


async def versions(connection: Connection, ruleset: str, numbers: Sequence[int]) -> dict[int, Version]:
    """Give those of the versions that exist, by number."""
    rows = await connection.fetch(f"{_SELECT_VERSION} AND number = ANY ($2::integer[])", ruleset, list(numbers))
    return {row["number"]: _version(row) for row in rows}


async def page_of_versions(connection: Connection, ruleset: str, before: int, limit: int) -> Sequence[Version]:
    """Give at most `limit` versions, newest first, below the number `before`."""
    rows = await connection.fetch(
        f"{_SELECT_VERSION} AND number < $2::bigint ORDER BY number DESC LIMIT $3", ruleset, before, limit
    )
    return [_version(row) for row in rows]


def _ruleset(row: asyncpg.Record) -> Ruleset:
    return Ruleset(**{**dict(row), "titles": orjson.loads(row["titles"])})


def _version(row: asyncpg.Record) -> Version:
    return Version(
        number=row["number"],
        semver=row["semver"],
        content_hash=row["content_hash"],
        state=VersionState(row["state"]),
        state_reason=row["state_reason"],
        creator=row["creator"],
        create_time=row["create_time"],
    )


_ENSURE = """
INSERT INTO judgment.ruleset (tenant, ruleset, titles, latest_version, latest_revision, create_time, update_time)
VALUES ($1, $2, '{}', 0, 0, clock_timestamp(), clock_timestamp()) ON CONFLICT DO NOTHING
"""
_SELECT = f"""
SELECT ruleset, titles, latest_version, latest_revision, create_time, update_time, clock_timestamp() AS read_time
FROM judgment.ruleset WHERE tenant = {TENANT}
"""
_INSERT_VERSION = """
WITH titled AS (UPDATE judgment.ruleset SET titles = $11 WHERE tenant = $1 AND ruleset = $2)
INSERT INTO judgment.version
    (tenant, ruleset, number, semver, content_hash, document, canonical, gate_report, creator, create_time)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
"""
_SELECT_VERSION = f"""
SELECT number, semver, content_hash, state, state_reason, creator, create_time FROM judgment.version
WHERE tenant = {TENANT} AND ruleset = $1
"""
_GET_VERSION = f"""
SELECT number, semver, content_hash, state, state_reason, creator, create_time, document, canonical, gate_report
FROM judgment.version WHERE tenant = {TENANT} AND ruleset = $1 AND number = $2
"""
