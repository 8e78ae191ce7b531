"""Reads from the database, as its superuser, what happened to a workflow and in which order it was committed.

Reads only, and in no service's code path. The server must run with track_commit_timestamp=on.
"""

from __future__ import annotations

from collections.abc import Mapping

from millwright_local.databases import DATABASE
from millwright_local.postgres import Postgres

from tests.history import Begin, Move


async def read_moves(postgres: Postgres, tenant: str, workflow: str) -> list[Move]:
    """Return the rows of the release log."""
    async with postgres.connect(DATABASE) as connection:
        return [Move(*row) for row in await connection.fetch(_MOVES, tenant, workflow)]


async def read_begins(postgres: Postgres, tenant: str, workflow: str, call_times: Mapping[str, float]) -> list[Begin]:
    """Return the instances that have begun; `call_times` says by name when each was asked for."""
    async with postgres.connect(DATABASE) as connection:
        rows = await connection.fetch(_BEGINS, tenant, workflow)
    return [Begin(name, channel, version, commit, call_times[name]) for name, channel, version, commit in rows]


async def read_channels(postgres: Postgres, tenant: str, workflow: str) -> dict[str, tuple[int, int]]:
    """Return each channel's version and revision, as the row has them."""
    async with postgres.connect(DATABASE) as connection:
        rows = await connection.fetch(_CHANNELS, tenant, workflow)
    return {channel: (version, revision) for channel, version, revision in rows}


async def read_bad_versions(postgres: Postgres, tenant: str, workflow: str) -> set[int]:
    """Return the numbers of the versions that are marked bad."""
    async with postgres.connect(DATABASE) as connection:
        rows = await connection.fetch(_BAD_VERSIONS, tenant, workflow)
    return {number for (number,) in rows}


_COMMIT = "(extract(epoch FROM pg_xact_commit_timestamp({table}.xmin)) * 1000000)::bigint"
_MOVES = f"""
SELECT revision, operation, coalesce(channel, ''), coalesce(from_version, 0), to_version, marked_bad,
       {_COMMIT.format(table="release")}, coalesce(canary_version, 0)
FROM workflow.release WHERE tenant = $1 AND workflow = $2 ORDER BY revision
"""
_BEGINS = f"""
SELECT event.resource, coalesce(channel, ''), version, {_COMMIT.format(table="event")}
FROM workflow.event JOIN workflow.instance
    ON event.tenant = instance.tenant AND event.resource = 'instances/' || instance.instance
WHERE event.tenant = $1 AND workflow = $2 AND type = 'io.serverlessworkflow.workflow.started.v1'
"""
_CHANNELS = "SELECT channel, version, revision FROM workflow.channel WHERE tenant = $1 AND workflow = $2"
_BAD_VERSIONS = "SELECT number FROM workflow.version WHERE tenant = $1 AND workflow = $2 AND bad_reason IS NOT NULL"
