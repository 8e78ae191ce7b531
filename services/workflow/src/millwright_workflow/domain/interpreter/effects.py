"""What a walk through a definition asks of the world.

A walk is a generator: it yields one of these effects, the engine carries it out and sends back what the effect's
docstring names, or throws a `WorkflowFault` into the walk where it was asked. The walk itself does no I/O, reads no
clock and draws no random number, so that the same history gives the same walk.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from millwright_workflow.domain.json import Json


@dataclass(frozen=True, slots=True)
class TaskReference:
    """Where a task stands: its JSON pointer in the definition, and which round of each loop or retry led there.

    `iterations` has one number for each enclosing `for` (its index, from 0) and each enclosing `try` (its attempt,
    from 0), outermost first.
    """

    pointer: str
    iterations: tuple[int, ...] = ()

    def __str__(self) -> str:
        """Give the form that stores, events and people use: `/do/2/each/for/do/0/call@3.0`."""
        return f"{self.pointer}@{'.'.join(map(str, self.iterations))}" if self.iterations else self.pointer


@dataclass(frozen=True, slots=True)
class WorkflowError:
    """An error in the form of the specification (RFC 7807), as `catch` sees it and as an instance keeps it."""

    type: str
    status: int
    title: str | None = None
    detail: str | None = None
    instance: str | None = None


class WorkflowFault(Exception):  # noqa: N818 - "fault" is the specification's word
    """A task failed with an error that a `try` may catch; uncaught, the instance is faulted with it."""

    def __init__(self, error: WorkflowError) -> None:
        super().__init__(error.detail or error.title or error.type)
        self.error = error


@dataclass(frozen=True, slots=True)
class TaskResult:
    """What a finished task leaves behind, and what a later walk takes as it is instead of running the task again."""

    reference: str
    """`str(TaskReference)`."""
    task_hash: bytes
    """Of the task's definition: a result counts only for the very same task."""
    output: Json
    context: Json
    """`$context` after the task's export."""
    next: str
    """Where the flow goes: `continue`, `exit`, `end` or the name of a sibling."""


@dataclass(frozen=True, slots=True)
class History:
    """What earlier walks of the same instance have committed. Empty at the first."""

    results: Mapping[str, TaskResult] = field(default_factory=dict)
    attempts: Mapping[str, int] = field(default_factory=dict)
    """By `str(TaskReference)` of a `try`: how many attempts have failed and were granted another."""


@dataclass(frozen=True, slots=True)
class Begin:
    """A task is about to run: a boundary, where the engine may stop driving the walk. Sends back the time (aware)."""

    reference: TaskReference
    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class Evaluate:
    """Replace each `${ … }` inside `template` by its value. Sends back the result.

    `variables` are what expressions know as `$context`, `$input`, `$task`, …, without the dollar.
    """

    template: Json
    input: Json
    variables: Mapping[str, Json]
    instance: str
    """The reference to name in an expression error."""


@dataclass(frozen=True, slots=True)
class CallHttp:
    """Send one HTTP request. Sends back an `HttpAnswer`, also for 4xx and 5xx; a failed transport is a fault."""

    reference: TaskReference
    method: str
    uri: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    body: Json
    follow_redirects: bool


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What came back; `content` is JSON where the content type says so, else text, else base64."""

    status: int
    headers: Mapping[str, str]
    content: Json


@dataclass(frozen=True, slots=True)
class Wait:
    """Let `seconds` pass, counted from the first time this reference asked. Sends back nothing."""

    reference: TaskReference
    seconds: float


@dataclass(frozen=True, slots=True)
class Retry:
    """Attempt number `attempt` (from 0) of a `try` failed: commit that, then wait. Sends back nothing.

    `jitter` is the range in seconds that the engine adds a random part of.
    """

    reference: TaskReference
    attempt: int
    error: WorkflowError
    seconds: float
    jitter: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Within:
    """Run a part of the walk under a time limit. Sends back its result; past the limit throws a timeout fault."""

    reference: TaskReference
    seconds: float
    walk: Walk


@dataclass(frozen=True, slots=True)
class Commit:
    """A task has finished. Sends back nothing, and only once the result is durable."""

    result: TaskResult


Effect: TypeAlias = Begin | Evaluate | CallHttp | Wait | Retry | Within | Commit
Walk: TypeAlias = Generator[Effect, Any, Json]
