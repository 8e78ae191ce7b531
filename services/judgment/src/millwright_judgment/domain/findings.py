"""Findings: what is wrong with a ruleset, or worth a look, each with its place.

Owns the codes and how a place is written. Knows nothing of how things are found.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Code(StrEnum):
    """What was found."""

    # The text and its JSON.
    DOCUMENT_TOO_LARGE = "DOCUMENT_TOO_LARGE"
    DOCUMENT_TOO_DEEP = "DOCUMENT_TOO_DEEP"
    MALFORMED_JSON = "MALFORMED_JSON"
    DUPLICATE_KEY = "DUPLICATE_KEY"
    MISSING_KEY = "MISSING_KEY"
    UNKNOWN_KEY = "UNKNOWN_KEY"
    WRONG_TYPE = "WRONG_TYPE"
    INVALID_VALUE = "INVALID_VALUE"
    TOO_MANY = "TOO_MANY"
    # The schema.
    DUPLICATE_FIELD = "DUPLICATE_FIELD"
    # The graph.
    FORBIDDEN_NODE = "FORBIDDEN_NODE"
    BROKEN_GRAPH = "BROKEN_GRAPH"
    INVALID_HIT_POLICY = "INVALID_HIT_POLICY"
    UNKNOWN_COLUMN = "UNKNOWN_COLUMN"
    UNKNOWN_FIELD = "UNKNOWN_FIELD"
    DUPLICATE_COLUMN = "DUPLICATE_COLUMN"
    DUPLICATE_RULE = "DUPLICATE_RULE"
    OUTCOME_MISSING = "OUTCOME_MISSING"
    # The cells.
    CELL_SYNTAX = "CELL_SYNTAX"
    CELL_TYPE = "CELL_TYPE"
    CELL_TOO_LONG = "CELL_TOO_LONG"
    CELL_OUT_OF_RANGE = "CELL_OUT_OF_RANGE"
    # What the analysis finds in a ruleset that can be read. Whether one of these blocks is the ruleset's to say.
    EXAMPLE_FAILED = "EXAMPLE_FAILED"
    GAP = "GAP"
    OVERLAP = "OVERLAP"
    SHADOWED_ROW = "SHADOWED_ROW"
    UNREACHABLE_ROW = "UNREACHABLE_ROW"
    UNDECIDED = "UNDECIDED"
    REPLAY_CHANGED = "REPLAY_CHANGED"
    REPLAY_REFUSED = "REPLAY_REFUSED"
    REPLAY_RELAXED = "REPLAY_RELAXED"
    # Executions could have been replayed, and were not. It blocks where one of the two above would.
    NOT_REPLAYED = "NOT_REPLAYED"

    @property
    def is_judgeable(self) -> bool:
        """Tell whether the ruleset names this if it is to block publication."""
        return self in ANALYSIS


ANALYSIS = frozenset(
    {
        Code.EXAMPLE_FAILED,
        Code.GAP,
        Code.OVERLAP,
        Code.SHADOWED_ROW,
        Code.UNREACHABLE_ROW,
        Code.UNDECIDED,
        Code.REPLAY_CHANGED,
        Code.REPLAY_REFUSED,
        Code.REPLAY_RELAXED,
    }
)
REPLAYED = frozenset({Code.REPLAY_CHANGED, Code.REPLAY_REFUSED, Code.REPLAY_RELAXED})
"""What only a replay finds."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something found in a ruleset."""

    code: Code
    pointer: str
    """The JSON pointer (RFC 6901) of the place in the document."""
    message: str
    table: str = ""
    """The table's name, where it is about a table."""
    rule: str = ""
    """The rule's id, where it is about a rule."""
    field: str = ""
    """The column's field, where it is about a cell."""
    example: str = ""
    """An input that shows it, as JSON."""


def pointer(steps: Iterable[str | int]) -> str:
    """Write a path as a JSON pointer; no steps point to the whole document."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)
