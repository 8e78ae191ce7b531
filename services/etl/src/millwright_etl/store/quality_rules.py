"""Quality rules that a plant has saved, and what days before a window were like."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from millwright_runtime.postgres.database import Connection

from millwright_etl.domain.quality import BUILT_IN, Check, History, Rule, Severity
from millwright_etl.domain.records import RecordType
from millwright_etl.domain.windows import Window

_WEEKS = 4
_BUILT_IN = frozenset(rule.id for rule in BUILT_IN)


async def read(connection: Connection, tenant: str) -> Sequence[Rule]:
    """Give the rules that a plant has saved, by id."""
    return [
        Rule(
            row["rule"],
            Check(row["check_kind"]),
            Severity(row["severity"]),
            row["field"],
            RecordType(row["record_type"]),
            row["min"],
            row["max"],
            row["tolerated_share"],
            row["disabled"],
            row["rule"] in _BUILT_IN,
            row["revision"],
        )
        for row in await connection.fetch(_READ, tenant)
    ]


async def save(connection: Connection, tenant: str, rule: Rule) -> int | None:
    """Write a rule that was saved `rule.revision` times so far; give how often it is now, or None if that is not so."""
    revision: int | None = await connection.fetchval(
        _SAVE,
        tenant,
        rule.id,
        rule.check,
        rule.field,
        rule.record_type,
        rule.min,
        rule.max,
        rule.tolerated_share,
        rule.severity,
        rule.disabled,
        rule.revision,
    )
    return revision


async def history(connection: Connection, window: Window) -> History:
    """Give what days before a window were like."""
    weeks = [window.date - timedelta(weeks=week + 1) for week in range(_WEEKS)]
    rows = [row["rows_read"] for row in await connection.fetch(_WEEKDAY_ROWS, window.tenant, weeks)]
    last = window.date - timedelta(days=1)
    newest = await connection.fetch(_SOURCES, window.tenant, last - timedelta(days=6), last)
    return History(rows, {row["source"]: row["newest"] for row in newest})


_READ = """
SELECT rule, check_kind, field, record_type, min, max, tolerated_share, severity, disabled, revision
FROM etl.quality_rule WHERE tenant = $1 ORDER BY rule
"""
# A rule that is not there has been saved 0 times, and no rule is ever removed.
_SAVE = """
INSERT INTO etl.quality_rule AS kept
    (tenant, rule, check_kind, field, record_type, min, max, tolerated_share, severity, disabled)
SELECT $1::text, $2::text, $3::text, $4::text, $5::text, $6::float8, $7::float8, $8::float8, $9::text, $10::boolean
WHERE $11::bigint = coalesce((SELECT revision FROM etl.quality_rule WHERE tenant = $1 AND rule = $2), 0)
ON CONFLICT (tenant, rule) DO UPDATE
SET check_kind = excluded.check_kind, field = excluded.field, record_type = excluded.record_type,
    min = excluded.min, max = excluded.max, tolerated_share = excluded.tolerated_share,
    severity = excluded.severity, disabled = excluded.disabled,
    revision = kept.revision + 1, update_time = clock_timestamp()
WHERE kept.revision = $11
RETURNING revision
"""
_WEEKDAY_ROWS = """
SELECT rows_read FROM etl.day
WHERE tenant = $1 AND pipeline = 'daily-production' AND date = ANY ($2::date[]) AND publish_time IS NOT NULL
"""
_SOURCES = """
SELECT source, max(newest::float8) AS newest FROM etl.day, jsonb_each_text(sources) AS each (source, newest)
WHERE tenant = $1 AND pipeline = 'daily-production' AND date BETWEEN $2 AND $3 GROUP BY source
"""
