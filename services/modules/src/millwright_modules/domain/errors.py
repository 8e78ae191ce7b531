"""What the modules service refuses, each by a name of its own; the docstring is what the caller reads."""

from __future__ import annotations

from collections.abc import Sequence

from millwright_runtime.errors import (
    Aborted,
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    ResourceExhausted,
    Violation,
)


class PackageTooLarge(InvalidArgument):
    """The package has {total_bytes} bytes; at most {limit} are taken."""


class OffsetMismatch(InvalidArgument):
    """The piece begins at {offset}, and the upload ends at {expected_offset}. Go on from there."""


class SizeMismatch(InvalidArgument):
    """The upload was announced with {total_bytes} bytes, and more came."""


class DigestMismatch(InvalidArgument):
    """The bytes have the SHA-256 {found}, not {expected}. The upload is empty again: send it from its beginning."""


class InvalidSettings(InvalidArgument):
    """The settings have {count} fault(s). First: {first}"""

    def __init__(self, faults: Sequence[Violation]) -> None:
        self._faults = tuple(faults)
        super().__init__(count=len(self._faults), first=f"{faults[0].field or '/'}: {faults[0].description}")

    @property
    def violations(self) -> Sequence[Violation]:
        """Give every fault, with its JSON pointer as the field."""
        return self._faults


class UploadNotFound(NotFound):
    """There is no upload {upload}, or it was not touched for a day and no version of it is kept."""


class OperationNotFound(NotFound):
    """There is no operation {operation}."""


class ModuleNotFound(NotFound):
    """There is no module {module}."""


class VersionNotFound(NotFound):
    """There is no version {version} of {module}, or it is not kept any more."""


class AssetNotFound(NotFound):
    """Version {version} of {module} has no file {path}."""


class KeyNotFound(NotFound):
    """There is no signing key {key}."""


class KeyExists(AlreadyExists):
    """The id {key} is taken by another key."""


class TooManyUploads(ResourceExhausted):
    """{count} uploads are not whole; at most {limit} may be. Finish one, or wait a day."""

    retry_seconds = None


class UploadsTooLarge(ResourceExhausted):
    """{kept_bytes} bytes are uploaded and not installed; {total_bytes} more are over {limit}. Wait a day."""

    retry_seconds = None


class UploadIncomplete(FailedPrecondition):
    """{missing_bytes} bytes of {upload} are missing. Send them first."""


class OperationPastCancel(FailedPrecondition):
    """{operation} is going live. Roll the module back instead."""


class NoRollbackTarget(FailedPrecondition):
    """No version of {module} was live before that is still kept."""


class NotInstalled(FailedPrecondition):
    """{module} is not installed."""


class NotEnabled(FailedPrecondition):
    """{module} is served to nobody: it is disabled or not installed."""


class Dependents(FailedPrecondition):
    """{dependents} need(s) {module}. Change what needs it first, or, to take all of it out, send a plan's token."""


class DependencyMissing(FailedPrecondition):
    """{module} needs {dependencies}, which is not enabled in a version that serves."""


class PlanOutdated(FailedPrecondition):
    """Things have changed since the plan was made, or it is none of this. Make a new one."""


class OperationUnderWay(Aborted):
    """Something else is being done to {module}: {operation}."""


class GenerationMismatch(Aborted):
    """{module} is at generation {generation}, not {expected_generation}. Read it again."""


class EtagMismatch(Aborted):
    """{resource} is not as the etag says: it was changed. Read it again."""
