"""From JSON to the models of the document, with every departure from the DSL as a fault.

Owns the wording of these faults, and the search for the part of a broken document that is sound.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from millwright_runtime.json import Json
from pydantic import ValidationError

from millwright_workflow.domain.definition.faults import Fault, Reason
from millwright_workflow.domain.definition.outline import raw_tasks
from millwright_workflow.domain.definition.pointers import pointer
from millwright_workflow.domain.definition.scalars import TAG_MARK
from millwright_workflow.domain.definition.workflow import Workflow

_STUB_TASK: dict[str, Any] = {"set": {"stub": None}}
_STUB_DOCUMENT = {"dsl": "1.0.0", "namespace": "stub", "name": "stub", "version": "0.0.0"}
_NAMES = {str: "a string", bool: "a boolean", int: "a number", float: "a number", list: "a list", dict: "an object"}
_EXPECTED = {
    "string_type": "a string",
    "int_type": "a whole number",
    "bool_type": "true or false",
    "dict_type": "an object",
    "tuple_type": "a list",
    "model_type": "an object",
    "model_attributes_type": "an object",
}
_LIMITS: dict[str, Callable[[dict[str, Any]], str]] = {
    "string_too_short": lambda context: f"Write at least {context['min_length']} character here.",
    "string_too_long": lambda context: f"Write at most {context['max_length']} characters here.",
    "too_short": lambda context: f"Write at least {context['min_length']} item here.",
    "greater_than_equal": lambda context: f"Write a number of at least {context['ge']} here.",
    "less_than_equal": lambda context: f"Write a number of at most {context['le']} here.",
    "literal_error": lambda context: f"Write one of {re.sub(' or ', ', ', context['expected'])} here.",
}


def validate(root: Json) -> tuple[Workflow | None, list[Fault]]:
    """Read a document as a workflow: the workflow, or None and everything that the DSL does not allow in it."""
    try:
        return Workflow.model_validate(root, by_alias=True, by_name=False), []
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=True)
        return None, [_fault(root, detail) for detail in details]


def sound_part(root: Json, faults: Iterable[Fault]) -> Workflow | None:
    """Read what is left of a document when each broken task and section gives way to a stub.

    Pointers into what is left are those of the document. None if too little is left.
    """
    if not isinstance(root, dict):
        return None
    broken = {fault.pointer for fault in faults}
    whole = {"document": root.get("document"), "do": [], **root}
    sound = _without(whole, broken | {"/" + key for key in ("document", "do") if key not in root})
    workflow, _ = validate(sound)
    return workflow


def _without(root: dict[str, Any], broken: set[str]) -> dict[str, Any]:
    stubbed = _stubbed_tasks(root, broken)
    kept = {}
    for key, part in root.items():
        held = {at for at in broken if at == f"/{key}" or at.startswith(f"/{key}/")}
        if key in {"do", "use"} and not any(_outside(at, stubbed) for at in held):
            kept[key] = _replace(part, f"/{key}", stubbed)
        elif not held:
            kept[key] = part
    return {"document": _STUB_DOCUMENT, "do": [], **kept}


def _stubbed_tasks(root: Json, broken: set[str]) -> set[str]:
    """Give the innermost task around each fault."""
    tasks = {task.pointer for task in raw_tasks(root)}
    return {task for at in broken if (task := _enclosing(at, tasks))}


def _enclosing(at: str, tasks: set[str]) -> str | None:
    while at and at not in tasks:
        at = at.rpartition("/")[0]
    return at or None


def _outside(at: str, stubbed: set[str]) -> bool:
    return _enclosing(at, stubbed) is None


def _replace(value: Json, at: str, stubbed: set[str]) -> Json:
    if at in stubbed:
        return _STUB_TASK
    if isinstance(value, dict):
        return {key: _replace(part, at + pointer([key]), stubbed) for key, part in value.items()}
    if isinstance(value, list):
        return [_replace(part, f"{at}/{index}", stubbed) for index, part in enumerate(value)]
    return value


def _fault(root: Json, detail: Any) -> Fault:
    path = _path(root, detail["loc"])
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "missing":
        return Fault(pointer(path), Reason.MISSING_KEY, f"Add the key '{detail['loc'][-1]}', which is required here.")
    if kind == "extra_forbidden":
        return Fault(pointer(path), Reason.UNKNOWN_KEY, f"Remove the key '{path[-1]}' or correct it: the DSL has none.")
    if kind in _EXPECTED:
        found = _NAMES.get(type(detail["input"]), "null")
        return Fault(pointer(path), Reason.WRONG_TYPE, f"Write {_EXPECTED[kind]} here, not {found}.")
    if kind in _LIMITS:
        return Fault(pointer(path), Reason.INVALID_VALUE, _LIMITS[kind](context))
    reason = Reason.__members__.get(kind.upper(), Reason.INVALID_VALUE)
    return Fault(pointer(path), reason, detail["msg"])


def _path(root: Json, location: tuple[int | str, ...]) -> list[int | str]:
    """Turn an error's location into a path: without the tags of unions, and only as far as the document goes."""
    path: list[int | str] = []
    value: Any = root
    for step in location:
        if isinstance(step, str) and step.startswith(TAG_MARK):
            continue
        if (isinstance(value, dict) and step in value) or (isinstance(value, list) and isinstance(step, int)):
            value = value[step]  # type: ignore[index]
            path.append(step)
    return path
