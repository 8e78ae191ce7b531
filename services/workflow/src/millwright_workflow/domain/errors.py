"""What the workflow service refuses, each by a name of its own; the docstring is what the caller reads."""

from __future__ import annotations

from collections.abc import Sequence

from millwright_runtime.errors import (
    Aborted,
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    InvalidFields,
    NotFound,
    PermissionDenied,
    Violation,
)

from millwright_workflow.domain.interpreter.compatibility import Obstacle


class InvalidDefinition(InvalidFields):
    """The definition has {count} fault(s). First: {first}"""


class InputTooLarge(InvalidArgument):
    """The input has {size} bytes; at most {limit} are taken."""


class WorkflowNotFound(NotFound):
    """There is no workflow {workflow}."""


class VersionNotFound(NotFound):
    """There is no version {version} of {workflow}."""


class ChannelNotFound(NotFound):
    """The workflow {workflow} has no channel {channel}. Promote a version to it first."""


class RunJobNotFound(NotFound):
    """There is no run job {run_job}."""


class InstanceNotFound(NotFound):
    """There is no instance {instance}."""


class SemverTaken(AlreadyExists):
    """{workflow} has a version {semver} of other content, number {version}. Raise document.version."""


class InstanceExists(AlreadyExists):
    """An instance {instance} exists already."""


class VersionBad(FailedPrecondition):
    """Version {version} of {workflow} is marked bad: {bad_reason}"""


class VersionInUse(FailedPrecondition):
    """Version {version} of {workflow} is what channel {channel} points to. Roll that channel back instead."""


class ChannelFrozen(FailedPrecondition):
    """Channel {channel} of {workflow} takes no automatic promotions until {freeze_time}, after a rollback."""


class CanaryUnderWay(FailedPrecondition):
    """Channel {channel} of {workflow} has a canary on version {version}. Step it to its end, abort it, or roll back."""


class CanaryIsStable(FailedPrecondition):
    """Channel {channel} of {workflow} points to version {version} already: there is nothing to try."""


class NoCanary(FailedPrecondition):
    """Channel {channel} of {workflow} has no canary."""


class NoRollbackTarget(FailedPrecondition):
    """Channel {channel} of {workflow} never pointed to another version that is still good. Name a target_version."""


class InstanceEnded(FailedPrecondition):
    """Instance {instance} has ended: it is {state}."""


class InstanceNotRunning(FailedPrecondition):
    """Instance {instance} is not running: it is {state}."""


class InstanceNotFaulted(FailedPrecondition):
    """Instance {instance} has nothing to retry: it is {state}."""


class InstanceCompensated(FailedPrecondition):
    """What instance {instance} did is undone, or some of it: it cannot go on. Start another one."""


class NotCompatible(FailedPrecondition):
    """{count} finished task(s) differ in version {version}: fork from an earlier checkpoint. First: {first}"""

    def __init__(self, version: int, obstacles: Sequence[Obstacle]) -> None:
        self._violations = tuple(
            Violation(obstacle.reference, str(obstacle.hindrance).upper(), _hindered(obstacle))
            for obstacle in obstacles
        )
        super().__init__(version=version, count=len(obstacles), first=obstacles[0].reference)

    @property
    def violations(self) -> Sequence[Violation]:
        """Give each task that stands in the way."""
        return self._violations


def _hindered(obstacle: Obstacle) -> str:
    where = f" It stands at {obstacle.pointer} there." if obstacle.pointer else ""
    return f"The task is not the same in that version: {obstacle.hindrance}.{where}"


class CheckpointNotFound(NotFound):
    """Instance {instance} has no checkpoint {sequence}, or it is no longer kept."""


class InstanceNotPaused(FailedPrecondition):
    """Instance {instance} is not paused: it is {state}."""


class RevisionMismatch(Aborted):
    """Channel {channel} of {workflow} is at revision {revision}, not {expected_revision}. Read it and decide anew."""


class ApprovalNotFound(NotFound):
    """There is no approval {approval}."""


class ApprovalClosed(FailedPrecondition):
    """Approval {approval} takes no decision any more: it is {state}."""


class FunctionForbidden(PermissionDenied):
    """A workflow that calls {function} is for an administrator to publish; the token does not hold that role."""


class ApproverRoleMissing(PermissionDenied):
    """Approval {approval} is for the role {role} to decide; the token does not hold it."""


class StateTooLarge(InvalidArgument):
    """The state of item {item} has {size} bytes; at most {limit} are kept."""


class OutputTooLarge(InvalidArgument):
    """The output of item {item} has {size} bytes; at most {limit} are kept."""


class EventTooLarge(InvalidArgument):
    """The data of event {place} has {size} bytes; at most {limit} are taken."""
