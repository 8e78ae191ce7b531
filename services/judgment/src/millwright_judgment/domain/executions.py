"""Executions: judgments that were made, as they are kept, and their ids.

An id is a UUID of version 7 (RFC 9562): its first 48 bits are the milliseconds of its judgment, and the next 12 a
fraction of a millisecond. So ids rise with time, and an id alone tells which day's partition holds its row.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from millwright_judgment.domain.evaluation.decisions import Status

ENGINE_VERSION = "1"
"""Of the evaluating code: it rises with each change that can make an old input come out otherwise."""
STATUSES = (Status.DECIDED, Status.INDETERMINATE, Status.NO_MATCH)
"""The statuses; a row holds the place here, from 1."""

STATUS_NUMBERS = {status: number for number, status in enumerate(STATUSES, 1)}

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND_NANOSECONDS = 1_000_000
_TIME_BITS = 48
_LAST_MILLISECOND = 253_402_300_799_999
"""Of the year 9999; ids that somebody has made up may say more."""


class Segment(NamedTuple):
    """Where and when the judged thing was made; None for what is not known."""

    line: str | None = None
    product: str | None = None
    shift: str | None = None
    unit: str | None = None


class Execution(NamedTuple):
    """A judgment that was made: what its row holds, in the order of the columns."""

    tenant: str
    execution: uuid.UUID
    judge_time: datetime
    ruleset: str
    version: int
    channel: str | None
    """None if the version was named."""
    input: str
    """The input as it was judged, as canonical JSON: numbers rounded, defaults filled in, keys in order."""
    input_hash: bytes
    """The first 16 bytes of that text's SHA-256."""
    status: int
    outcome: str | None
    confidence: float
    winning_rule: str | None
    matched: bytes
    outputs: str
    """The further outputs, as JSON."""
    actions: str | None
    """What was recommended, as JSON: a code and a priority each, the most urgent first; None for nothing."""
    line: str | None
    product: str | None
    shift: str | None
    unit: str | None
    event_time: datetime
    caller: str
    experiment: str | None
    arm: str | None
    engine_version: str


@dataclass(frozen=True, slots=True)
class Filter:
    """Which executions; None for all."""

    ruleset: str | None = None
    version: int | None = None
    from_time: datetime | None = None
    to_time: datetime | None = None
    outcomes: Sequence[str] = ()
    """INDETERMINATE and NO_MATCH count as such."""
    line: str | None = None
    product: str | None = None
    shift: str | None = None
    unit: str | None = None
    experiment: str | None = None
    winning_rule: str | None = None


def new_id(time_ns: int) -> uuid.UUID:
    """Give an id for a judgment at `time_ns` since 1970; of one process they rise with it."""
    milliseconds, rest = divmod(time_ns, _MILLISECOND_NANOSECONDS)
    fraction = (rest << 12) // _MILLISECOND_NANOSECONDS
    chance = int.from_bytes(os.urandom(8)) >> 2
    return uuid.UUID(int=milliseconds << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62 | chance)


def time_of(execution: uuid.UUID) -> datetime:
    """Give when an execution was judged, to the millisecond, by its id; any UUID gives some time."""
    milliseconds = execution.int >> 128 - _TIME_BITS
    return _EPOCH + timedelta(milliseconds=min(milliseconds, _LAST_MILLISECOND))
