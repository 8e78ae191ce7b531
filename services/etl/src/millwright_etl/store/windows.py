"""Facts of a window: the statement of the pipeline, bound and run, and what it left, read anew."""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Sequence
from dataclasses import fields
from functools import cache, lru_cache
from importlib import resources
from typing import Any, NamedTuple

from millwright_runtime.postgres import limits
from millwright_runtime.postgres.database import Connection

from millwright_etl.domain.quality import Rule
from millwright_etl.domain.windows import MEASURES, Counts, Findings, Window, Written
from millwright_etl.store import rule_fragments
from millwright_etl.store.rule_fragments import Shape

_COMMENT = re.compile(r"--.*")
_PARAMETER = re.compile(r"(?<![:\w]):([a-z_0-9]+)\b")
_COUNTS = tuple(field.name for field in fields(Counts))


class Made(NamedTuple):
    """What came of making facts."""

    counts: Counts
    findings: Findings


async def set_limits(connection: Connection, memory_megabytes: int, seconds: float = 600.0) -> None:
    """Prepare a transaction for the statement: compiling it costs more than it saves, and hashing needs memory.

    No statement takes longer than `seconds`, all together take three times that, and none goes on for a client that is
    gone.
    """
    await connection.execute(
        f"SET LOCAL jit = off; SET LOCAL work_mem = '{memory_megabytes:d}MB'; "
        f"SET LOCAL statement_timeout = {round(seconds * 1000):d}; "
        "SET LOCAL client_connection_check_interval = '1s'; "
        f"{limits.extension(3 * seconds)}"
    )


async def make_facts(
    connection: Connection, window: Window, run: uuid.UUID, seconds: float, rules: Sequence[Rule] = ()
) -> Made:
    """Make the facts of a window anew from all its rows, and set aside those that cannot be used.

    `rules` are the rules of rows that are looked at. Run twice, it writes nothing the second time. The caller holds the
    window's lock.
    """
    row = await _fetch(connection, "daily_production.sql", window, run, seconds, rules)
    counts = Counts(**{name: row[name] for name in _COUNTS})
    broken = [row[f"rule_{place}"] for place in range(len(rules))]
    checked = {rule.record_type: row[rule_fragments.checked_rows(rule.record_type)] for rule in rules}
    return Made(counts, Findings(checked, row["rows_refused"], json.loads(row["sources"]), broken))


async def set_aside(
    connection: Connection, window: Window, run: uuid.UUID, seconds: float, rules: Sequence[Rule] = ()
) -> int:
    """Set aside the rows of a window that cannot be used, and make no facts; give how many there are."""
    row = await _fetch(connection, "quarantine.sql", window, run, seconds, rules)
    refused: int = row["rows_refused"]
    return refused


async def read_back(connection: Connection, window: Window) -> Written:
    """Give what is in the facts of a window now."""
    return Written(**await connection.fetchrow(_READ_BACK, window.tenant, window.date))


def sql_hash() -> str:
    """Give the SHA-256 of the SQL that makes facts, hex."""
    return hashlib.sha256(_text("daily_production.sql").encode()).hexdigest()


async def _fetch(
    connection: Connection, file: str, window: Window, run: uuid.UUID, seconds: float, rules: Sequence[Rule]
) -> Any:
    statement, names = _bound(file, tuple(map(rule_fragments.shape, rules)))
    values: dict[str, Any] = {
        "tenant": window.tenant,
        "date": window.date,
        "begin_time": window.begin_time,
        "end_time": window.end_time,
        "shift_codes": [shift.code for shift in window.shifts],
        "shift_begins": [shift.begin_time for shift in window.shifts],
        "shift_planned_seconds": [shift.planned_seconds for shift in window.shifts],
        "run": run,
        **rule_fragments.parameters(rules),
    }
    return await connection.fetchrow(statement, *(values[name] for name in names), timeout=seconds)


@cache
def _text(file: str) -> str:
    files = resources.files("millwright_etl.pipelines")
    judged_rows = (files / "judged_rows.sql").read_text(encoding="utf-8")
    return (files / file).read_text(encoding="utf-8").replace("{judged_rows}", judged_rows)


@lru_cache(maxsize=64)
def _bound(file: str, shapes: tuple[Shape, ...]) -> tuple[str, tuple[str, ...]]:
    """Give a statement with numbered parameters, and their names in that order."""
    text = _COMMENT.sub("", _text(file))
    for place, fragment in rule_fragments.fragments(shapes).items():
        text = text.replace(f"{{{place}}}", fragment)
    names = tuple(dict.fromkeys(_PARAMETER.findall(text)))
    return _PARAMETER.sub(lambda found: f"${names.index(found[1]) + 1}", text), names


_READ_BACK = f"""
SELECT facts.*, defects.*
FROM (
    SELECT count(*) AS facts, coalesce(sum(work_orders), 0)::bigint AS work_orders,
           coalesce(sum(total_qty), 0) AS total_qty, ARRAY[{", ".join(f"sum({each})" for each in MEASURES)}] AS measures
    FROM bi.fact_daily_production WHERE tenant = $1 AND date = $2
) AS facts, (
    SELECT count(*) AS defect_facts, sum(defect_qty) AS defects
    FROM bi.fact_daily_defect WHERE tenant = $1 AND date = $2
) AS defects
"""
