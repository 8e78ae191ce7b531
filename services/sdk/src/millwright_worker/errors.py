"""What goes wrong between a worker and the service, and what a handler raises to say what went wrong with its task.

WorkerError
├── Failed      raised by a handler: the task cannot be done, and the workflow decides what then
├── Retry       raised by a handler: not now, but after a time
├── Stopped     raised to a handler: the task is not wanted any more, or another worker has it
└── Refused     raised to whoever runs the worker: the service does not take it, and trying again would not help
"""

from __future__ import annotations

LONGEST_RETRY_SECONDS = 7 * 24 * 3600


class WorkerError(Exception):
    """The root of what this package raises."""


class Failed(WorkerError):
    """The task cannot be done."""

    def __init__(self, detail: str, *, type: str = "", status: int = 500, title: str = "") -> None:  # noqa: A002
        """Say why, in the terms of the Serverless Workflow specification; `catch` can filter by each of them."""
        super().__init__(detail)
        self.detail = detail
        self.type = type
        self.status = status
        self.title = title


class Retry(Failed):
    """The task cannot be done now."""

    def __init__(self, detail: str = "to be tried again", *, after: float, **error: object) -> None:
        """Ask for another attempt after a number of seconds, 7 days at most; the error counts if no attempt is left."""
        if not 0 <= after <= LONGEST_RETRY_SECONDS:
            raise ValueError(f"a task may be tried again after 0 to {LONGEST_RETRY_SECONDS} seconds, not {after}")
        super().__init__(detail, **error)  # type: ignore[arg-type]
        self.after = after


class Stopped(WorkerError):
    """The task is not this worker's any more: nothing that it reports changes anything."""


class Refused(WorkerError):
    """The service does not take this worker."""
