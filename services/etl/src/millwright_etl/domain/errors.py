"""What the etl service refuses. The docstring is the message, the class name the reason."""

from __future__ import annotations

from millwright_runtime.errors import Aborted, FailedPrecondition, InvalidArgument, NotFound


class StreamNotFound(NotFound):
    """Nothing was acknowledged under the stream id {stream_id} in the last 7 days. Begin at offset 0."""


class StreamTakenOver(Aborted):
    """Another client goes on with the stream {stream_id}."""


class OffsetNotNext(InvalidArgument):
    """The offset {offset} is not the next one of the stream {stream_id}, {next_offset}."""


class EtagMismatch(Aborted):
    """{resource} is not as your etag says. Read it again, and decide anew."""


class TooManyQualityRules(FailedPrecondition):
    """This plant has {most} quality rules, and cannot have more. Change one of them."""


class PipelineNotFound(NotFound):
    """There is no pipeline {pipeline}. There is daily-production."""


class RunNotFound(NotFound):
    """There is no run {run}."""


class RecordNotFound(NotFound):
    """No quarantined row {record} is open. A run may have used it by now, or its source has sent a newer one."""
