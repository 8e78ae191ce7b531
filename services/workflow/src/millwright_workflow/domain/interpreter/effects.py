"""What a walk through a definition asks of the world.

A walk is a generator: it yields one of these effects, the engine carries it out and sends back what the effect's
docstring names, or throws a `WorkflowFault` into the walk where it was asked. The walk itself does no I/O, reads no
clock and draws no random number, so that the same history gives the same walk.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

from millwright_workflow.domain.json import Json

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class TaskReference:
    """Where a task stands: its JSON pointer in the definition, and which round of each loop or retry led there.

    `iterations` has one number for each enclosing `for` (its index, from 0) and each enclosing `try` (its attempt,
    from 0), outermost first.

    `visits` has one number for each enclosing task list, outermost first: how many times a `then` has led backwards
    since that list was entered. A task that is reached again is thereby another task to the history. It is empty
    while no enclosing list has gone backwards, which is nearly always.
    """

    pointer: str
    iterations: tuple[int, ...] = ()
    visits: tuple[int, ...] = ()

    def __str__(self) -> str:
        """Give the form that stores, events and people use: `/do/2/each/do/0/call@3.0`, revisited `…@3.0#1.0`."""
        return self.pointer + path_suffix(self.iterations, self.visits)


def path_suffix(iterations: tuple[int, ...], visits: tuple[int, ...]) -> str:
    """Give what follows the pointer in a reference's text. No two paths of one pointer share it."""
    rounds = f"@{'.'.join(map(str, iterations))}" if iterations else ""
    return f"{rounds}#{'.'.join(map(str, visits))}" if any(visits) else rounds


@dataclass(frozen=True, slots=True)
class WorkflowError:
    """An error in the form of the specification (RFC 7807), as `catch` sees it and as an instance keeps it."""

    type: str
    status: int
    title: str | None = None
    detail: str | None = None
    instance: str | None = None
    """The JSON pointer of the task it comes from."""


class WorkflowFault(Exception):
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
    """`$context` after the task's export: the same object as before the task, unless something was exported."""
    next: str
    """Where the flow goes: `continue`, `exit`, `end` or the name of a sibling."""
    is_skipped: bool = False
    """Its `if` did not hold: it never began. Kept all the same, so that a decision once acted upon stands."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed attempt of a `try` whose error was caught, and what that led to."""

    reference: str
    """`str(TaskReference)` of the `try`."""
    task_hash: bytes
    """Of the definition of the `try`: a failure counts only for the very same task."""
    attempt: int
    """From 0."""
    error: WorkflowError
    context: Json
    """`$context` when the attempt failed: what its tasks exported is kept."""
    is_retried: bool
    """Another attempt was granted; otherwise `catch.do` has taken over."""


@dataclass(frozen=True, slots=True)
class History:
    """What earlier walks of the same instance have committed, by `str(TaskReference)`. Empty at the first.

    Once a composite task has its result, nothing inside it is looked up any more.
    """

    results: Mapping[str, TaskResult] = field(default_factory=dict)
    failures: Mapping[str, Failure] = field(default_factory=dict)
    """The latest of each `try`."""


@dataclass(frozen=True, slots=True)
class Begin:
    """A task is about to run: a boundary, where the engine may stop driving the walk.

    Sends back when this reference first began (aware). A skipped task never begins.
    """

    reference: TaskReference
    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class Evaluate:
    """Replace each `${ … }` inside `template` by its value. Sends back the result.

    `variables` are what expressions know as `$context`, `$input`, …, without the dollar: always `context`, `input`,
    `output`, `task`, `workflow` and `runtime` (null where the specification gives none), and the names that enclosing
    `for` and `catch` give. Every visit of a task brings the same template object, not a copy. Nothing in it may be
    changed in place.
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
    query: Mapping[str, str | list[str]]
    """To be added to what the URI has; a list repeats its name."""
    body: Json
    """Sent as JSON unless it is null (no body) or the headers name another content type."""
    follow_redirects: bool


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What came back, as it came; what its bytes mean is decided here, from the content type."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


@dataclass(frozen=True, slots=True)
class Wait:
    """Let `seconds` pass, counted from the first time this reference asked to wait. Sends back nothing."""

    reference: TaskReference
    seconds: float


@dataclass(frozen=True, slots=True)
class Retry:
    """Grant the `try` another attempt: commit the failure, then let the delay pass. Sends back whether it was granted.

    It is not, and nothing is committed, where the delay would end later than `limit_seconds` after the `try` first
    began. Asked again with a failure that is committed already, as a resumed walk does, only what is left of the
    delay passes.
    """

    reference: TaskReference
    failure: Failure
    seconds: float
    jitter: tuple[float, float] | None
    """The range in seconds that the engine adds a random part of to the delay."""
    limit_seconds: float | None


@dataclass(frozen=True, slots=True)
class Catch:
    """The `catch.do` of a `try` is about to handle an error: commit that. Sends back nothing, and only once durable.

    Without it, a resumed walk would run the failed attempt again after its error had been acted upon.
    """

    reference: TaskReference
    failure: Failure


@dataclass(frozen=True, slots=True)
class Within:
    """Run a part of the walk under a time limit. Sends back what the part returns, throws what the part throws.

    The limit counts from the first time this reference asked for one. Past it the engine closes the part and throws
    `errors.timeout(reference.pointer)`.
    """

    reference: TaskReference
    seconds: float
    part: Part[Any]


@dataclass(frozen=True, slots=True)
class Commit:
    """A task has finished. Sends back nothing, and only once the result is durable."""

    result: TaskResult


Effect: TypeAlias = Begin | Evaluate | CallHttp | Wait | Retry | Catch | Within | Commit
Part: TypeAlias = Generator[Effect, Any, T]
"""A piece of a walk that gives a T."""
Walk: TypeAlias = Part[Json]
