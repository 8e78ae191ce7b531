"""Quarantine: rows that could not be used, why, and what people do about them.

`docs/architecture/quarantine-states.md` draws their states.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from types import MappingProxyType

from millwright_runtime.json import Json

MOST_RECORDS = 1000
"""That are dealt with in one call."""
NOTE_CHARACTERS = 1000


class State(StrEnum):
    """Where a quarantined row stands."""

    OPEN = "OPEN"
    FIXED = "FIXED"
    IGNORED = "IGNORED"
    SUPERSEDED = "SUPERSEDED"


class Happening(StrEnum):
    """What moves a quarantined row."""

    REFUSED = "REFUSED"
    USED = "USED"
    IGNORED = "IGNORED"
    REPLACED = "REPLACED"


TRANSITIONS: Mapping[tuple[State, State], Happening] = MappingProxyType(
    {
        (State.OPEN, State.OPEN): Happening.REFUSED,
        (State.OPEN, State.FIXED): Happening.USED,
        (State.OPEN, State.IGNORED): Happening.IGNORED,
        (State.OPEN, State.SUPERSEDED): Happening.REPLACED,
        (State.FIXED, State.OPEN): Happening.REFUSED,
        (State.SUPERSEDED, State.OPEN): Happening.REFUSED,
    }
)
"""Every move that a quarantined row can make, with what moves it. Statements make them, of many rows at once."""


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A revision of a row that could not be used."""

    id: uuid.UUID
    date: date | None
    source_type: str
    source_system: str
    record_type: str
    external_id: str
    payload: str
    """As it was landed, JSON."""
    event_time: datetime
    source_time: datetime
    reasons: Sequence[Mapping[str, str]]
    state: State
    corrections: Mapping[str, Json]
    note: str
    actor: str
    run: uuid.UUID
    create_time: datetime
    update_time: datetime


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which quarantined rows are looked for."""

    state: State
    from_date: date | None
    to_date: date | None
    code: str
    """Of a reason; empty for all."""


@dataclass(frozen=True, slots=True)
class Redrive:
    """A row that is sent through again."""

    id: uuid.UUID
    corrections: Mapping[str, Json]
    """Fields of the payload; null takes one away."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who deals with rows, and what they note."""

    subject: str
    note: str
