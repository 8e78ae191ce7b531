"""What a run job does with an instance that it has stopped."""

import uuid
from datetime import UTC, datetime

import pytest
from millwright_workflow.domain.interpreter.compatibility import Compatibility, Hindrance, Obstacle
from millwright_workflow.domain.interpreter.effects import History
from millwright_workflow.domain.releases import RunPolicy
from millwright_workflow.domain.run_jobs import JobState, OutcomeKind, RunJob, resolve

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
SAME = Compatibility((), History())
OTHER = Compatibility((Obstacle("/do/0/one", Hindrance.CHANGED, "/do/1/one"),), History())
MIGRATE, FORK = RunPolicy.MIGRATE_COMPATIBLE, RunPolicy.FORK_FROM_COMMON
MIGRATED, FORKED, PAUSED = OutcomeKind.MIGRATED, OutcomeKind.FORKED, OutcomeKind.PAUSED

CASES = [
    (MIGRATE, SAME, None, False, MIGRATED, ""),
    (MIGRATE, SAME, None, True, MIGRATED, ""),
    (MIGRATE, OTHER, None, False, PAUSED, "/do/0/one CHANGED at /do/1/one"),
    (MIGRATE, SAME, "it smokes", False, PAUSED, "The target version is marked bad: it smokes"),
    (FORK, SAME, None, False, FORKED, ""),
    (FORK, OTHER, None, False, FORKED, "/do/0/one CHANGED at /do/1/one"),
    (FORK, SAME, None, True, PAUSED, "Another instance waits for it, and would not know its successor."),
    (FORK, OTHER, "it smokes", False, PAUSED, "The target version is marked bad: it smokes"),
]


@pytest.mark.parametrize(("policy", "compatibility", "bad_reason", "has_parent", "kind", "reason"), CASES)
def test_an_instance_becomes(policy, compatibility, bad_reason, has_parent, kind, reason):
    resolution = resolve(policy, compatibility, bad_reason=bad_reason, has_parent=has_parent)
    assert (resolution.kind, resolution.reason) == (kind, reason)


def test_of_many_obstacles_five_are_told():
    obstacles = tuple(Obstacle(f"/do/{n}/{'x' * 300}", Hindrance.REMOVED, None) for n in range(8))
    reason = resolve(MIGRATE, Compatibility(obstacles[:7], History()), bad_reason=None, has_parent=False).reason
    assert len(reason) == 1000
    short = tuple(Obstacle(f"/do/{n}/a", Hindrance.REMOVED, None) for n in range(7))
    reason = resolve(MIGRATE, Compatibility(short, History()), bad_reason=None, has_parent=False).reason
    assert reason.endswith("/do/4/a REMOVED; and 2 more")


@pytest.mark.parametrize(("state", "ended"), [(JobState.RUNNING, 0), (JobState.COMPLETED, 2), (JobState.CANCELLED, 0)])
def test_who_ended_by_themselves_is_known_once_the_job_has_completed(state, ended):
    counts = {MIGRATED: 5, PAUSED: 1}
    job = RunJob(uuid.UUID(int=1), "plant.line", "prod", 2, 1, 7, MIGRATE, state, 8, NOW, NOW, counts)
    assert job.ended == ended
