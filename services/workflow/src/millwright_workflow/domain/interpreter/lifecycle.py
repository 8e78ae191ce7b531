"""What happens to the tasks of a walk, for whoever watches: begun, finished, failed, tried again, cancelled, suspended.

Owns the derivation of these changes from the effects of a walk. Is made only where somebody watches; a walk without it
costs nothing more.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from millwright_workflow.domain.interpreter.effects import (
    Begin,
    Commit,
    Effect,
    Fail,
    Retry,
    TaskReference,
    WorkflowError,
)


class Change(StrEnum):
    """What can happen to a task, in the words of the specification's lifecycle events."""

    STARTED = "started"
    RESUMED = "resumed"
    COMPLETED = "completed"
    FAULTED = "faulted"
    RETRIED = "retried"
    CANCELLED = "cancelled"
    SUSPENDED = "suspended"


@dataclass(frozen=True, slots=True)
class TaskChange:
    """One change of one task."""

    reference: str
    change: Change
    error: WorkflowError | None = None


@dataclass(slots=True)
class Lifecycle:
    """The tasks of one walk that have begun and not ended."""

    begun: frozenset[str] = frozenset()
    """What began in earlier walks of the instance: to begin again is to be resumed."""
    _open: dict[str, TaskReference] = field(default_factory=dict)

    def observe(self, effect: Effect, answer: Any = None) -> TaskChange | None:
        """Give the change that an effect means, once it is carried out; `answer` is what it sends back.

        The walk must be watched, or failures go unseen. A task that is skipped changes nothing.
        """
        match effect:
            case Begin(reference=reference):
                text = str(reference)
                self._open[text] = reference
                return TaskChange(text, Change.RESUMED if text in self.begun else Change.STARTED)
            case Commit(result=result) if not result.is_skipped:
                self._open.pop(result.reference, None)
                return TaskChange(result.reference, Change.COMPLETED)
            case Fail(reference=reference, error=error):
                self._open.pop(str(reference), None)
                return TaskChange(str(reference), Change.FAULTED, error)
            case Retry(failure=failure) if answer:
                return TaskChange(failure.reference, Change.RETRIED, failure.error)
        return None

    def cancel(self, inside: TaskReference | None = None, *, is_whole: bool = False) -> list[TaskChange]:
        """Give the changes of a part that was closed, innermost first: what was open in it is cancelled.

        `inside` is the reference of its `Within`, whose own task goes on to fail; of its `Branch`, `is_whole`, for the
        branch's task is cancelled too. None is the whole walk.
        """
        closed = [
            text
            for text, reference in self._open.items()
            if inside is None or _is_part(reference, inside) or (is_whole and reference == inside)
        ]
        for text in closed:
            del self._open[text]
        return [TaskChange(text, Change.CANCELLED) for text in reversed(closed)]

    def suspend(self) -> list[TaskChange]:
        """Give the changes of a walk that stops to go on later, innermost first."""
        return [TaskChange(text, Change.SUSPENDED) for text in reversed(self._open)]


def _is_part(inner: TaskReference, outer: TaskReference) -> bool:
    """Tell whether one open task is part of what stands at another reference; both are of one moment of one walk."""
    rounds = len(outer.iterations)
    return inner.pointer.startswith(f"{outer.pointer}/") and inner.iterations[:rounds] == outer.iterations
