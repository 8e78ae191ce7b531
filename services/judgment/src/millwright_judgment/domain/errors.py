"""What the judgment service refuses, each by a name of its own; the docstring is what the caller reads."""

from __future__ import annotations

from millwright_runtime.errors import (
    Aborted,
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    InvalidFields,
    NotFound,
    ResourceExhausted,
)


class InvalidRuleset(InvalidFields):
    """The ruleset has {count} fault(s). First: {first}"""


class InvalidInput(InvalidFields):
    """The input has {count} fault(s). First: {first}"""


class InvalidDataset(InvalidArgument):
    """The file cannot be used. {why}"""


class RequestIdReused(InvalidArgument):
    """The idempotency_key {idempotency_key} was used with another body. Use a new one for another input."""


class AnswerTooLarge(InvalidArgument):
    """The answer has {size_bytes} bytes; clients take {limit_bytes}. Send fewer inputs, or ask for `view` BASIC."""


class RulesetNotFound(NotFound):
    """There is no ruleset {ruleset}."""


class VersionNotFound(NotFound):
    """There is no version {version} of {ruleset}."""


class DraftNotFound(NotFound):
    """The ruleset {ruleset} has no draft {draft}."""


class ChannelNotFound(NotFound):
    """The ruleset {ruleset} has no channel {channel}. Promote a version to it first."""


class ExecutionNotFound(NotFound):
    """There is no execution {execution}, or it is no longer kept."""


class ReplayNotFound(NotFound):
    """There is no replay {replay}, or it is no longer kept."""


class DatasetNotFound(NotFound):
    """There is no data set {dataset}, or it is no longer kept."""


class ExperimentNotFound(NotFound):
    """There is no experiment {experiment}."""


class ArmNotFound(NotFound):
    """The experiment {experiment} has no arm {arm}."""


class SemverTaken(AlreadyExists):
    """{ruleset} has a version {semver} of other content, number {version}. Raise the document's version."""


class ExperimentExists(AlreadyExists):
    """There is, or was, an experiment {experiment}."""


class VersionBad(FailedPrecondition):
    """Version {version} of {ruleset} is marked bad: {bad_reason}"""


class VersionRetired(FailedPrecondition):
    """Version {version} of {ruleset} was taken out of use: {retire_reason}"""


class VersionInUse(FailedPrecondition):
    """Version {version} of {ruleset} is what channel {channel} points to. Roll that channel back instead."""


class ChannelFrozen(FailedPrecondition):
    """The channel {channel} of {ruleset} takes no automatic promotions until {freeze_time}."""


class NoRollbackTarget(FailedPrecondition):
    """The channel {channel} of {ruleset} never pointed to another version that is still good. Name a target_version."""


class ExperimentUnderWay(FailedPrecondition):
    """The experiment {experiment} runs on channel {channel} of {ruleset}. Stop it, promote its arm, or roll back."""


class ExperimentEnded(FailedPrecondition):
    """The experiment {experiment} has ended: {state}."""


class LastStep(FailedPrecondition):
    """The canary {experiment} is at its last step. Promote its arm, or stop it."""


class ArmIsControl(FailedPrecondition):
    """The arm {arm} has version {version}, which the channel {channel} points to already."""


class NotReproducible(FailedPrecondition):
    """Judging {execution} again by {version} does not give what was recorded, so that nothing explains it."""


class NothingSelected(FailedPrecondition):
    """The selection has no executions."""


class ReplayNotCompleted(FailedPrecondition):
    """The replay {replay} has no report: it is {state}."""


class RevisionMismatch(Aborted):
    """The channel {channel} of {ruleset} is at revision {revision}, not {expected_revision}. Read it again."""


class EtagMismatch(Aborted):
    """{resource} is not as the etag says: it was changed. Read it again."""


class UploadStalled(Aborted):
    """Nothing of the file came for {seconds} s. Send it again."""


class TooManyUploads(ResourceExhausted):
    """{limit} files are being taken in. Try again in a while."""


class TooManyDatasets(ResourceExhausted):
    """There are {limit} data sets already. Delete one that is not needed."""

    retry_seconds = None


class StoreBusy(ResourceExhausted):
    """Executions cannot be stored as fast as they come. Try again in {retry_seconds} s."""


class TooManyReplays(ResourceExhausted):
    """{count} replays have not ended; at most {limit} may be under way. Wait for one, or cancel it."""
