"""A data set as it is kept, and how its file is written.

A data set is a name for a content. A content is known by its hash, and never changes: the same file, read the same way
by the same schema, is one content, whatever it is called and however often it is sent.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import orjson

KEPT = timedelta(days=30)
"""How long a data set is kept after it was uploaded last."""
MOST_DATASETS = 100
"""Of a tenant."""
MOST_BYTES = 256 * 1024 * 1024
MOST_ROWS = 10_000_000
MOST_COLUMNS = 1_000
MOST_FAULTS = 100
EXAMPLES = 5
SEGMENTS = ("line", "product", "shift", "unit")


class Format(StrEnum):
    """How a file is written."""

    CSV = "CSV"
    PARQUET = "PARQUET"


class Encoding(StrEnum):
    """How the texts of a CSV file are written, as Python calls it."""

    UTF8 = "utf-8"
    CP949 = "cp949"


class Misfit(StrEnum):
    """What is wrong with rows of a file, beside what can be wrong with an input."""

    CELL_COUNT = "CELL_COUNT"
    UNREADABLE_TEXT = "UNREADABLE_TEXT"
    UNKNOWN_OUTCOME = "UNKNOWN_OUTCOME"


class UnreadableFile(Exception):
    """A file that is none of its format, or that cannot be used as it is; it says why."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How a file is to be read."""

    format: Format
    encoding: Encoding = Encoding.UTF8
    segments: Mapping[str, str] = field(default_factory=dict)
    """The columns with line, product, shift and unit, as far as they are named."""
    expected: str = ""
    """The column that says which outcome is expected; empty if there is none."""

    def to_json(self) -> dict[str, Any]:
        """Give it as a child process is told."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Manner:
        """Read what `to_json` wrote."""
        return cls(Format(value["format"]), Encoding(value["encoding"]), value["segments"], value["expected"])


@dataclass(frozen=True, slots=True)
class Fault:
    """A reason for which rows were left out."""

    column: str
    """Empty for what is wrong with whole rows."""
    code: str
    rows: int
    examples: tuple[int, ...]
    """The numbers of the first ones."""


@dataclass(frozen=True, slots=True)
class Content:
    """What a file came to."""

    content: bytes
    """Its hash."""
    ruleset: str
    version: int
    """Whose schema it was read by."""
    digest: bytes
    """The SHA-256 of the file."""
    bytes: int
    rows: int
    rejected_rows: int
    ignored_columns: tuple[str, ...]
    faults: tuple[Fault, ...]
    expected_column: str


@dataclass(frozen=True, slots=True)
class Dataset:
    """A data set."""

    dataset: str
    content: Content
    creator: str
    create_time: datetime


def content_hash(ruleset_hash: str, manner: Manner, digest: bytes) -> bytes:
    """Give the hash of what a file comes to: of the file, of how it is read, and of what it is held against."""
    read = orjson.dumps([ruleset_hash, manner.to_json()], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(hashlib.sha256(read).digest() + digest).digest()
