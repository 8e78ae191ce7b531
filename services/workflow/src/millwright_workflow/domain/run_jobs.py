"""Run jobs: a rollback's run policy carried out instance by instance, and what became of each.

Owns what is done with an instance that has stopped at a boundary. Compares nothing itself: that is the interpreter's.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from millwright_workflow.domain.interpreter.compatibility import Compatibility
from millwright_workflow.domain.releases import RunPolicy

JOB_POLICIES = frozenset({RunPolicy.MIGRATE_COMPATIBLE, RunPolicy.FORK_FROM_COMMON})
"""The policies that a job carries out; the others need no more than a hold."""
_TOLD_OBSTACLES = 5
REASON_LIMIT = 1000


class JobState(Enum):
    """Where a job stands."""

    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    CANCELLED = "CANCELLED"
    """What it has stopped and not dealt with is let go again, on the version that was left."""


class OutcomeKind(Enum):
    """What became of an instance."""

    MIGRATED = "MIGRATED"
    FORKED = "FORKED"
    PAUSED = "PAUSED"
    CANCELLED = "CANCELLED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class RunJob:
    """The order that a rollback gave."""

    run_job: uuid.UUID
    workflow: str
    channel: str
    version: int
    """The one that was left."""
    target_version: int
    revision: int
    """Of the rollback."""
    run_policy: RunPolicy
    state: JobState
    total: int
    create_time: datetime
    end_time: datetime | None = None
    counts: Mapping[OutcomeKind, int] | None = None

    def count(self, kind: OutcomeKind) -> int:
        """Give of how many instances that became."""
        return (self.counts or {}).get(kind, 0)

    @property
    def ended(self) -> int:
        """Give how many ended by themselves, or were stopped by somebody else; known once the job has completed."""
        return max(0, self.total - sum((self.counts or {}).values())) if self.state is JobState.COMPLETED else 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one instance."""

    instance: uuid.UUID
    kind: OutcomeKind
    reason: str
    successor: uuid.UUID | None
    outcome_time: datetime


@dataclass(frozen=True, slots=True)
class Resolution:
    """What is done with an instance that the job has stopped."""

    kind: OutcomeKind
    reason: str = ""


def resolve(policy: RunPolicy, compatibility: Compatibility, *, bad_reason: str | None, has_parent: bool) -> Resolution:
    """Decide about an instance: it migrates, is forked, or stays paused with the reason.

    Nothing goes on on a version that is marked bad, and no child is forked: its parent waits for it, by its id.
    """
    if bad_reason is not None:
        return Resolution(OutcomeKind.PAUSED, f"The target version is marked bad: {bad_reason}"[:REASON_LIMIT])
    if policy is RunPolicy.MIGRATE_COMPATIBLE:
        if compatibility.is_compatible:
            return Resolution(OutcomeKind.MIGRATED)
        return Resolution(OutcomeKind.PAUSED, _told(compatibility))
    if has_parent:
        return Resolution(OutcomeKind.PAUSED, "Another instance waits for it, and would not know its successor.")
    return Resolution(OutcomeKind.FORKED, _told(compatibility))


def _told(compatibility: Compatibility) -> str:
    obstacles = compatibility.obstacles
    told = [
        f"{obstacle.reference} {obstacle.hindrance}" + (f" at {obstacle.pointer}" if obstacle.pointer else "")
        for obstacle in obstacles[:_TOLD_OBSTACLES]
    ]
    if len(obstacles) > _TOLD_OBSTACLES:
        told.append(f"and {len(obstacles) - _TOLD_OBSTACLES} more")
    return "; ".join(told)[:REASON_LIMIT]
