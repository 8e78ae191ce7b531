"""What a `run` task may start: a container, a script, a shell command or another workflow.

Owns the models. Starts nothing.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from pydantic import StrictBool, StrictStr, model_validator
from pydantic_core import PydanticCustomError

from millwright_workflow.domain.definition.parts import ExternalResource
from millwright_workflow.domain.definition.scalars import Choice, DataObject, DurationOrExpression, Model

ProcessReturn: TypeAlias = Literal["stdout", "stderr", "code", "all", "none"]


class ContainerLifetime(Model):
    """When a finished container is removed."""

    cleanup: Literal["always", "never", "eventually"]
    after: DurationOrExpression | None = None

    @model_validator(mode="after")
    def _require_matching_delay(self) -> ContainerLifetime:
        if (self.cleanup == "eventually") != (self.after is not None):
            raise PydanticCustomError("invalid_value", "Write after if, and only if, cleanup is eventually.")
        return self


class Container(Model):
    """A container to run."""

    image: StrictStr
    name: StrictStr | None = None
    command: StrictStr | None = None
    ports: DataObject | None = None
    volumes: DataObject | None = None
    environment: DataObject | None = None
    stdin: StrictStr | None = None
    arguments: tuple[StrictStr, ...] = ()
    lifetime: ContainerLifetime | None = None
    pull_policy: Literal["ifNotPresent", "always", "never"] | None = None


class Script(Choice):
    """A script to run: its code written here, or kept elsewhere."""

    choices = ("code", "source")
    literal_fields = frozenset({"code"})

    language: StrictStr
    code: StrictStr | None = None
    source: ExternalResource | None = None
    stdin: StrictStr | None = None
    arguments: tuple[StrictStr, ...] = ()
    environment: DataObject | None = None


class Shell(Model):
    """A command line to run."""

    command: StrictStr
    stdin: StrictStr | None = None
    arguments: tuple[StrictStr, ...] = ()
    environment: DataObject | None = None


class Subflow(Model):
    """Another workflow to run."""

    namespace: StrictStr
    name: StrictStr
    version: StrictStr = "latest"
    input: DataObject | None = None


class Run(Choice):
    """The process to run, whether to wait for it, and what of it is the task's output."""

    choices = ("container", "script", "shell", "workflow")

    await_: StrictBool = True
    return_: ProcessReturn = "stdout"
    container: Container | None = None
    script: Script | None = None
    shell: Shell | None = None
    workflow: Subflow | None = None
