"""Facts of a window: the statement of the pipeline, bound and run, and what it left, read anew."""

from __future__ import annotations

import hashlib
import re
import uuid
from dataclasses import fields
from functools import cache
from importlib import resources
from typing import Any

from millwright_runtime.postgres.database import Connection

from millwright_etl.domain.windows import Counts, Window, Written

_COMMENT = re.compile(r"--.*")
_PARAMETER = re.compile(r"(?<![:\w]):([a-z_]+)\b")
_RULE_PLACES = ("rule_columns", "rule_conditions", "rule_reasons", "rule_counts", "rule_totals")
"""Where the quality rules of a plant join the statement; empty as long as there are none."""
_COUNTS = tuple(field.name for field in fields(Counts))


async def set_limits(connection: Connection, memory_megabytes: int) -> None:
    """Prepare a transaction for the statement: compiling it costs more than it saves, and hashing needs memory."""
    await connection.execute(f"SET LOCAL jit = off; SET LOCAL work_mem = '{memory_megabytes:d}MB'")


async def ensure_month(connection: Connection, window: Window) -> None:
    """Make the partitions of the window's month, if they are missing; not in the transaction that makes the facts."""
    await connection.execute("SELECT bi.ensure_month($1)", window.date)


async def make_facts(connection: Connection, window: Window, run: uuid.UUID, seconds: float) -> Counts:
    """Make the facts of a window anew from all its rows, and set aside those that cannot be used.

    Run twice, it writes nothing the second time. The caller holds the window's lock.
    """
    statement, names = _bound()
    values: dict[str, Any] = {
        "tenant": window.tenant,
        "date": window.date,
        "begin_time": window.begin_time,
        "end_time": window.end_time,
        "shift_codes": [shift.code for shift in window.shifts],
        "shift_begins": [shift.begin_time for shift in window.shifts],
        "run": run,
    }
    row = await connection.fetchrow(statement, *(values[name] for name in names), timeout=seconds)
    return Counts(**{name: row[name] for name in _COUNTS})


async def read_back(connection: Connection, window: Window) -> Written:
    """Give what is in the facts of a window now."""
    return Written(**await connection.fetchrow(_READ_BACK, window.tenant, window.date))


def sql_hash() -> str:
    """Give the SHA-256 of the SQL that makes facts, hex."""
    return hashlib.sha256(_text().encode()).hexdigest()


@cache
def _text() -> str:
    files = resources.files("millwright_etl.pipelines")
    judged_rows = (files / "judged_rows.sql").read_text(encoding="utf-8")
    return (files / "daily_production.sql").read_text(encoding="utf-8").replace("{judged_rows}", judged_rows)


@cache
def _bound() -> tuple[str, tuple[str, ...]]:
    """Give the statement with numbered parameters, and their names in that order."""
    text = _COMMENT.sub("", _text())
    for place in _RULE_PLACES:
        text = text.replace(f"{{{place}}}", "")
    names = tuple(dict.fromkeys(_PARAMETER.findall(text)))
    return _PARAMETER.sub(lambda found: f"${names.index(found[1]) + 1}", text), names


_READ_BACK = """
SELECT count(*) AS facts, coalesce(sum(work_orders), 0)::bigint AS work_orders, coalesce(sum(total_qty), 0) AS total_qty
FROM bi.fact_daily_production WHERE tenant = $1 AND date = $2
"""
