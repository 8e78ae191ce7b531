"""What a definition comes to once it is prepared for walking: plans of the workflow, its lists and its tasks.

Owns their shape. A plan is made once a definition and shared by all its instances, so it never changes; what belongs
to one walk is in `Visit`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from millwright_runtime.json import Json, JsonObject

from millwright_workflow.domain.interpreter.asker import Asker
from millwright_workflow.domain.interpreter.effects import Part
from millwright_workflow.domain.interpreter.template import Length, Template
from millwright_workflow.domain.interpreter.visit import Visit

CONTINUE: Final = "continue"
EXIT: Final = "exit"
END: Final = "end"


class Outcome(NamedTuple):
    """What a task's body or a task list gives."""

    output: Json
    next: str | None = None
    """Where the flow goes; None leaves it to the task's `then`."""
    is_exit: bool = False
    """Whether a task list was left by `exit`."""


class Body(Protocol):
    """What is particular to a task's kind; `task` does what all kinds share."""

    def run(self, visit: Visit) -> Part[Outcome]:
        """Walk the task: its transformed input is in `visit.input`, its raw output is the outcome's."""
        ...


class Check(Protocol):
    """A schema that data is held to; `conformance` makes them."""

    def check(self, asker: Asker, data: Json) -> Part[None]:
        """Hold data to the schema."""
        ...


@dataclass(frozen=True, slots=True)
class Schemas:
    """The schemas of a task or of the workflow."""

    input: Check | None
    output: Check | None
    export: Check | None


@dataclass(frozen=True, slots=True)
class TaskPlan:
    """A task, prepared."""

    pointer: str
    name: str
    kind: str
    task_hash: bytes
    definition: JsonObject
    """As its author wrote it, for `$task.definition`."""
    body: Body
    condition: Template | None
    input_from: Template | None
    output_as: Template | None
    export_as: Template | None
    timeout: Length | None
    then: str
    schemas: Schemas | None
    depth: int
    """How many task lists are around it, those around the callers of its function included."""
    extensions: tuple[Json, ...] = ()
    """Those that extend it, as their author wrote them; `task_hash` covers them."""


@dataclass(frozen=True, slots=True)
class ListPlan:
    """A task list, prepared."""

    tasks: tuple[TaskPlan, ...]
    positions: Mapping[str, int]
    """Where the task of a name stands."""


@dataclass(frozen=True, slots=True)
class WorkflowPlan:
    """A workflow, prepared."""

    definition: JsonObject
    """As its author wrote it, for `$workflow.definition`."""
    do: ListPlan
    input_from: Template | None
    output_as: Template | None
    timeout: Length | None
    schemas: Schemas | None
    secrets: tuple[str, ...]
    """The names that `$secrets` has."""
    tasks: Mapping[str, TaskPlan]
    """Every task by its pointer, also those of functions, at each place that uses them."""
    undos: Mapping[str, TaskPlan]
    """What undoes a task, by the task's pointer."""
    compensates_on_fault: bool
    """Whether a fault has what was done undone."""
