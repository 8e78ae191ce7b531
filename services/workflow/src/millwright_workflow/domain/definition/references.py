"""References by name, from tasks to what `use` defines or the catalogue has.

Owns the check that each leads somewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from millwright_runtime.json import Json

from millwright_workflow.domain.definition import catalogue
from millwright_workflow.domain.definition.faults import Fault, Reason
from millwright_workflow.domain.definition.scalars import Reference, unwrap
from millwright_workflow.domain.definition.walk import walk_administrative, walk_tasks, walk_values
from millwright_workflow.domain.definition.workflow import ON_FAULT, Workflow

_BUILT_IN = "built-in"
_SINGULAR = {
    "authentications": "authentication",
    _BUILT_IN: "built-in function",
    "catalogs": "catalogue",
    "errors": "error",
    "functions": "function",
    "retries": "retry policy",
    "secrets": "secret",
    "timeouts": "timeout",
}
_ELSEWHERE = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://.*", re.DOTALL)
_CATALOGUED = re.compile(r"(?P<name>[^@:]+):[^@]+@(?P<catalog>[^@]+)")
_ALWAYS_DEFINED = {"catalogs": {"default"}, "functions": set(catalogue.FUNCTIONS), _BUILT_IN: set(catalogue.FUNCTIONS)}


def reference_faults(document: Workflow, root: Json) -> Iterator[Fault]:
    """Find the names that `use` does not define, as the document `root` has it.

    A function may also be a URI or come from a catalogue, which must then be known; the default one is built in unless
    `use` puts another in its place. What undoes a task must be a function under `use`.
    """
    use = root.get("use") if isinstance(root, dict) else None
    groups = use if isinstance(use, dict) else {}
    defined = {group: _names(groups.get(group)) | _ALWAYS_DEFINED.get(group, set()) for group in _SINGULAR}
    catalogs = _names(groups.get("catalogs"))
    for pointer, value in walk_values(document):
        if isinstance(value, Reference) and (target := _target(value, catalogs)):
            group, name = target
            if name not in defined[group]:
                message = f"Define the {_SINGULAR[group]} '{name}' under use.{group}, or name another."
                if group == _BUILT_IN:
                    message = f"Name one of {', '.join(catalogue.FUNCTIONS)}: no function '{name}' is built in."
                yield Fault(pointer, Reason.UNKNOWN_REFERENCE, message)
    yield from _undo_faults(document, _names(groups.get("functions")))
    yield from _open_faults(document)


def _open_faults(document: Workflow) -> Iterator[Fault]:
    """Find arguments of administrative functions that whoever starts an instance could choose."""
    for pointer, _, task in walk_administrative(document):
        given = task.with_ if isinstance(task.with_, dict) else {}
        if "${" in str(given.get("upload", "${")):
            message = "Write the upload's name itself: what is installed is for whoever publishes this to say."
            yield Fault(f"{pointer}/with/upload", Reason.INVALID_VALUE, message)


def _undo_faults(document: Workflow, functions: set[str]) -> Iterator[Fault]:
    if document.document.metadata.get("compensate", ON_FAULT) != ON_FAULT:
        message = f"Write '{ON_FAULT}', to have undone what an instance did before it faulted; or leave it out."
        yield Fault("/document/metadata/compensate", Reason.INVALID_VALUE, message)
    for pointer, _, task in walk_tasks(document):
        undo = task.metadata.get("undo")
        if undo is not None and undo not in functions:
            message = "Name a function under use.functions: it is what undoes this task."
            yield Fault(f"{pointer}/metadata/undo", Reason.UNKNOWN_REFERENCE, message)


def _target(reference: Reference, catalogs: set[str]) -> tuple[str, str] | None:
    """Give the group and the name that must be defined; None if nothing must, or only a run can tell."""
    if unwrap(reference) is not None:
        return None
    if reference.group == "functions":
        if _ELSEWHERE.fullmatch(reference):
            return None
        if match := _CATALOGUED.fullmatch(reference):
            is_built_in = match["catalog"] == "default" and "default" not in catalogs
            return (_BUILT_IN, match["name"]) if is_built_in else ("catalogs", match["catalog"])
    return reference.group, str(reference)


def _names(group: Json) -> set[str]:
    return {name for name in group if isinstance(name, str)} if isinstance(group, dict | list) else set()
