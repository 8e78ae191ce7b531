"""Causes as they are kept in a tally, as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from millwright_judgment.domain.difference.causes import Cause, CauseKind, Flip
from millwright_judgment.domain.difference.edits import Edit, EditKind
from millwright_judgment.domain.input.changes import InputChange


def of_cause(cause: Cause) -> dict[str, Any]:
    """Give a cause as JSON."""
    return {
        "kind": str(cause.kind),
        "minimalEdits": [asdict(edit) for edit in cause.minimal_edits],
        "inputChanges": [change.to_json() for change in cause.input_changes],
        "necessaryEdits": [asdict(edit) for edit in cause.necessary_edits],
        "flips": [asdict(flip) for flip in cause.flips],
    }


def to_cause(value: Mapping[str, Any]) -> Cause:
    """Read what `of_cause` wrote."""
    return Cause(
        CauseKind(value["kind"]),
        tuple(_edit(each) for each in value["minimalEdits"]),
        tuple(InputChange.from_json(each) for each in value["inputChanges"]),
        tuple(_edit(each) for each in value["necessaryEdits"]),
        tuple(Flip(**each) for each in value["flips"]),
    )


def _edit(value: Mapping[str, Any]) -> Edit:
    return Edit(**{**value, "kind": EditKind(value["kind"])})
