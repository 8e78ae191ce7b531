"""Comparison: how deep a change of one judgment goes."""

from __future__ import annotations

from enum import IntEnum

from millwright_judgment.domain.evaluation.decisions import Decision

ERROR = "ERROR"
"""What an input that is refused counts as. No outcome is called that: theirs are lower case."""


class Change(IntEnum):
    """How deep a change goes, numbered as the contract does."""

    NONE = 1
    RULE = 2
    """Another rule decided, with the same result."""
    DETAIL = 3
    """The same outcome, with another confidence, other actions or other outputs."""
    OUTCOME = 4
    """Another outcome, or one where there was none."""
    ERROR = 5
    """The input is refused, and was not before: nothing can be said of its outcome."""
    NOT_REPRODUCIBLE = 6


def label_of(decision: Decision | None) -> str:
    """Give what a judgment counts as; None is one that was refused."""
    return decision.label if decision else ERROR


def change_of(before: Decision | None, after: Decision | None, tolerance: float = 0.0) -> Change:
    """Tell how deep a change goes. Confidences that differ by no more than `tolerance` are the same."""
    if after is None:
        return Change.NONE if before is None else Change.ERROR
    if before is None or before.label != after.label:
        return Change.OUTCOME
    if not _has_same_detail(before, after, tolerance):
        return Change.DETAIL
    return Change.NONE if before.rule == after.rule else Change.RULE


def is_alike(change: Change, one: Decision | None, other: Decision | None) -> bool:
    """Tell whether two judgments are the same as far as a change of that depth is concerned."""
    if label_of(one) != label_of(other):
        return False
    if change in (Change.OUTCOME, Change.ERROR) or one is None or other is None:
        return True
    if one.detail != other.detail:
        return False
    return change is Change.DETAIL or one.rule == other.rule


def _has_same_detail(before: Decision, after: Decision, tolerance: float) -> bool:
    if before.detail == after.detail:
        return True
    return before.detail[1:] == after.detail[1:] and abs(before.confidence - after.confidence) <= tolerance
