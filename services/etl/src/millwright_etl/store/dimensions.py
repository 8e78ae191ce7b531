"""Lines, products, shifts and equipment that facts know."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import asyncpg
from millwright_runtime.postgres.database import TENANT, Connection

from millwright_etl.domain.queries import Dimension

MEMBERS = (Dimension.LINE, Dimension.PRODUCT, Dimension.SHIFT, Dimension.EQUIPMENT)


@dataclass(frozen=True, slots=True)
class Member:
    """A line, product, shift or piece of equipment."""

    code: str
    names: Mapping[str, str]
    """By language."""
    inferred: bool
    """It is known from rows alone."""


async def page(connection: Connection, dimension: Dimension, after: str, limit: int) -> Sequence[Member]:
    """Give at most `limit` members by code, after the code `after`."""
    rows = await connection.fetch(_PAGE.format(name=dimension.lower()), after, limit)
    return [_member(row) for row in rows]


async def save(
    connection: Connection, tenant: str, dimension: Dimension, code: str, names: Mapping[str, str]
) -> Member:
    """Name a member, which is not inferred from then on."""
    row = await connection.fetchrow(_SAVE.format(name=dimension.lower()), tenant, code, json.dumps(dict(names)))
    return _member(row)


def _member(row: asyncpg.Record) -> Member:
    return Member(row["code"], json.loads(row["names"]), row["inferred"])


_PAGE = f"""
SELECT {{name}} AS code, names, inferred FROM bi.dim_{{name}}
WHERE tenant = {TENANT} AND {{name}} > $1 ORDER BY {{name}} LIMIT $2
"""
_SAVE = """
INSERT INTO bi.dim_{name} AS known (tenant, {name}, names, inferred) VALUES ($1, $2, $3, false)
ON CONFLICT (tenant, {name}) DO UPDATE SET names = excluded.names, inferred = false
RETURNING {name} AS code, names, inferred
"""
