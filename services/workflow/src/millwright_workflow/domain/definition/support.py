"""What this release cannot run, of what the DSL allows.

Owns two tables: a release that learns to run a construct deletes its row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import TypeAlias

from millwright_workflow.domain.definition import parts, runs, scalars, tasks, workflow
from millwright_workflow.domain.definition.faults import Fault, Reason
from millwright_workflow.domain.definition.walk import walk_values

Constructs: TypeAlias = Mapping[type[scalars.Model], str]

NOT_YET: Constructs = MappingProxyType(
    {
        tasks.A2aCall: "call: a2a",
        tasks.AsyncApiCall: "call: asyncapi",
        tasks.McpCall: "call: mcp",
        parts.Catalog: "use.catalogs",
        workflow.Extension: "use.extensions",
    }
)
"""Models of constructs that a later release will run."""

FORBIDDEN: Constructs = MappingProxyType(
    {
        runs.Container: "run: container",
        runs.Script: "run: script",
        runs.Shell: "run: shell",
    }
)
"""Models of constructs that run foreign code beside the service, which no release does by default."""


def unsupported(
    document: workflow.Workflow, *, not_yet: Constructs = NOT_YET, forbidden: Constructs = FORBIDDEN
) -> list[Fault]:
    """Give a fault for each construct that cannot run, in the order of the document."""
    faults = [*_outside_models(document)]
    for pointer, value in walk_values(document):
        if name := not_yet.get(type(value)):
            message = f"Do without {name}: this release cannot run it yet."
            faults.append(Fault(pointer, Reason.UNSUPPORTED_CONSTRUCT, message))
        elif name := forbidden.get(type(value)):
            message = f"Do without {name}: foreign code does not run beside the service."
            faults.append(Fault(pointer, Reason.CONSTRUCT_FORBIDDEN, message))
    return faults


def _outside_models(document: workflow.Workflow) -> Iterator[Fault]:
    """Find what is a plain value of a model that is otherwise supported."""
    if document.evaluate.mode != "strict":
        yield _value_fault("/evaluate/mode", "Set evaluate.mode to strict: this release cannot run loose mode yet.")
    if document.evaluate.language != "jq":
        yield _value_fault("/evaluate/language", "Write expressions in jq: this release runs no other language.")
    for pointer, value in walk_values(document):
        if isinstance(value, tasks.FunctionCall) and "://" in value.call:
            yield _value_fault(pointer, "Define the function under use.functions: none is fetched from elsewhere yet.")


def _value_fault(pointer: str, message: str) -> Fault:
    return Fault(pointer, Reason.UNSUPPORTED_CONSTRUCT, message)
