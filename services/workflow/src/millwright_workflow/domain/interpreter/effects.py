"""What a walk through a definition asks of the world.

A walk is a generator: it yields one of these effects, the engine carries it out and sends back what the effect's
docstring names, or throws a `WorkflowFault` into the walk where it was asked. The walk itself does no I/O, reads no
clock and draws no random number, so that the same history gives the same walk.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, TypeVar

from millwright_runtime.json import Json, JsonObject

from millwright_workflow.domain.interpreter.subscription import Subscription

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
    attempts: frozenset[int] = frozenset()
    """Which places in `iterations` are attempts."""

    def __str__(self) -> str:
        """Give the form that stores, events and people use: `/do/2/each/do/0/call@3.0`, revisited `…@3.0#1.0`."""
        return self.pointer + path_suffix(self.iterations, self.visits)

    @property
    def operation(self) -> str:
        """Give what is the same for every attempt at the same thing: a call's idempotency key in its instance."""
        rounds = tuple(number for place, number in enumerate(self.iterations) if place not in self.attempts)
        return self.pointer + path_suffix(rounds, self.visits)


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

    Once a composite task has its result, nothing inside it is looked up any more, but by `walk_undo`.
    """

    results: Mapping[str, TaskResult] = field(default_factory=dict)
    """In the order of their commits, oldest first: it tells who won a race, and what to undo before what."""
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
    `output`, `task`, `workflow` and `runtime` (null where the specification gives none), the names that enclosing
    `for`, `catch` and `foreach` give, and `secrets` where the workflow declares some. From `match_event` it is what
    the expressions mention, and no more. `$secrets` holds seals, never
    values (see `Identity.secrets`). Every visit of a task brings the same template object, not a copy. Nothing in it
    may be changed in place.
    """

    template: Json
    input: Json
    variables: Mapping[str, Json]
    instance: str
    """The reference to name in an expression error."""


@dataclass(frozen=True, slots=True)
class Authentication:
    """How to prove who the workflow is, as one policy of the DSL with its expressions evaluated.

    Where `secret` is given, the whole policy is the value of that secret, an object with the keys that `settings`
    would have had; a secret that does not exist or is not the workflow's is `errors.authorization`. Otherwise
    `settings` holds them, in the spelling of the DSL and with its defaults: `username` and `password`; `token`;
    `authority`, `grant`, `client`, … Texts in it may hold seals, to be opened by the engine as it sends.
    """

    scheme: Literal["basic", "bearer", "digest", "oauth2", "oidc"]
    secret: str | None = None
    settings: JsonObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FetchDocument:
    """Read a document that lives elsewhere: an OpenAPI document, a JSON schema.

    Sends back its content, parsed from JSON or YAML. A transport that fails, a status outside of 200 to 299 and a
    content that is neither are `errors.communication`. The engine may remember documents by URI; a resumed walk may
    be given a newer one, for no result is kept of it.
    """

    reference: TaskReference
    uri: str
    authentication: Authentication | None = None


@dataclass(frozen=True, slots=True)
class Validate:
    """Hold data to a JSON Schema. Sends back nothing.

    Data that does not conform is `errors.validation(instance, …)` whose detail names the place in the data and the
    rule; a schema that is none is `errors.configuration(instance, …)`. Both come from outside, so the engine bounds
    time and memory, and follows no reference to another document. Every visit of a task brings the same schema object
    where the definition holds it.
    """

    schema: Json
    data: Json
    instance: str
    """The pointer of what holds the schema: `/do/0/weld/input`, `…/output`, `…/export`, `/input`, `/output`."""


@dataclass(frozen=True, slots=True)
class CallHttp:
    """Send one HTTP request. Sends back an `HttpAnswer`, also for 4xx and 5xx; a failed transport is a fault.

    Where `uri`, `headers`, `query`, `body` or `authentication` hold seals, the engine opens them in what it sends and
    nowhere else. Authentication that cannot be had (an issuer that refuses) is `errors.authentication`.
    """

    reference: TaskReference
    method: str
    uri: str
    headers: Mapping[str, str]
    query: Mapping[str, str | list[str]]
    """To be added to what the URI has; a list repeats its name."""
    body: Json
    """Sent as JSON unless it is null (no body) or the headers name another content type."""
    follow_redirects: bool
    authentication: Authentication | None = None


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What came back, as it came; what its bytes mean is decided here, from the content type."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


@dataclass(frozen=True, slots=True)
class CallGrpc:
    """Call one unary gRPC method. Sends back a `GrpcAnswer`, whatever its code.

    The engine reads the proto file at `proto_uri`; one that cannot be had is `errors.communication`, one that does not
    have the service or the method, a streaming method, and arguments that do not fit the request message are
    `errors.configuration`. Seals in `arguments` and `authentication` are opened in what is sent.
    """

    reference: TaskReference
    proto_uri: str
    proto_authentication: Authentication | None
    service: str
    """Fully qualified: package and name."""
    method: str
    host: str
    port: int | None
    """None leaves it to the engine: 443."""
    arguments: JsonObject
    """The request message, as the JSON form of Protocol Buffers has it."""
    authentication: Authentication | None = None


