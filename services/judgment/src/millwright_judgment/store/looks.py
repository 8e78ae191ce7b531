"""Looks at executions for those that a filter lets through.

Few of many may be wanted, and no index leads to them: a statement looks at so many rows of a ruleset or a time, and at
no more.
"""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

from millwright_runtime.postgres.database import TENANT, Connection

from millwright_judgment.domain.executions import STATUSES, Filter, time_of

LOOKED_AT = 200_000
"""So many executions one statement looks at for those that a filter lets through: it ends in time, however few."""
ORDER = "ORDER BY judge_time DESC, execution DESC"
_LABELS = "ARRAY[" + ", ".join(f"'{status}'" for status in STATUSES) + "]"


class Look:
    """Which executions are looked at after one, by an index, and which of them are wanted."""

    def __init__(self, wanted: Filter, last: uuid.UUID | None = None) -> None:
        by_index = Filter(ruleset=wanted.ruleset, from_time=wanted.from_time, to_time=wanted.to_time)
        conditions, self.looked_values = _conditions(by_index)
        if last is not None:
            self.looked_values += [time_of(last), last]
            time, execution = len(self.looked_values) - 1, len(self.looked_values)
            # The first of the two is in the second, but it alone keeps days that were read from being looked at again.
            conditions += [f"judge_time <= ${time}", f"(judge_time, execution) < (${time}, ${execution})"]
        self.looked = f"FROM judgment.execution WHERE {' AND '.join([f'tenant = {TENANT}', *conditions])}"
        rest = replace(wanted, ruleset=None, from_time=None, to_time=None)
        narrow, more = _conditions(rest, len(self.looked_values))
        self.values = [*self.looked_values, *more]
        self.narrow = " AND ".join(narrow)
        """Empty if all that are looked at are wanted."""

    async def end(self, connection: Connection, count: int) -> uuid.UUID | None:
        """Give the last of the `count` that are looked at; None if there are no more than those."""
        statement = f"SELECT execution {self.looked} {ORDER} OFFSET {count - 1} LIMIT 1"
        last: uuid.UUID | None = await connection.fetchval(statement, *self.looked_values)
        return last


def _conditions(wanted: Filter, before: int = 0) -> tuple[list[str], list[Any]]:
    """Give the conditions that say something, and their values: a planner sees only what matters.

    The values are numbered after `before` others.
    """
    conditions: list[str] = []
    values: list[Any] = []

    def add(condition: str, value: Any) -> None:
        values.append(value)
        conditions.append(condition.format(f"${before + len(values)}"))

    for column in ("ruleset", "version", "line", "product", "shift", "unit", "experiment", "winning_rule"):
        if (value := getattr(wanted, column)) is not None:
            add(f"{column} = {{}}", value)
    if wanted.from_time is not None:
        add("judge_time >= {}", wanted.from_time)
    if wanted.to_time is not None:
        add("judge_time < {}", wanted.to_time)
    if wanted.outcomes:
        add(f"coalesce(outcome, ({_LABELS})[status]) = ANY ({{}}::text[])", list(wanted.outcomes))
    return conditions, values
