"""A definition: a workflow as published, with everything that is computed from its text once.

Owns the order of the checks and what a published definition is known by. Reads no file and runs nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from millwright_runtime.json import Json

from millwright_workflow.domain.definition.expressions import ExpressionSite, expression_faults, expression_sites
from millwright_workflow.domain.definition.faults import Fault, InvalidDefinition, Reason
from millwright_workflow.domain.definition.flow import flow_faults
from millwright_workflow.domain.definition.outline import raw_tasks
from millwright_workflow.domain.definition.references import reference_faults
from millwright_workflow.domain.definition.source import read
from millwright_workflow.domain.definition.validation import sound_part, validate
from millwright_workflow.domain.definition.walk import walk_administrative
from millwright_workflow.domain.definition.workflow import Workflow


@dataclass(frozen=True, slots=True)
class Definition:
    """A valid workflow definition."""

    document: Workflow = field(repr=False)
    source: str = field(repr=False)
    """The text as it was given; for a definition that was loaded, its canonical form."""
    canonical: bytes = field(repr=False)
    """The document as compact JSON with sorted keys, in UTF-8: the same for every way to write the same document."""
    content_hash: bytes
    """SHA-256 of `canonical`."""
    expressions: tuple[ExpressionSite, ...] = field(repr=False)
    task_hashes: Mapping[str, bytes] = field(repr=False)
    """SHA-256 of each task's canonical JSON, by its pointer."""

    @property
    def namespace(self) -> str:
        """The namespace it is published in."""
        return self.document.document.namespace

    @property
    def name(self) -> str:
        """Its name in the namespace."""
        return self.document.document.name

    @property
    def administrative(self) -> Iterator[str]:
        """The built-in functions that it calls and only an administrator may have called."""
        return (function for _, function, _ in walk_administrative(self.document))

    @property
    def semver(self) -> str:
        """The version that its author gave it."""
        return self.document.document.version


@dataclass(frozen=True, slots=True)
class Examination:
    """What is found out about a text without running it. Never raises, whatever the text."""

    faults: tuple[Fault, ...]
    definition: Definition | None
    """None if there are faults."""
    sound: Workflow | None
    """The document, or what is left of a broken one once its innermost broken tasks are taken out."""
    expressions: tuple[ExpressionSite, ...]
    """Those of the sound part."""


def parse(source: str) -> Definition:
    """Give the definition in a text; raise InvalidDefinition with every fault that `examine` finds."""
    examination = examine(source)
    if examination.definition is None:
        raise InvalidDefinition(examination.faults)
    return examination.definition


def examine(source: str) -> Examination:
    """Read a definition from YAML or JSON text and check all that can be checked without running it.

    Finds every fault at once. What depends on the model is checked in the sound part of a broken document too.
    """
    try:
        reading = read(source)
    except InvalidDefinition as error:
        return Examination(error.faults, None, None, ())
    root = reading.value
    if not isinstance(root, dict):
        fault = Fault("", Reason.WRONG_TYPE, "Write a workflow: an object of keys.")
        return Examination((*reading.faults, fault), None, None, ())
    workflow, faults = validate(root)
    known = workflow or sound_part(root, faults)
    faults += [*reading.faults, *flow_faults(root)]
    sites = tuple(expression_sites(known)) if known else ()
    faults += expression_faults(sites)
    if known:
        faults += reference_faults(known, root)
    definition = _definition(workflow, source, root, sites) if workflow and not faults else None
    return Examination(tuple(faults), definition, known, sites)


def load(canonical: bytes) -> Definition:
    """Restore a definition from its canonical form, without the checks that it passed when it was published.

    Raises ValueError for bytes that are the canonical form of no workflow.
    """
    root = json.loads(canonical)
    workflow, faults = validate(root)
    if workflow is None:
        raise InvalidDefinition(faults)
    return _definition(workflow, canonical.decode(), root, tuple(expression_sites(workflow)))


def canonical_json(value: Json) -> bytes:
    """Write JSON in the one form that hashes are taken of: compact, keys sorted, UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def _definition(document: Workflow, source: str, root: Json, expressions: tuple[ExpressionSite, ...]) -> Definition:
    canonical = canonical_json(root)
    hashes = {task.pointer: _hash(canonical_json(task.body)) for task in raw_tasks(root)}
    return Definition(document, source, canonical, _hash(canonical), expressions, MappingProxyType(hashes))


def _hash(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()