@dataclass(frozen=True, slots=True)
class GrpcAnswer:
    """What came back; what its code means is decided here."""

    code: int
    """0 is OK, 14 UNAVAILABLE, …; a transport that failed is UNAVAILABLE, a deadline of the engine's own is 4."""
    message: Json = None
    """The response message, in the JSON form of Protocol Buffers; null unless the code is 0."""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Invoke:
    """Use a function of the built-in catalogue. Sends back its output, throws its fault.

    `arguments` are evaluated and have the form that `catalogue` demands of the function. They are kept while the
    function works, so seals in them stay closed. A repetition after a crash has the same reference: instance and
    reference are the idempotency key.
    """

    reference: TaskReference
    function: str
    """`judge`, `run-pipeline`, `approve` or `task`."""
    arguments: JsonObject


@dataclass(frozen=True, slots=True)
class RunWorkflow:
    """Start another workflow as a child. Sends back its output if it is awaited, else nothing, once it is durable.

    The child's id is `child_id(parent's id, reference)`: asked again, as a resumed walk does, the engine finds the
    child there is and starts no second one. A fault of an awaited child is thrown with `instance` set to
    `reference.pointer`; a child that was cancelled is `errors.runtime`; a workflow or version that does not exist is
    `errors.configuration`. Closing the walk while it awaits a child cancels the child, unless the walk is handed over.
    """

    reference: TaskReference
    namespace: str
    name: str
    version: str
    """The author's version, or `latest`: what the default channel says when the child starts."""
    input: Json
    """Held to the child's own input schema by the child."""
    is_awaited: bool


@dataclass(frozen=True, slots=True)
class Emit:
    """Publish a CloudEvent. Sends back the event as published, with every attribute, once it is durable.

    `event` has the attributes that the author gave, evaluated: always `type` and `source`; `id`, `time`, `subject`,
    `datacontenttype`, `dataschema`, `data` and extensions where written. The engine adds what is absent: `specversion`
    (1.0), `id` (made of instance and reference, so that a repetition after a crash is the same event), `time` (when it
    is first published) and, with data, `datacontenttype` (application/json).
    """

    reference: TaskReference
    event: JsonObject


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Begin to keep events for this reference. Sends back nothing, and only once the subscription is durable.

    From then on, each event that comes in and that `match_event(subscription, event)` gives a `Delivery` for is
    appended, durably, to the inbox of instance and reference. The place in the inbox, from 0, is fixed by that commit,
    and an event (by source and id) is there once. Asked again, as a resumed walk does, nothing changes: the
    subscription and the inbox are those of the first time.

    Subscription and inbox go, in the same transaction, with the commit of this task's result, of a result of a task
    around it, of a `Failure` of a `try` around it, or with the end of the instance. Until then none of it may go.
    """

    reference: TaskReference
    subscription: Subscription


@dataclass(frozen=True, slots=True)
class Consume:
    """Wait for the delivery at a place of this reference's inbox. Sends back that `subscription.Delivery`.

    Places are asked for from 0 without a gap, and from 0 again by a resumed walk. More may be in the inbox than is
    ever asked for.
    """

    reference: TaskReference
    position: int


@dataclass(frozen=True, slots=True)
class Branch:
    """One branch of a fork."""

    reference: TaskReference
    """Of the branch's one task."""
    part: Part[TaskResult | None]


@dataclass(frozen=True, slots=True)
class Fork:
    """Drive the branches side by side. Each may yield any effect, another `Fork` too.

    Sends back the list of what the branches returned, in the order of `branches`. The first that throws a fault ends
    the fork: the engine closes the others, waits until they are closed, and throws that fault.

    Competing, the first branch that returns something other than None has won: the others are closed, and `(its
    index, what it returned)` is sent back. If all returned None, None is. A branch returns right after the `Commit` of
    its task; of two that could return, the one whose commit comes first in the history has won, for that is whom a
    resumed walk takes for the winner. A fault that comes first ends a race too. Where the fork itself is closed, the
    engine closes every branch first.
    """

    reference: TaskReference
    branches: tuple[Branch, ...]
    is_race: bool


@dataclass(frozen=True, slots=True)
class Fail:
    """A task has failed: its fault is about to leave it. Sends back nothing; nothing of it need be durable.

    Yielded in walks that are watched alone (see `walk_workflow`), innermost task first, also for a fault that a `try`
    further out will catch.
    """

    reference: TaskReference
    error: WorkflowError


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


Effect: TypeAlias = (
    Begin
    | Evaluate
    | Validate
    | FetchDocument
    | CallHttp
    | CallGrpc
    | Invoke
    | RunWorkflow
    | Emit
    | Subscribe
    | Consume
    | Fork
    | Wait
    | Retry
    | Catch
    | Within
    | Fail
    | Commit
)
Part: TypeAlias = Generator[Effect, Any, T]
"""A piece of a walk that gives a T."""
Walk: TypeAlias = Part[Json]
