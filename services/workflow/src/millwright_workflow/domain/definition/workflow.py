"""The whole document: what it is called, what it reuses, what it does and when.

Owns the outermost models, and the walk over every task in them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, ClassVar, Literal, TypeAlias

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, Field, StrictStr, model_validator
from pydantic_core import PydanticCustomError

from millwright_workflow.domain.definition.authentication import Authentication
from millwright_workflow.domain.definition.events import EventStrategy
from millwright_workflow.domain.definition.parts import (
    Catalog,
    Error,
    Input,
    Output,
    RetryPolicy,
    Timeout,
    TimeoutOrReference,
)
from millwright_workflow.domain.definition.scalars import (
    DataObject,
    Duration,
    DurationOrExpression,
    Entry,
    Expression,
    Model,
)
from millwright_workflow.domain.definition.tasks import Task, TaskList

ON_FAULT = "on-fault"
"""What `document.metadata.compensate` may say."""
_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?", re.ASCII)
_COUNT = r"(?:0|[1-9][0-9]*)"
_PRERELEASE_PART = rf"(?:{_COUNT}|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
_SEMVER = re.compile(
    rf"{_COUNT}\.{_COUNT}\.{_COUNT}(?:-{_PRERELEASE_PART}(?:\.{_PRERELEASE_PART})*)?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?"
)
_SUPPORTED_DSL = "1.0."


def _require_label(text: str) -> str:
    if not _LABEL.fullmatch(text):
        message = "Use 1 to 63 letters, digits and hyphens, with no hyphen at either end."
        raise PydanticCustomError("invalid_value", message)
    return text


def _require_semver(text: str) -> str:
    if len(text) > 255 or not _SEMVER.fullmatch(text):
        raise PydanticCustomError("invalid_value", "Write a semantic version such as 1.4.0.")
    return text


def _require_supported_dsl(text: str) -> str:
    if not _require_semver(text).startswith(_SUPPORTED_DSL):
        raise PydanticCustomError("unsupported_dsl_version", "Write the definition in version 1.0.x of the DSL.")
    return text


def _require_cron(text: str) -> str:
    try:
        CronSim(text, datetime(2000, 1, 1, tzinfo=UTC))
    except CronSimError as error:
        message = f"Write a cron expression such as 0 6 * * MON-FRI: {error}."
        raise PydanticCustomError("invalid_value", message) from None
    return text


def _require_fixed(length: Duration | Expression) -> Duration:
    if isinstance(length, Expression):
        raise PydanticCustomError("invalid_value", "Write a duration: a schedule has no data for an expression.")
    return length


def _require_a_second(length: Duration) -> Duration:
    if length.seconds < 1:
        raise PydanticCustomError("invalid_value", "Write an interval of at least a second.")
    return length


CronExpression: TypeAlias = Annotated[StrictStr, AfterValidator(_require_cron)]
FixedDuration: TypeAlias = Annotated[DurationOrExpression, AfterValidator(_require_fixed)]
Interval: TypeAlias = Annotated[FixedDuration, AfterValidator(_require_a_second)]
Label: TypeAlias = Annotated[StrictStr, AfterValidator(_require_label)]
SemanticVersion: TypeAlias = Annotated[StrictStr, AfterValidator(_require_semver)]
DslVersion: TypeAlias = Annotated[StrictStr, AfterValidator(_require_supported_dsl)]


class Document(Model):
    """What the workflow is called."""

    literal_fields: ClassVar[frozenset[str]] = frozenset({"title", "summary", "tags", "metadata"})

    dsl: DslVersion
    namespace: Label
    name: Label
    version: SemanticVersion
    title: StrictStr | None = None
    summary: StrictStr | None = None
    tags: DataObject = Field(default_factory=dict)
    metadata: DataObject = Field(default_factory=dict)

    @property
    def compensates_on_fault(self) -> bool:
        """Tell whether a fault of an instance has what its tasks did undone."""
        return self.metadata.get("compensate") == ON_FAULT


class Extension(Model):
    """Tasks to run before and after every task of a kind."""

    extend: Literal["call", "composite", "emit", "for", "listen", "raise", "run", "set", "switch", "try", "wait", "all"]
    when: Expression | None = None
    before: TaskList = ()
    after: TaskList = ()


@dataclass(frozen=True, slots=True)
class NamedExtension:
    """An entry of `use.extensions`."""

    name: str
    extension: Extension


ExtensionEntry: TypeAlias = Annotated[
    NamedExtension, Entry(NamedExtension, Extension, "invalid_value", "Write one extension in each item of the list.")
]


class Use(Model):
    """What the workflow defines once and refers to by name."""

    authentications: dict[str, Authentication] = Field(default_factory=dict)
    catalogs: dict[str, Catalog] = Field(default_factory=dict)
    errors: dict[str, Error] = Field(default_factory=dict)
    extensions: tuple[ExtensionEntry, ...] = ()
    functions: dict[str, Task] = Field(default_factory=dict)
    retries: dict[str, RetryPolicy] = Field(default_factory=dict)
    secrets: tuple[StrictStr, ...] = ()
    timeouts: dict[str, Timeout] = Field(default_factory=dict)


class Schedule(Model):
    """When the workflow runs by itself: at each time that any of these gives."""

    every: Interval | None = None
    cron: CronExpression | None = None
    after: FixedDuration | None = None
    on: EventStrategy | None = None

    @model_validator(mode="after")
    def _require_some(self) -> Schedule:
        if not self.model_fields_set:
            raise PydanticCustomError("invalid_value", "Write at least one of after, cron, every, on here.")
        return self


class Evaluate(Model):
    """How expressions are written and evaluated."""

    language: StrictStr = "jq"
    mode: Literal["strict", "loose"] = "strict"


class Workflow(Model):
    """A workflow definition, as its author wrote it."""

    document: Document
    input: Input | None = None
    use: Use = Field(default_factory=Use)
    do: TaskList
    timeout: TimeoutOrReference | None = None
    output: Output | None = None
    schedule: Schedule | None = None
    evaluate: Evaluate = Field(default_factory=Evaluate)
