"""Drafts of rulesets, in Postgres. An etag is the draft's revision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

import asyncpg
from millwright_runtime.postgres.database import TENANT, Connection

from millwright_judgment.domain.errors import DraftNotFound


class DraftState(Enum):
    """Where a draft stands."""

    DRAFT = "DRAFT"
    VALIDATED = "VALIDATED"
    PUBLISHED = "PUBLISHED"


@dataclass(frozen=True, slots=True)
class Draft:
    """A draft's row."""

    ruleset: str
    draft: str
    document: str
    state: DraftState
    gate_report: str
    """As JSON; empty where there is none of this content."""
    revision: int
    updater: str
    create_time: datetime
    update_time: datetime

    @property
    def etag(self) -> str:
        """Give what changes with every change."""
        return str(self.revision)


async def insert(
    connection: Connection, tenant: str, ruleset: str, draft: str, document: str, actor: str
) -> Draft | None:
    """Write a new draft; give nothing if there is one of this name."""
    row = await connection.fetchrow(_INSERT, tenant, ruleset, draft, document, actor)
    return _draft(row) if row else None


async def update(
    connection: Connection, ruleset: str, draft: str, revision: int, document: str, actor: str
) -> Draft | None:
    """Change a draft that stands at `revision`; give nothing if it does not."""
    row = await connection.fetchrow(_UPDATE, ruleset, draft, revision, document, actor)
    return _draft(row) if row else None


async def note_gate(
    connection: Connection, ruleset: str, draft: str, revision: int, state: DraftState, gate_report: str
) -> Draft | None:
    """Note what the gate said of a draft that stands at `revision`; give nothing if it does not any more."""
    row = await connection.fetchrow(_NOTE_GATE, ruleset, draft, revision, state.value, gate_report)
    return _draft(row) if row else None


async def find(connection: Connection, ruleset: str, draft: str) -> Draft | None:
    """Give a draft, if it is there."""
    row = await connection.fetchrow(f"{_SELECT} AND ruleset = $1 AND draft = $2", ruleset, draft)
    return _draft(row) if row else None


async def get(connection: Connection, ruleset: str, draft: str) -> Draft:
    """Give a draft; raise DraftNotFound."""
    found = await find(connection, ruleset, draft)
    if found is None:
        raise DraftNotFound(ruleset=ruleset, draft=draft)
    return found


async def page(connection: Connection, ruleset: str | None, after: tuple[str, str], limit: int) -> Sequence[Draft]:
    """Give at most `limit` drafts by ruleset and name, after the place `after`."""
    return [_draft(row) for row in await connection.fetch(_PAGE, ruleset, *after, limit)]


async def delete(connection: Connection, ruleset: str, draft: str) -> None:
    """Remove a draft, if it is there."""
    await connection.execute(_DELETE, ruleset, draft)


async def forget_published(connection: Connection, limit: int) -> int:
    """Remove at most `limit` drafts that were published a day ago, of every tenant; give how many."""
    return len(await connection.fetch(_FORGET, limit))


def _draft(row: asyncpg.Record) -> Draft:
    return Draft(**{**dict(row), "state": DraftState(row["state"])})


_COLUMNS = "ruleset, draft, document, state, gate_report, revision, updater, create_time, update_time"
_INSERT = f"""
INSERT INTO judgment.draft (tenant, ruleset, draft, document, updater) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT DO NOTHING RETURNING {_COLUMNS}
"""
_UPDATE = f"""
UPDATE judgment.draft
SET document = $4, updater = $5, state = 'DRAFT', gate_report = '', revision = revision + 1,
    update_time = clock_timestamp()
WHERE tenant = {TENANT} AND ruleset = $1 AND draft = $2 AND revision = $3 RETURNING {_COLUMNS}
"""
_NOTE_GATE = f"""
UPDATE judgment.draft
SET state = $4, gate_report = $5, revision = revision + 1, update_time = clock_timestamp()
WHERE tenant = {TENANT} AND ruleset = $1 AND draft = $2 AND revision = $3 RETURNING {_COLUMNS}
"""
_SELECT = f"SELECT {_COLUMNS} FROM judgment.draft WHERE tenant = {TENANT}"
_PAGE = f"""
{_SELECT} AND ($1::text IS NULL OR ruleset = $1) AND (ruleset, draft) > ($2, $3) ORDER BY ruleset, draft LIMIT $4
"""
_DELETE = f"DELETE FROM judgment.draft WHERE tenant = {TENANT} AND ruleset = $1 AND draft = $2"
_FORGET = """
DELETE FROM judgment.draft WHERE (tenant, ruleset, draft) IN (
    SELECT tenant, ruleset, draft FROM judgment.draft
    WHERE state = 'PUBLISHED' AND update_time < clock_timestamp() - interval '1 day' LIMIT $1
) RETURNING 1
"""
