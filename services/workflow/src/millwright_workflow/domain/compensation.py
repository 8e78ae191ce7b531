"""Compensation: how far the undoing of what an instance has done is. Which tasks are undone is the interpreter's."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from millwright_workflow.domain.interpreter.effects import WorkflowError


class CompensationState(Enum):
    """Where a compensation stands."""

    REQUESTED = "REQUESTED"
    """The instance still runs; its worker will stop it and begin."""
    RUNNING = "RUNNING"
    STOPPING = "STOPPING"
    """Somebody wants it stopped where it is."""
    STOPPED = "STOPPED"
    """An undo faulted, or it was stopped: some tasks may be undone, and a retry undoes the others."""
    COMPLETED = "COMPLETED"


@dataclass(frozen=True, slots=True)
class Compensation:
    """The undoing of what one instance has done. An instance that has one past REQUESTED never goes forward again."""

    state: CompensationState
    cause: WorkflowError | None = None
    """What made it necessary, and what the instance ends with; None while it is only asked for."""

    @property
    def has_begun(self) -> bool:
        """Tell whether something may be undone already."""
        return self.state is not CompensationState.REQUESTED
