"""Making the facts of a window, and telling whether they may be published."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from millwright_runtime.postgres.database import Connection

from millwright_etl.domain import quality
from millwright_etl.domain.quality import Refusal, Result, Rule
from millwright_etl.domain.windows import Counts, Findings, Window, Written, discrepancies
from millwright_etl.store import quality_rules, windows


class Made(NamedTuple):
    """What came of making the facts of a window."""

    counts: Counts
    findings: Findings
    written: Written
    """What is in the facts by now."""
    quality: Sequence[Result]
    """What each quality rule found."""
    refusal: Refusal | None
    """Why the facts must not be published: the caller rolls them back."""


async def make(connection: Connection, window: Window, run: uuid.UUID, seconds: float, now: datetime) -> Made:
    """Make the facts of a window anew, and look whether they add up and meet the plant's quality rules.

    The caller holds the window's lock. `now` is the same for the whole run. With a refusal, the transaction must be
    rolled back: the facts are then as they were. What was wrong with rows is kept by `set_aside`, afterwards.
    """
    rules = quality.in_force(await quality_rules.read(connection, window.tenant))
    made = await windows.make_facts(connection, window, run, seconds, _of_rows(rules))
    history = await quality_rules.history(connection, window)
    found = quality.results(rules, made.counts, made.findings, history, window, now)
    refusal = quality.refusal(found)
    written = await windows.read_back(connection, window)
    if wrong := discrepancies(made.counts, written):
        refusal = Refusal("RECONCILIATION", "It does not add up: " + "; ".join(wrong))
    return Made(made.counts, made.findings, written, found, refusal)


async def set_aside(connection: Connection, window: Window, run: uuid.UUID, seconds: float) -> int:
    """Quarantine the rows of a window that is not published, so that people see why; give how many there are."""
    rules = quality.in_force(await quality_rules.read(connection, window.tenant))
    return await windows.set_aside(connection, window, run, seconds, _of_rows(rules))


def _of_rows(rules: Sequence[Rule]) -> list[Rule]:
    return [rule for rule in rules if rule.check.is_of_rows and not rule.disabled]
