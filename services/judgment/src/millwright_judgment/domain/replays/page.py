"""Pages: executions as they are read for a replay, in columns."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import orjson
from numpy.typing import NDArray

from millwright_judgment.domain.input.columns import Column, TextColumn
from millwright_judgment.domain.input.decoding import decode, to_columns
from millwright_judgment.domain.ruleset.fields import Field

DIMENSIONS = ("line", "product", "shift")
"""What reports are split by."""
_DIGITS = 8
"""Of the largest number of a row."""
DATASET_VERSION = 0
"""What rows of a data set were judged with: no version."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What was recorded of the judgments."""

    status: NDArray[np.int16]
    outcome: TextColumn
    rule: TextColumn
    confidence: NDArray[np.float64]
    matched: bytes
    """The masks, one after another: each is as long as those of its version."""


class Inputs(Protocol):
    """The inputs of a page, however they were kept."""

    def columns(self, fields: Sequence[Field], rows: NDArray[np.intp]) -> dict[str, Column]:
        """Give the inputs of some rows, which were checked against these fields, in columns; what is absent is null."""
        ...

    def at(self, row: int) -> Mapping[str, object]:
        """Give one row's input."""
        ...


@dataclass(frozen=True, slots=True)
class Texts:
    """Inputs as JSON texts."""

    texts: Sequence[bytes]

    def columns(self, fields: Sequence[Field], rows: NDArray[np.intp]) -> dict[str, Column]:
        """Give the inputs of some rows in columns."""
        is_whole = len(rows) == len(self.texts)
        return to_columns(fields, decode(self.texts if is_whole else [self.texts[row] for row in rows.tolist()]))

    def at(self, row: int) -> Mapping[str, object]:
        """Give one row's input."""
        read: Mapping[str, object] = orjson.loads(self.texts[row])
        return read


@dataclass(frozen=True, slots=True)
class Page:
    """Executions, the newest first."""

    executions: NDArray[np.void]
    """Their ids, 16 bytes each; the numbers of rows of a data set."""
    versions: NDArray[np.int32]
    """What each was judged with; 0 for rows of a data set."""
    inputs: Inputs
    segments: Mapping[str, TextColumn]
    """By dimension, and the unit."""
    recorded: Recorded | None
    """None for rows of a data set."""
    expected: TextColumn | None = None
    """Which outcome each row of a data set says it should have; null where it says none."""

    @property
    def rows(self) -> int:
        """Give how many there are."""
        return len(self.executions)

    @property
    def milliseconds(self) -> NDArray[np.int64]:
        """Give when each was judged, since 1970."""
        return (self.executions.view(">u8")[::2] >> np.uint64(16)).astype(np.int64)

    @property
    def numbers(self) -> NDArray[np.int64]:
        """Give the numbers of rows of a data set."""
        return self.executions.view(">u8")[1::2].astype(np.int64)

    def name(self, row: int) -> str:
        """Give what one is known by: its id, or the number of a row of a data set. As texts they are in their order."""
        return self.names(np.array([row], dtype=np.intp))[0]

    def execution(self, row: int) -> uuid.UUID:
        """Give one execution's id."""
        return uuid.UUID(bytes=bytes(self.executions[row]))

    def names(self, rows: NDArray[np.intp]) -> list[str]:
        """Give what some are known by."""
        if self.recorded is None:
            return [f"{number:0{_DIGITS}d}" for number in self.numbers[rows].tolist()]
        digits = self.executions[rows].tobytes().hex()
        each = (digits[at : at + 32] for at in range(0, len(digits), 32))
        return [f"{it[:8]}-{it[8:12]}-{it[12:16]}-{it[16:20]}-{it[20:]}" for it in each]
