"""What is not run here, of what the DSL allows.

Owns the tables. Why each is refused is in `docs/architecture/dsl.md`, which has a row for each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

from millwright_workflow.domain.definition import parts, runs, scalars, tasks, workflow
from millwright_workflow.domain.definition.faults import Fault, Reason
from millwright_workflow.domain.definition.walk import walk_values

Constructs: TypeAlias = Mapping[type[scalars.Model], str]

UNSUPPORTED: Constructs = MappingProxyType(
    {
        tasks.A2aCall: "call: a2a",
        tasks.AsyncApiCall: "call: asyncapi",
        tasks.McpCall: "call: mcp",
        parts.Catalog: "use.catalogs",
    }
)
"""Models of constructs that are refused."""

LOOSE: Final = "evaluate.mode: loose"
OTHER_LANGUAGE: Final = "evaluate.language"
FUNCTION_BY_URI: Final = "call: <URI>"
UNSUPPORTED_VALUES: Final = MappingProxyType(
    {
        LOOSE: "Set evaluate.mode to strict: in loose mode any text may turn out to be an expression.",
        OTHER_LANGUAGE: "Write expressions in jq: no other language is run here.",
        FUNCTION_BY_URI: "Define the function under use.functions: none is fetched from elsewhere.",
    }
)
"""What is refused of models that are otherwise run, and what is said about it."""

FORBIDDEN: Constructs = MappingProxyType(
    {
        runs.Container: "run: container",
        runs.Script: "run: script",
        runs.Shell: "run: shell",
    }
)
"""Models of constructs that run foreign code beside the service."""


def unsupported(document: workflow.Workflow) -> list[Fault]:
    """Give a fault for each construct that cannot run, in the order of the document."""
    faults = [*_values(document)]
    for pointer, value in walk_values(document):
        if name := UNSUPPORTED.get(type(value)):
            faults.append(Fault(pointer, Reason.UNSUPPORTED_CONSTRUCT, f"Do without {name}: it is not run here."))
        elif name := FORBIDDEN.get(type(value)):
            message = f"Do without {name}: foreign code does not run beside the service."
            faults.append(Fault(pointer, Reason.CONSTRUCT_FORBIDDEN, message))
    return faults


def _values(document: workflow.Workflow) -> Iterator[Fault]:
    """Find what is a plain value of a model that is otherwise supported."""
    if document.evaluate.mode != "strict":
        yield _value_fault("/evaluate/mode", LOOSE)
    if document.evaluate.language != "jq":
        yield _value_fault("/evaluate/language", OTHER_LANGUAGE)
    for pointer, value in walk_values(document):
        if isinstance(value, tasks.FunctionCall) and "://" in value.call:
            yield _value_fault(pointer, FUNCTION_BY_URI)


def _value_fault(pointer: str, name: str) -> Fault:
    return Fault(pointer, Reason.UNSUPPORTED_CONSTRUCT, UNSUPPORTED_VALUES[name])
