"""Executions as pages of columns, read from Postgres for replays.

Postgres puts a page together as a few long values, one a column, so that no row is taken apart in Python.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence

import asyncpg
import numpy as np
import orjson
from millwright_runtime.postgres.database import TENANT, Connection

from millwright_judgment.domain.errors import ExecutionNotFound
from millwright_judgment.domain.executions import time_of
from millwright_judgment.domain.input.decoding import text_column
from millwright_judgment.domain.replays.page import Page, Recorded, Texts
from millwright_judgment.domain.replays.replay import Selection
from millwright_judgment.store.looks import LOOKED_AT, ORDER, Look

PAGE_ROWS = 32_768
_PAGE_BYTES = 16 * 1024 * 1024
"""A page ends after so many bytes of inputs, at the latest."""
_NAMED = 5_000
"""So many executions that were named are read at once."""
_COUNTED = 1_000_000
"""So many are looked at to count them; if there are more, the count is an estimate."""


async def count(connection: Connection, selection: Selection) -> int:
    """Give how many executions are selected: at least 1, by estimate, where there are too many to look at them all."""
    if selection.executions:
        return len(selection.executions)
    where = _Where(selection)
    if not where.narrow:
        values = [*where.values, selection.most_executions]
        statement = f"SELECT count(*) FROM (SELECT {where.looked} LIMIT ${len(values)}) AS selected"
        counted: int = await connection.fetchval(statement, *values)
        return counted
    statement = f"""
    SELECT count(*) AS looked_at, count(*) FILTER (WHERE {where.narrow}) AS found
    FROM (SELECT {_COLUMNS}, experiment {where.looked} {ORDER} LIMIT {_COUNTED}) AS looked
    """
    row = await connection.fetchrow(statement, *where.values)
    found: int = row["found"] if row["looked_at"] < _COUNTED else max(1, row["found"])
    return min(found, selection.most_executions)


async def rulesets_of(connection: Connection, executions: Sequence[uuid.UUID]) -> set[str]:
    """Give the rulesets that executions were judged by; raise ExecutionNotFound for the first that is not there."""
    times = [time_of(execution) for execution in executions]
    rows = await connection.fetch(_RULESETS_OF, list(executions), times, min(times), max(times))
    found = {row["execution"]: row["ruleset"] for row in rows}
    for execution in executions:
        if execution not in found:
            raise ExecutionNotFound(execution=execution)
    return set(found.values())


async def page(connection: Connection, selection: Selection, after: str, limit: int) -> Page | None:
    """Give at most `limit` executions, the newest first, after one (empty for the first page); None at the end."""
    last = uuid.UUID(after) if after else None
    if selection.executions:
        row = await _named(connection, selection.executions, last, limit)
        return _page(row) if row is not None and row["rows"] else None
    while True:
        where = _Where(selection, last)
        looked = f"SELECT {_COLUMNS}, experiment {where.looked} {ORDER} LIMIT {LOOKED_AT}"
        narrow = f"WHERE {where.narrow}" if where.narrow else ""
        selected = f"SELECT * FROM ({looked}) AS looked {narrow} {ORDER} LIMIT ${len(where.values) + 1}"
        row = await connection.fetchrow(_PACKED.format(selected=selected), *where.values, min(limit, PAGE_ROWS))
        if row["rows"]:
            return _page(row)
        if not where.narrow:
            return None
        last = await where.end(connection, LOOKED_AT)
        if last is None:
            return None


async def _named(
    connection: Connection, executions: Sequence[uuid.UUID], last: uuid.UUID | None, limit: int
) -> asyncpg.Record | None:
    begin = executions.index(last) + 1 if last is not None else 0
    wanted = list(executions[begin : begin + min(limit, _NAMED)])
    if not wanted:
        return None
    times = [time_of(execution) for execution in wanted]
    statement = _PACKED.format(selected=_SELECT_NAMED)
    return await connection.fetchrow(statement, wanted, times, min(times), max(times))


class _Where(Look):
    """Which executions are looked at after one, by an index, and which of them are selected."""

    def __init__(self, selection: Selection, last: uuid.UUID | None = None) -> None:
        assert selection.filter is not None
        super().__init__(selection.filter, last)
        if selection.sample_rate < 1.0:
            self.values += [selection.seed, selection.sample_rate]
            seed, rate = len(self.values) - 1, len(self.values)
            hashed = f"(uuid_hash_extended(execution, ${seed}::bigint) & {2**53 - 1})::float8 / {2**53}.0"
            drawn = f"{hashed} < ${rate}::float8"
            self.narrow = f"{self.narrow} AND {drawn}" if self.narrow else drawn


def _page(row: asyncpg.Record) -> Page:
    texts = {name: text_column(orjson.loads(row[name])) for name in _TEXTS}
    return Page(
        executions=np.frombuffer(row["executions"], dtype="V16"),
        versions=np.frombuffer(row["versions"], dtype=">i4").astype(np.int32),
        inputs=Texts(row["inputs"].encode().split(b"\n")),
        segments={name: texts[name] for name in ("line", "product", "shift", "unit")},
        recorded=Recorded(
            status=np.frombuffer(row["statuses"], dtype=">i2").astype(np.int16),
            outcome=texts["outcome"],
            rule=texts["winning_rule"],
            confidence=np.frombuffer(row["confidences"], dtype=">f8").astype(np.float64),
            matched=row["matched"],
        ),
    )


_TEXTS = ("line", "product", "shift", "unit", "outcome", "winning_rule")
_COLUMNS = f"execution, judge_time, version, input, status, confidence, matched, {', '.join(_TEXTS)}"
# Aggregates take the rows in the order of the sub-query. A page of large inputs ends early.
_PACKED = f"""
SELECT count(*) AS rows, string_agg(uuid_send(execution), '') AS executions,
       string_agg(int4send(version), '') AS versions, string_agg(int2send(status), '') AS statuses,
       string_agg(float8send(confidence), '') AS confidences, string_agg(matched, '') AS matched,
       string_agg(input, E'\\n') AS inputs,
       {", ".join(f"json_agg({name})::text AS {name}" for name in _TEXTS)}
FROM (
    SELECT *, sum(octet_length(input)) OVER ({ORDER} ROWS UNBOUNDED PRECEDING) - octet_length(input) AS bytes_before
    FROM ({{selected}}) AS selected
) AS page WHERE bytes_before < {_PAGE_BYTES}
"""
_ASKED = """
unnest($1::uuid[], $2::timestamptz[]) AS asked (execution, judge_time)
"""
_SELECT_NAMED = f"""
SELECT {_COLUMNS} FROM judgment.execution JOIN {_ASKED} USING (execution, judge_time)
WHERE tenant = {TENANT} AND judge_time BETWEEN $3 AND $4 {ORDER}
"""
_RULESETS_OF = f"""
SELECT execution, ruleset FROM judgment.execution JOIN {_ASKED} USING (execution, judge_time)
WHERE tenant = {TENANT} AND judge_time BETWEEN $3 AND $4
"""
