"""Data sets in Postgres: names, what they stand for, and its parts.

A content without a name goes once no replay under way reads it. Who gives a content a name holds the content meanwhile,
so that it does not go in between.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

import asyncpg
import orjson
from millwright_runtime.postgres.database import TENANT, Connection

from millwright_judgment.domain.datasets.dataset import KEPT, Content, Dataset, Fault
from millwright_judgment.domain.errors import DatasetNotFound

_FORGET_BATCH = 10


class Part(NamedTuple):
    """A part of a content."""

    last_row: int
    rows: int
    octets: bytes


async def hold(connection: Connection, tenant: str, dataset: str) -> int:
    """Keep others of the tenant from naming data sets until the transaction ends; give how many others there are."""
    await connection.execute("SELECT pg_advisory_xact_lock(7417, hashtext($1))", tenant)
    count: int = await connection.fetchval(_COUNT_OTHERS, dataset)
    return count


async def hold_content(connection: Connection, content: bytes) -> Content | None:
    """Give a content, which stays until the transaction ends; None if there is none."""
    row = await connection.fetchrow(_HOLD_CONTENT, content)
    return _content(row) if row else None


async def insert_content(connection: Connection, tenant: str, content: Content) -> bool:
    """Write what a content is; give False if somebody else has, and then its parts are there."""
    about = asdict(content)
    for name in ("content", "digest"):
        about[name] = about[name].hex()
    text = orjson.dumps(about).decode()
    return await connection.fetchval(_INSERT_CONTENT, tenant, content.content, text, content.rows) is not None


async def insert_part(connection: Connection, tenant: str, content: bytes, part: Part) -> None:
    """Write a part."""
    await connection.execute(_INSERT_PART, tenant, content, *part)


async def name(connection: Connection, tenant: str, dataset: str, content: Content, creator: str) -> Dataset:
    """Let a name stand for a content, from now on; give the data set."""
    row = await connection.fetchrow(_NAME, tenant, dataset, content.ruleset, content.content, creator)
    return Dataset(dataset, content, creator, row["create_time"])


async def get(connection: Connection, dataset: str) -> Dataset:
    """Give a data set; raise DatasetNotFound."""
    row = await connection.fetchrow(_GET, dataset)
    if row is None:
        raise DatasetNotFound(dataset=dataset)
    return _dataset(row)


async def page(connection: Connection, ruleset: str | None, after: str, limit: int) -> Sequence[Dataset]:
    """Give at most `limit` data sets in the order of their names, after one."""
    return [_dataset(row) for row in await connection.fetch(_PAGE, ruleset, after, limit)]


async def delete(connection: Connection, dataset: str) -> None:
    """Remove a name; raise DatasetNotFound."""
    if await connection.fetchval(_DELETE, dataset) is None:
        raise DatasetNotFound(dataset=dataset)


async def check_content(connection: Connection, dataset: str, content: bytes) -> None:
    """Raise DatasetNotFound unless a content is there."""
    if await connection.fetchval(_IS_CONTENT, content) is None:
        raise DatasetNotFound(dataset=dataset)


async def next_part(connection: Connection, content: bytes, after: int) -> Part | None:
    """Give the part that holds the first row after one; None at the end."""
    row = await connection.fetchrow(_NEXT_PART, content, after)
    return Part(row["last_row"], row["rows"], row["octets"]) if row else None


async def forget(connection: Connection) -> int:
    """Remove data sets, of any tenant, past their time, and contents that nothing needs, a few; give how many."""
    names = await connection.fetch(_FORGET_NAMES, KEPT, _FORGET_BATCH)
    contents = await connection.fetch(_FORGET_CONTENTS, _FORGET_BATCH)
    return len(names) + len(contents)


def _dataset(row: asyncpg.Record) -> Dataset:
    return Dataset(row["dataset"], _content(row), row["creator"], row["create_time"])


def _content(row: asyncpg.Record) -> Content:
    about: dict[str, Any] = orjson.loads(row["about"])
    return Content(
        **{
            **about,
            "content": bytes.fromhex(about["content"]),
            "digest": bytes.fromhex(about["digest"]),
            "ignored_columns": tuple(about["ignored_columns"]),
            "faults": tuple(Fault(**{**each, "examples": tuple(each["examples"])}) for each in about["faults"]),
        }
    )


_COUNT_OTHERS = f"SELECT count(*) FROM judgment.dataset WHERE tenant = {TENANT} AND dataset <> $1"
_HOLD_CONTENT = f"""
SELECT about FROM judgment.dataset_content WHERE tenant = {TENANT} AND content = $1 FOR KEY SHARE
"""
_INSERT_CONTENT = """
INSERT INTO judgment.dataset_content (tenant, content, about, rows) VALUES ($1, $2, $3, $4)
ON CONFLICT DO NOTHING RETURNING true
"""
_INSERT_PART = """
INSERT INTO judgment.dataset_part (tenant, content, last_row, rows, octets) VALUES ($1, $2, $3, $4, $5)
"""
_NAME = """
INSERT INTO judgment.dataset (tenant, dataset, ruleset, content, creator) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (tenant, dataset) DO UPDATE
SET ruleset = excluded.ruleset, content = excluded.content, creator = excluded.creator,
    create_time = excluded.create_time
RETURNING create_time
"""
_SELECT = """
SELECT dataset.dataset, dataset.creator, dataset.create_time, found.about
FROM judgment.dataset JOIN judgment.dataset_content AS found USING (tenant, content)
"""
_GET = f"{_SELECT} WHERE tenant = {TENANT} AND dataset = $1"
_PAGE = f"""
{_SELECT} WHERE tenant = {TENANT} AND ($1::text IS NULL OR ruleset = $1) AND dataset > $2 ORDER BY dataset LIMIT $3
"""
_DELETE = f"DELETE FROM judgment.dataset WHERE tenant = {TENANT} AND dataset = $1 RETURNING true"
_IS_CONTENT = f"SELECT true FROM judgment.dataset_content WHERE tenant = {TENANT} AND content = $1"
_NEXT_PART = f"""
SELECT last_row, rows, octets FROM judgment.dataset_part
WHERE tenant = {TENANT} AND content = $1 AND last_row > $2 ORDER BY last_row LIMIT 1
"""
_FORGET_NAMES = """
DELETE FROM judgment.dataset WHERE ctid = ANY (ARRAY (
    SELECT ctid FROM judgment.dataset WHERE create_time < clock_timestamp() - $1::interval LIMIT $2
)) RETURNING 1
"""
_FORGET_CONTENTS = """
DELETE FROM judgment.dataset_content WHERE ctid = ANY (ARRAY (
    SELECT ctid FROM judgment.dataset_content AS content
    WHERE NOT EXISTS (SELECT FROM judgment.dataset
                      WHERE (dataset.tenant, dataset.content) = (content.tenant, content.content))
      AND NOT EXISTS (SELECT FROM judgment.replay WHERE state IN ('PENDING', 'RUNNING')
                      AND (replay.tenant, replay.content) = (content.tenant, content.content))
    LIMIT $1 FOR UPDATE SKIP LOCKED
)) RETURNING 1
"""
