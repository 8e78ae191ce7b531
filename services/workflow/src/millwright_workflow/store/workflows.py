"""Workflows and their versions, in Postgres."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg
from millwright_runtime.postgres.database import TENANT, Connection

from millwright_workflow.domain.errors import VersionNotFound, WorkflowNotFound
from millwright_workflow.domain.releases import Version


@dataclass(frozen=True, slots=True)
class Workflow:
    """A workflow's row."""

    workflow: str
    latest_version: int
    latest_revision: int
    create_time: datetime
    update_time: datetime
    read_time: datetime
    """Now, on the database's clock."""


@dataclass(frozen=True, slots=True)
class Definition:
    """A version's definition: as it was published, and as it runs."""

    source: str
    canonical: str


async def ensure(connection: Connection, tenant: str, workflow: str) -> None:
    """Make the workflow if it is not there."""
    await connection.execute(_ENSURE, tenant, workflow)


async def find(connection: Connection, workflow: str) -> Workflow | None:
    """Give the workflow, if it is there."""
    row = await connection.fetchrow(_GET, workflow)
    return Workflow(**row) if row else None


async def get(connection: Connection, workflow: str) -> Workflow:
    """Give the workflow; raise WorkflowNotFound."""
    found = await find(connection, workflow)
    if found is None:
        raise WorkflowNotFound(workflow=workflow)
    return found


async def page(connection: Connection, after: str, limit: int) -> Sequence[Workflow]:
    """Give at most `limit` workflows by name, after the name `after`."""
    return [Workflow(**row) for row in await connection.fetch(_PAGE, after, limit)]


async def insert_version(
    connection: Connection, tenant: str, workflow: str, version: Version, definition: Definition
) -> None:
    """Write a new version."""
    await connection.execute(
        _INSERT_VERSION,
        tenant,
        workflow,
        version.number,
        version.semver,
        version.content_hash,
        definition.source,
        definition.canonical,
        version.creator,
        version.create_time,
    )


async def find_version(connection: Connection, workflow: str, content_hash: bytes) -> Version | None:
    """Give the version of that content, if there is one."""
    row = await connection.fetchrow(f"{_SELECT_VERSION} AND content_hash = $2", workflow, content_hash)
    return _version(row) if row else None


async def find_semver(connection: Connection, workflow: str, semver: str) -> Version | None:
    """Give the version of that semver, if there is one."""
    row = await connection.fetchrow(f"{_SELECT_VERSION} AND semver = $2", workflow, semver)
    return _version(row) if row else None


async def get_version(connection: Connection, workflow: str, number: int) -> tuple[Version, Definition]:
    """Give a version with its definition; raise VersionNotFound."""
    row = await connection.fetchrow(_GET_VERSION, workflow, number)
    if row is None:
        raise VersionNotFound(version=number, workflow=workflow)
    return _version(row), Definition(row["definition"], row["canonical"])


async def versions(connection: Connection, workflow: str, numbers: Sequence[int]) -> dict[int, Version]:
    """Give those of the versions that exist, by number."""
    rows = await connection.fetch(f"{_SELECT_VERSION} AND number = ANY ($2::integer[])", workflow, list(numbers))
    return {row["number"]: _version(row) for row in rows}


async def page_of_versions(connection: Connection, workflow: str, before: int, limit: int) -> Sequence[Version]:
    """Give at most `limit` versions, newest first, below the number `before`."""
    rows = await connection.fetch(
        f"{_SELECT_VERSION} AND number < $2::bigint ORDER BY number DESC LIMIT $3", workflow, before, limit
    )
    return [_version(row) for row in rows]


def _version(row: asyncpg.Record) -> Version:
    return Version(
        number=row["number"],
        semver=row["semver"],
        content_hash=row["content_hash"],
        bad_reason=row["bad_reason"],
        creator=row["creator"],
        create_time=row["create_time"],
    )


_ENSURE = """
INSERT INTO workflow.workflow (tenant, workflow, latest_version, latest_revision, create_time, update_time)
VALUES ($1, $2, 0, 0, clock_timestamp(), clock_timestamp()) ON CONFLICT DO NOTHING
"""
_GET = f"""
SELECT workflow, latest_version, latest_revision, create_time, update_time, clock_timestamp() AS read_time
FROM workflow.workflow
WHERE tenant = {TENANT} AND workflow = $1
"""
_PAGE = f"""
SELECT workflow, latest_version, latest_revision, create_time, update_time, clock_timestamp() AS read_time
FROM workflow.workflow
WHERE tenant = {TENANT} AND workflow > $1 ORDER BY workflow LIMIT $2
"""
_INSERT_VERSION = """
INSERT INTO workflow.version
    (tenant, workflow, number, semver, content_hash, definition, canonical, creator, create_time)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""
_SELECT_VERSION = f"""
SELECT number, semver, content_hash, bad_reason, creator, create_time FROM workflow.version
WHERE tenant = {TENANT} AND workflow = $1
"""
_GET_VERSION = f"""
SELECT number, semver, content_hash, bad_reason, creator, create_time, definition, canonical FROM workflow.version
WHERE tenant = {TENANT} AND workflow = $1 AND number = $2
"""
