"""The built-in catalogue: functions that every workflow can call, and what each takes.

Owns their names and the models of their arguments. Runs none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, StrictInt, StrictStr, model_validator
from pydantic_core import PydanticCustomError

from millwright_workflow.domain.definition.scalars import Data, Model, parse_duration

_CATALOGUED = re.compile(r"(?P<name>[^@:]+):[^@]+@default")


def _require_duration(text: str) -> str:
    parse_duration(text)
    return text


IsoDuration = Annotated[StrictStr, AfterValidator(_require_duration)]
Text = Annotated[StrictStr, Field(min_length=1)]
Version = Annotated[StrictInt, Field(ge=1)]


class Segment(Model):
    """Where and when a judged thing was made."""

    line: StrictStr = ""
    product: StrictStr = ""
    shift: StrictStr = ""
    unit: StrictStr = ""


class JudgeArguments(Model):
    """Judges `input` by a ruleset: the version that is named, or what the channel points to."""

    ruleset: Text
    version: Version | None = None
    channel: Text | None = None
    input: Data = None
    segment: Segment | None = None
    event_time: Text | None = None
    """When the judged thing was (RFC 3339)."""
    routing_key: Text | None = None
    """What experiments assign by."""

    @model_validator(mode="after")
    def _require_one_way(self) -> Self:
        if self.version is not None and self.channel is not None:
            raise PydanticCustomError("two_ways", "name a version or a channel, not both")
        return self


class RunPipelineArguments(Model):
    """Runs a pipeline to its end: the business days that are named, or everything that is due."""

    pipeline: Text
    dates: tuple[Text, ...] = ()


class QueryProductionArguments(Model):
    """Reads production facts: a row for each value of the dimensions, such as `line`, with measures such as `yield`."""

    from_: Text
    """The first business day, `2026-11-01`."""
    to: Text
    """The last one."""
    group_by: tuple[Text, ...] = ()
    measures: Annotated[tuple[Text, ...], Field(min_length=1)]
    lines: tuple[Text, ...] = ()
    products: tuple[Text, ...] = ()
    shifts: tuple[Text, ...] = ()


class RollbackRulesetArguments(Model):
    """Points a channel of a ruleset back: to the version that is named, or to the last good one."""

    ruleset: Text
    channel: Text = "prod"
    from_: Version | None = None
    """The version to leave: a channel that points to another one by now stays as it is."""
    version: Version | None = None
    reason: Text


class InstallModuleArguments(Model):
    """Installs a package that was uploaded, or upgrades to it, and waits until it is live."""

    upload: Text
    """`uploads/{…}`, as announcing the package gave it."""
    reason: Text | None = None


class Escalation(Model):
    """Who else may decide, and from when on."""

    after: IsoDuration
    roles: Annotated[tuple[Text, ...], Field(min_length=1)]


class ApproveArguments(Model):
    """Lets a person decide."""

    title: Text
    details: Data = None
    roles: Annotated[tuple[Text, ...], Field(min_length=1)]
    expires_after: IsoDuration | None = None
    escalation: Escalation | None = None


class TaskArguments(Model):
    """Gives work to an external worker."""

    queue: Text
    input: Data = None
    heartbeat: IsoDuration | None = None
    """How long a worker may be silent."""
    attempts: Annotated[StrictInt, Field(ge=1, le=1000)] | None = None
    """How many attempts may fail or fall silent before the task fails."""


FUNCTIONS: Final[Mapping[str, type[Model]]] = MappingProxyType(
    {
        "approve": ApproveArguments,
        "install-module": InstallModuleArguments,
        "judge": JudgeArguments,
        "query-production": QueryProductionArguments,
        "rollback-ruleset": RollbackRulesetArguments,
        "run-pipeline": RunPipelineArguments,
        "task": TaskArguments,
    }
)


ADMINISTRATIVE: Final = frozenset({"install-module"})
"""Functions that only a workflow which an administrator has published may call."""


def function_name(call: str) -> str | None:
    """Give the built-in function that a call names, as `judge` or as `judge:1.0.0@default`; None if it names none."""
    match = _CATALOGUED.fullmatch(call)
    name = match["name"] if match else str(call)
    return name if name in FUNCTIONS else None


def argument_names(function: str) -> frozenset[str]:
    """Give the keys that a built-in function's `with` may have."""
    return frozenset(field.alias or name for name, field in FUNCTIONS[function].model_fields.items())
