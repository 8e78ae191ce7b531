"""Whoever asks on behalf of a place in the definition: a visit of a task, or the workflow as a whole.

Owns the one interface that parts which stand in both need.
"""

from __future__ import annotations

from typing import Protocol

from millwright_runtime.json import Json

from millwright_workflow.domain.interpreter.effects import Part, TaskReference
from millwright_workflow.domain.interpreter.template import Template


class Asker(Protocol):
    """Evaluates templates for a place."""

    @property
    def reference(self) -> TaskReference:
        """The reference of the place."""
        ...

    @property
    def pointer(self) -> str:
        """The pointer to name in errors."""
        ...

    def evaluate(self, template: Template, data: Json) -> Part[Json]:
        """Give the value of a template on `data`."""
        ...
