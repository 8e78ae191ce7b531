"""What one walk carries along, and what it knows while it visits a task.

Owns `$context` of the walk and the variables that expressions see. Never yields anything but `Evaluate`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from millwright_runtime.json import Json, JsonObject

from millwright_workflow.domain.definition import parse_duration
from millwright_workflow.domain.interpreter import errors
from millwright_workflow.domain.interpreter.effects import Evaluate, History, Part, TaskReference, path_suffix
from millwright_workflow.domain.interpreter.template import Length, Template, is_true

if TYPE_CHECKING:
    from millwright_workflow.domain.interpreter.plan import TaskPlan


@dataclass(frozen=True, slots=True)
class Identity:
    """What an instance and its runtime are known by in expressions."""

    instance_id: str
    started_time: datetime
    """When the instance started; aware."""
    runtime_name: str
    runtime_version: str
    runtime_metadata: JsonObject = field(default_factory=dict)
    secrets: JsonObject = field(default_factory=dict)
    """What `$secrets` gives: the secrets that the workflow names under `use`, each value sealed (see `secrets`)."""


@dataclass(slots=True)
class Progress:
    """How far a walk has come: what it need not do again, and the context as it stands."""

    history: History
    workflow: JsonObject
    """`$workflow`"""
    runtime: JsonObject
    """`$runtime`"""
    context: Json = None
    """`$context`"""
    secrets: JsonObject | None = None
    """`$secrets`, or None where the workflow declares none."""
    is_watched: bool = False
    """Whether somebody wants to know of tasks that fail."""

    def variables(self) -> dict[str, Json]:
        """Give what every expression sees, wherever it stands."""
        known: dict[str, Json] = {
            "context": self.context,
            "input": None,
            "output": None,
            "task": None,
            "workflow": self.workflow,
            "runtime": self.runtime,
        }
        if self.secrets is not None:
            known["secrets"] = self.secrets
        return known


@dataclass(frozen=True, slots=True)
class Scope:
    """Where in loops, retries and backward jumps the tasks of a list stand, and the names that are known there."""

    iterations: tuple[int, ...] = ()
    visits: tuple[int, ...] = ()
    names: Mapping[str, Json] = field(default_factory=dict)
    suffix: str = ""
    """What the path adds to a task's pointer in the text of its reference."""
    attempts: frozenset[int] = frozenset()
    """Which places in `iterations` are attempts."""
    extended: JsonObject | None = None
    """In the tasks of an extension, `$task`: the task that they extend."""

    def enter_list(self) -> Scope:
        """Give the scope of the tasks of a list inside this scope, none of them visited yet."""
        visits = (*self.visits, 0)
        return replace(self, visits=visits, suffix=path_suffix(self.iterations, visits))

    def jump_back(self) -> Scope:
        """Give the scope of the same list once a `then` has led backwards in it."""
        visits = (*self.visits[:-1], self.visits[-1] + 1)
        return replace(self, visits=visits, suffix=path_suffix(self.iterations, visits))

    def enter_round(self, number: int, names: Mapping[str, Json]) -> Scope:
        """Give the scope inside one round of a `for`."""
        return replace(self, iterations=(*self.iterations, number), names={**self.names, **names})

    def enter_attempt(self, number: int, names: Mapping[str, Json]) -> Scope:
        """Give the scope inside one attempt of a `try`."""
        return replace(self.enter_round(number, names), attempts=self.attempts | {len(self.iterations)})

    def enter_extension(self, task: JsonObject) -> Scope:
        """Give the scope of the tasks that extend a task."""
        return replace(self, extended=task)

    def enter_function(self) -> Scope:
        """Give the scope of the task of a function, which sees no name from around its caller."""
        return replace(self, names={}, extended=None)

    def refer(self, pointer: str) -> TaskReference:
        """Give the full reference of what stands at `pointer` in this scope."""
        return TaskReference(pointer, self.iterations, self.visits if any(self.visits) else (), self.attempts)


@dataclass(slots=True)
class Visit:
    """A task that is being walked. Its fields fill as its data flows."""

    plan: TaskPlan
    progress: Progress
    scope: Scope
    raw_input: Json
    input: Json = None
    raw_output: Json = None
    output: Json = None
    started_time: datetime | None = None

    @property
    def reference(self) -> TaskReference:
        """The task's full reference."""
        return self.scope.refer(self.plan.pointer)

    @property
    def pointer(self) -> str:
        """The task's pointer, which errors name."""
        return self.plan.pointer

    def evaluate(self, template: Template, data: Json, names: Mapping[str, Json] | None = None) -> Part[Json]:
        """Give the value of a template on `data`; `names` are known besides those of the scope."""
        if not template.is_dynamic:
            return template.value
        value: Json = yield Evaluate(template.value, data, self.variables(names), self.plan.pointer)
        return value

    def holds(self, condition: Template, data: Json, names: Mapping[str, Json] | None = None) -> Part[bool]:
        """Tell whether a condition is true on `data`."""
        return is_true((yield from self.evaluate(condition, data, names)))

    def seconds(self, length: Length, data: Json, names: Mapping[str, Json] | None = None) -> Part[float]:
        """Give the seconds of a duration. Throws an expression fault where its expression gives no ISO 8601 text."""
        if not isinstance(length, Template):
            return length
        return iso_seconds((yield from self.evaluate(length, data, names)), self.plan.pointer)

    def variables(self, names: Mapping[str, Json] | None = None) -> dict[str, Json]:
        """Give what expressions of this task see at this moment."""
        known = {**self.scope.names, **(names or {}), **self.progress.variables()}
        known["input"] = self.input
        known["output"] = self.output
        known["task"] = self.scope.extended or self.describe()
        return known

    def describe(self) -> JsonObject:
        """Give the task as `$task` has it."""
        return {
            "name": self.plan.name,
            "reference": self.plan.pointer,
            "definition": self.plan.definition,
            "input": self.raw_input,
            "output": self.raw_output,
            "startedAt": describe_time(self.started_time) if self.started_time else None,
        }


def iso_seconds(text: Json, instance: str) -> float:
    """Read the ISO 8601 duration that an expression gave. Throws an expression fault for anything else."""
    if not isinstance(text, str):
        raise errors.expression(instance, "The expression must give an ISO 8601 duration.")
    try:
        return parse_duration(text).seconds
    except ValueError:
        raise errors.expression(instance, f"The expression gave {text[:100]!r}, not an ISO 8601 duration.") from None


def describe_time(time: datetime) -> JsonObject:
    """Give a time as expressions see it: ISO 8601 in UTC, and whole seconds and milliseconds of the Unix epoch."""
    utc = time.astimezone(UTC)
    seconds = int(utc.replace(microsecond=0).timestamp())
    return {
        "iso8601": utc.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "epoch": {"seconds": seconds, "milliseconds": seconds * 1000 + utc.microsecond // 1000},
    }
