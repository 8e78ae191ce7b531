"""References by name, from tasks to what `use` defines. Owns the check that each leads somewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator

from millwright_workflow.domain.definition.faults import Fault, Reason
from millwright_workflow.domain.definition.scalars import Reference, unwrap
from millwright_workflow.domain.definition.walk import walk_values
from millwright_workflow.domain.definition.workflow import Workflow
from millwright_workflow.domain.json import Json

_SINGULAR = {
    "authentications": "authentication",
    "catalogs": "catalogue",
    "errors": "error",
    "functions": "function",
    "retries": "retry policy",
    "secrets": "secret",
    "timeouts": "timeout",
}
_ELSEWHERE = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://.*", re.DOTALL)
_CATALOGUED = re.compile(r"[^@]+:[^@]+@(?P<catalog>[^@]+)")
_ALWAYS_DEFINED = {"catalogs": {"default"}}


def reference_faults(document: Workflow, root: Json) -> Iterator[Fault]:
    """Find the names that `use` does not define, as the document `root` has it.

    A function may also be a URI or come from a catalogue, which must then be known.
    """
    use = root.get("use") if isinstance(root, dict) else None
    groups = use if isinstance(use, dict) else {}
    defined = {group: _names(groups.get(group)) | _ALWAYS_DEFINED.get(group, set()) for group in _SINGULAR}
    for pointer, value in walk_values(document):
        if isinstance(value, Reference) and (target := _target(value)):
            group, name = target
            if name not in defined[group]:
                message = f"Define the {_SINGULAR[group]} '{name}' under use.{group}, or name another."
                yield Fault(pointer, Reason.UNKNOWN_REFERENCE, message)


def _target(reference: Reference) -> tuple[str, str] | None:
    """Give the group and the name that must be defined; None if nothing must, or only a run can tell."""
    if unwrap(reference) is not None:
        return None
    if reference.group == "functions":
        if _ELSEWHERE.fullmatch(reference):
            return None
        if match := _CATALOGUED.fullmatch(reference):
            return "catalogs", match["catalog"]
    return reference.group, str(reference)


def _names(group: Json) -> set[str]:
    return {name for name in group if isinstance(name, str)} if isinstance(group, dict | list) else set()
