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
    "errors": "error",
    "functions": "function",
    "retries": "retry policy",
    "secrets": "secret",
    "timeouts": "timeout",
}
_ELSEWHERE = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://.*", re.DOTALL)
_CATALOGUED = re.compile(r"[^@]+:[^@]+@(?P<catalog>[^@]+)")
_DEFAULT_CATALOG = "default"


def reference_faults(document: Workflow, root: Json) -> Iterator[Fault]:
    """Find the names that `use` does not define, as the document `root` has it.

    A function may also be a URI or come from a catalogue, which must then be known.
    """
    use = root.get("use") if isinstance(root, dict) else None
    groups = use if isinstance(use, dict) else {}
    for pointer, value in walk_values(document):
        if isinstance(value, Reference) and unwrap(value) is None and not _ELSEWHERE.fullmatch(value):
            group, name, noun = _target(value)
            if name not in _names(groups.get(group)):
                message = f"Define the {noun} '{name}' under use.{group}, or name another."
                yield Fault(pointer, Reason.UNKNOWN_REFERENCE, message)


def _target(reference: Reference) -> tuple[str, str, str]:
    """Give the group and the name that must be defined, and what such a thing is called."""
    match = _CATALOGUED.fullmatch(reference) if reference.group == "functions" else None
    if match:
        return "catalogs", match["catalog"], "catalogue"
    return reference.group, str(reference), _SINGULAR[reference.group]


def _names(group: Json) -> frozenset[str]:
    if group is None:
        return frozenset()
    return frozenset(name for name in group if isinstance(name, str)) if isinstance(group, dict | list) else frozenset()
