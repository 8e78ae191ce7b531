"""The tasks of a workflow, one model a kind, and the lists that hold them.

Owns what a task looks like and how its kind is told from its keys. Runs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import Discriminator, Field, StrictBool, StrictStr, Tag

from millwright_workflow.domain.definition.asyncapi import AsyncApiArguments, AsyncApiSubscription
from millwright_workflow.domain.definition.calls import (
    A2aArguments,
    GrpcArguments,
    HttpArguments,
    McpArguments,
    OpenApiArguments,
)
from millwright_workflow.domain.definition.events import Event, EventStrategy
from millwright_workflow.domain.definition.parts import (
    ErrorFilter,
    ErrorOrReference,
    Export,
    ExpressionOrObject,
    Input,
    Output,
    RetryOrReference,
    TimeoutOrReference,
)
from millwright_workflow.domain.definition.runs import Run
from millwright_workflow.domain.definition.scalars import (
    TAG_MARK,
    DataObject,
    DurationOrExpression,
    Entry,
    Expression,
    Model,
    Reference,
)

KINDS = ("call", "do", "emit", "for", "fork", "listen", "raise", "run", "set", "switch", "try", "wait")
STANDARD_CALLS = ("a2a", "asyncapi", "grpc", "http", "mcp", "openapi")

Name: TypeAlias = Annotated[StrictStr, Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class NamedTask:
    """An entry of a task list."""

    name: str
    task: Task


@dataclass(frozen=True, slots=True)
class NamedCase:
    """An entry of a `switch`."""

    name: str
    case: SwitchCase


class TaskBase(Model):
    """What every task has, besides the keys of its kind."""

    kind: ClassVar[str]
    literal_fields: ClassVar[frozenset[str]] = frozenset({"metadata", "then"})

    if_: Expression | None = None
    input: Input | None = None
    output: Output | None = None
    export: Export | None = None
    timeout: TimeoutOrReference | None = None
    then: Name = "continue"
    """`continue`, `exit`, `end` or the name of a task in the same list."""
    metadata: DataObject = Field(default_factory=dict)


class AsyncApiCall(TaskBase):
    """Publishes a message or consumes messages."""

    kind = "call:asyncapi"
    call: Literal["asyncapi"]
    with_: AsyncApiArguments


class HttpCall(TaskBase):
    """Sends an HTTP request."""

    kind = "call:http"
    call: Literal["http"]
    with_: HttpArguments


class GrpcCall(TaskBase):
    """Calls a gRPC method."""

    kind = "call:grpc"
    call: Literal["grpc"]
    with_: GrpcArguments


class OpenApiCall(TaskBase):
    """Calls an operation of an OpenAPI document."""

    kind = "call:openapi"
    call: Literal["openapi"]
    with_: OpenApiArguments


class A2aCall(TaskBase):
    """Sends a message to an agent."""

    kind = "call:a2a"
    call: Literal["a2a"]
    with_: A2aArguments


class McpCall(TaskBase):
    """Calls an MCP server."""

    kind = "call:mcp"
    call: Literal["mcp"]
    with_: McpArguments


class FunctionName(Reference):
    """The name of a function, or `name:version@catalogue`, or a URI."""

    __slots__ = ()
    group = "functions"


class FunctionCall(TaskBase):
    """Calls a function under `use.functions`, in a catalogue (`name:version@catalogue`) or behind a URI."""

    kind = "call:function"
    call: FunctionName
    with_: DataObject | None = None


class DoTask(TaskBase):
    """Runs tasks one after another."""

    kind = "do"
    do: TaskList


class EmitEvent(Model):
    """What to emit."""

    event: Event


class EmitTask(TaskBase):
    """Publishes an event."""

    kind = "emit"
    emit: EmitEvent


class ForEach(Model):
    """The collection, and what its items and their indexes are called."""

    each: Name = "item"
    in_: Expression
    at: Name = "index"


class ForTask(TaskBase):
    """Runs tasks once for each item, while a condition holds."""

    kind = "for"
    for_: ForEach
    while_: Expression | None = None
    do: TaskList


class Fork(Model):
    """The branches, and whether the first to finish wins."""

    branches: TaskList
    compete: StrictBool = False


class ForkTask(TaskBase):
    """Runs branches side by side."""

    kind = "fork"
    fork: Fork


class Iteration(Model):
    """What to do with each consumed event or message."""

    item: Name = "item"
    at: Name = "index"
    do: TaskList = ()
    output: Output | None = None
    export: Export | None = None


class Listen(Model):
    """Which events to wait for, and what part of them to read."""

    to: EventStrategy
    read: Literal["data", "envelope", "raw"] = "data"


class ListenTask(TaskBase):
    """Waits for events."""

    kind = "listen"
    listen: Listen
    foreach: Iteration | None = None


class Raise(Model):
    """Which error to raise."""

    error: ErrorOrReference


class RaiseTask(TaskBase):
    """Raises an error."""

    kind = "raise"
    raise_: Raise


class RunTask(TaskBase):
    """Runs a process or another workflow."""

    kind = "run"
    run: Run


class SetTask(TaskBase):
    """Makes data its output."""

    kind = "set"
    set: ExpressionOrObject


class SwitchCase(Model):
    """Where to go if `when` holds; without `when`, where to go if no other case does."""

    literal_fields: ClassVar[frozenset[str]] = frozenset({"then"})

    when: Expression | None = None
    then: Name


class SwitchTask(TaskBase):
    """Chooses where the flow goes."""

    kind = "switch"
    switch: Annotated[tuple[CaseEntry, ...], Field(min_length=1)]


class CatchErrors(Model):
    """Which errors to catch."""

    with_: ErrorFilter | None = None


class Catch(Model):
    """Which errors to catch, whether to try again, and what to do instead."""

    errors: CatchErrors | None = None
    as_: Name = "error"
    when: Expression | None = None
    except_when: Expression | None = None
    retry: RetryOrReference | None = None
    do: TaskList = ()


class TryTask(TaskBase):
    """Runs tasks and catches their errors."""

    kind = "try"
    try_: TaskList
    catch: Catch


class WaitTask(TaskBase):
    """Lets time pass."""

    kind = "wait"
    wait: DurationOrExpression


def _kind(value: object) -> str | None:
    if isinstance(value, TaskBase):
        return TAG_MARK + value.kind
    if not isinstance(value, dict):
        return None
    found = [kind for kind in KINDS if kind in value and not (kind == "do" and "for" in value)]
    if len(found) != 1:
        return None
    if found[0] != "call":
        return TAG_MARK + found[0]
    call = value["call"]
    return f"{TAG_MARK}call:{call if call in STANDARD_CALLS else 'function'}"


Task: TypeAlias = Annotated[
    Annotated[A2aCall, Tag(TAG_MARK + A2aCall.kind)]
    | Annotated[AsyncApiCall, Tag(TAG_MARK + AsyncApiCall.kind)]
    | Annotated[GrpcCall, Tag(TAG_MARK + GrpcCall.kind)]
    | Annotated[HttpCall, Tag(TAG_MARK + HttpCall.kind)]
    | Annotated[McpCall, Tag(TAG_MARK + McpCall.kind)]
    | Annotated[OpenApiCall, Tag(TAG_MARK + OpenApiCall.kind)]
    | Annotated[FunctionCall, Tag(TAG_MARK + FunctionCall.kind)]
    | Annotated[DoTask, Tag(TAG_MARK + DoTask.kind)]
    | Annotated[EmitTask, Tag(TAG_MARK + EmitTask.kind)]
    | Annotated[ForTask, Tag(TAG_MARK + ForTask.kind)]
    | Annotated[ForkTask, Tag(TAG_MARK + ForkTask.kind)]
    | Annotated[ListenTask, Tag(TAG_MARK + ListenTask.kind)]
    | Annotated[RaiseTask, Tag(TAG_MARK + RaiseTask.kind)]
    | Annotated[RunTask, Tag(TAG_MARK + RunTask.kind)]
    | Annotated[SetTask, Tag(TAG_MARK + SetTask.kind)]
    | Annotated[SwitchTask, Tag(TAG_MARK + SwitchTask.kind)]
    | Annotated[TryTask, Tag(TAG_MARK + TryTask.kind)]
    | Annotated[WaitTask, Tag(TAG_MARK + WaitTask.kind)],
    Discriminator(
        _kind,
        custom_error_type="ambiguous_task",
        custom_error_message=f"Give the task exactly one of {', '.join(KINDS[:-1])} or {KINDS[-1]}.",
    ),
]
TaskList: TypeAlias = tuple[
    Annotated[NamedTask, Entry(NamedTask, Task, "ambiguous_task", "Write one task in each item of the list.")], ...
]
CaseEntry: TypeAlias = Annotated[
    NamedCase, Entry(NamedCase, SwitchCase, "invalid_value", "Write one case in each item of the list.")
]

_RECURSIVE: tuple[type[Model], ...] = (
    *(DoTask, ForTask, Fork, ForkTask, Iteration, ListenTask, SwitchTask, Catch, TryTask),
    *(AsyncApiSubscription, AsyncApiArguments, AsyncApiCall),
)
for _model in _RECURSIVE:
    _model.model_rebuild()
