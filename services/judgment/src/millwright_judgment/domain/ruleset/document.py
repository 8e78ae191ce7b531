"""Reads a ruleset's document: the envelope around the tables, and what the tables must put out for it.

`read` finds everything that is wrong at once. A ruleset is given only if nothing is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from millwright_runtime.errors import Violation
from millwright_runtime.json import Json

from millwright_judgment.domain.errors import InvalidRuleset
from millwright_judgment.domain.findings import ANALYSIS, Code, Finding
from millwright_judgment.domain.ruleset import outputs, source
from millwright_judgment.domain.ruleset.graph import read_chain
from millwright_judgment.domain.ruleset.limits import ACTIONS, EXAMPLES, LEVELS
from millwright_judgment.domain.ruleset.model import (
    DEFAULT_BLOCKING,
    DEFAULT_LEVELS,
    Acknowledgement,
    Action,
    Example,
    Roles,
    Ruleset,
)
from millwright_judgment.domain.ruleset.promises import check_promises
from millwright_judgment.domain.ruleset.reader import IDENTIFIER, LANGUAGES, SLUG, Reader, Steps
from millwright_judgment.domain.ruleset.schema import read_fields
from millwright_judgment.domain.ruleset.tables import read_tables

FORMAT = "1.0"
EXPECTED_WORDS = ("INDETERMINATE", "NO_MATCH", "ERROR")
"""What an example can expect beside an outcome."""
_KEYS = (
    "format",
    "namespace",
    "name",
    "version",
    "titles",
    "inputs",
    "levels",
    "outputs",
    "actions",
    "default",
    "examples",
    "blocking",
    "acknowledge",
    "decision",
)
_SEMVER = re.compile(r"(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})(-[0-9A-Za-z.-]{1,40})?", re.ASCII)
_LEVEL = re.compile(r"[a-z][a-z0-9_-]{0,62}", re.ASCII)
_SLUG_HINT = "Write 1 to 63 of a-z, 0-9 and dashes here; the first and the last are no dash."


@dataclass(frozen=True, slots=True)
class Reading:
    """A ruleset, or everything that is wrong with its document."""

    ruleset: Ruleset | None
    findings: tuple[Finding, ...]
    rule_places: Mapping[str, str]
    """The JSON pointer of each rule, by its id."""

    def require(self) -> Ruleset:
        """Give the ruleset; raise InvalidRuleset with every finding if there is none."""
        if self.ruleset is None:
            raise InvalidRuleset([violation(finding) for finding in self.findings])
        return self.ruleset


def violation(finding: Finding) -> Violation:
    """Give a finding as a violation: its pointer is the field."""
    return Violation(finding.pointer, finding.code, finding.message)


def read(text: str) -> Reading:
    """Read a document, JSON text."""
    read_source = source.read(text)
    if any(finding.code is not Code.DUPLICATE_KEY for finding in read_source.findings):
        return Reading(None, read_source.findings, MappingProxyType({}))
    return read_value(read_source.value, read_source.findings)


def read_value(value: Json, findings: Sequence[Finding] = ()) -> Reading:
    """Read a document that is JSON already, of which `findings` are known."""
    reader = Reader()
    reader.findings += findings
    document = reader.object(value, (), _KEYS, required=("namespace", "name", "version", "inputs", "decision"))
    if document.get("format", FORMAT) != FORMAT:
        reader.note(Code.INVALID_VALUE, ("format",), f"Write {FORMAT} here, the only format there is.")
    fields = read_fields(reader, document.get("inputs", []), ("inputs",))
    nodes = read_chain(reader, document.get("decision", {}), ("decision",)) if document.get("decision") else []
    tables, places = read_tables(reader, nodes, fields)
    levels = _levels(reader, document)
    roles = _roles(reader, document)
    actions = _actions(reader, document)
    ruleset = Ruleset(
        namespace=_slug(reader, document, "namespace"),
        name=_slug(reader, document, "name"),
        version=_version(reader, document),
        fields=fields,
        tables=tables,
        titles=reader.texts_by_language(document.get("titles"), ("titles",)),
        levels=levels,
        roles=roles,
        actions=actions,
        default=_default(reader, document),
        examples=_examples(reader, document, levels, frozenset(places)),
        blocking=_blocking(reader, document),
        acknowledgement=_acknowledgement(reader, document),
    )
    if tables:
        check_promises(reader, ruleset, nodes[-1], places)
    pointers = {rule: "".join(f"/{step}" for step in steps) for rule, steps in places.items()}
    return Reading(None if reader.findings else ruleset, tuple(reader.findings), MappingProxyType(pointers))


def _slug(reader: Reader, document: Mapping[str, Any], key: str) -> str:
    return reader.matching(document[key], (key,), SLUG, _SLUG_HINT) or "" if document.get(key) is not None else ""


def _version(reader: Reader, document: Mapping[str, Any]) -> str:
    if document.get("version") is None:
        return ""
    return reader.matching(document["version"], ("version",), _SEMVER, "Write a version such as 1.0.0 here.") or ""


def _levels(reader: Reader, document: Mapping[str, Any]) -> tuple[str, ...]:
    if document.get("levels") is None:
        return DEFAULT_LEVELS
    hint = "Name an outcome by a-z, 0-9, dashes and underscores, and begin with a letter."
    items = reader.list(document["levels"], ("levels",), LEVELS)
    named = [level for at, item in items if (level := reader.matching(item, at, _LEVEL, hint)) is not None]
    if len(set(named)) < len(named) or not named:
        reader.note(Code.INVALID_VALUE, ("levels",), "Name each outcome once, the least severe first.")
    return tuple(named)


def _roles(reader: Reader, document: Mapping[str, Any]) -> Roles:
    defaults = Roles(explanations={language: f"explanation_{language}" for language in LANGUAGES})
    if document.get("outputs") is None:
        return defaults
    read = reader.object(document["outputs"], ("outputs",), ("outcome", "confidence", "actions", "explanations"))
    named = {
        role: reader.matching(read[role], ("outputs", role), IDENTIFIER, "Name an output column's field here.")
        for role in ("outcome", "confidence", "actions")
        if role in read
    }
    explanations = reader.texts_by_language(read.get("explanations"), ("outputs", "explanations"))
    roles = Roles(
        named.get("outcome") or defaults.outcome,
        named.get("confidence") or defaults.confidence,
        named.get("actions") or defaults.actions,
        explanations if "explanations" in read else defaults.explanations,
    )
    if len(roles.fields) < 3 + len(roles.explanations):
        reader.note(Code.INVALID_VALUE, ("outputs",), "Two roles have one field: give each its own.")
    return roles


def _actions(reader: Reader, document: Mapping[str, Any]) -> dict[str, Action]:
    if document.get("actions") is None:
        return {}
    read = reader.object(document["actions"], ("actions",))
    if len(read) > ACTIONS:
        reader.note(Code.TOO_MANY, ("actions",), f"Keep at most {ACTIONS} actions.")
        return {}
    actions = {}
    for code, item in read.items():
        at: Steps = ("actions", code)
        action = reader.object(item, at, ("priority", "labels"))
        reader.matching(code, at, SLUG, _SLUG_HINT)
        priority = action.get("priority", 1)
        if isinstance(priority, bool) or not isinstance(priority, int) or not 1 <= priority <= 100:
            reader.note(Code.INVALID_VALUE, (*at, "priority"), "Write a whole number from 1, the most urgent, to 100.")
            priority = 1
        actions[code] = Action(code, priority, reader.texts_by_language(action.get("labels"), (*at, "labels")))
    return actions


def _default(reader: Reader, document: Mapping[str, Any]) -> dict[str, outputs.Output]:
    if document.get("default") is None:
        return {}
    read = reader.object(document["default"], ("default",))
    return {name: outputs.constant(value) for name, value in read.items() if value is not None}


def _examples(
    reader: Reader, document: Mapping[str, Any], levels: Sequence[str], rules: frozenset[str]
) -> tuple[Example, ...]:
    if document.get("examples") is None:
        return ()
    examples = []
    for at, item in reader.list(document["examples"], ("examples",), EXAMPLES):
        read = reader.object(item, at, ("name", "input", "expect"), required=("input", "expect"))
        given = reader.object(read.get("input", {}), (*at, "input"))
        expected = reader.object(read.get("expect", {}), (*at, "expect"), ("outcome", "rule"))
        outcome, rule = expected.get("outcome"), expected.get("rule")
        if outcome is not None:
            outcome = reader.choice(outcome, (*at, "expect", "outcome"), [*levels, *EXPECTED_WORDS])
        if rule is not None and (not isinstance(rule, str) or rule not in rules):
            reader.note(Code.INVALID_VALUE, (*at, "expect", "rule"), "No rule has this id.")
        if expected.get("outcome") is None and rule is None:
            reader.note(Code.MISSING_KEY, (*at, "expect"), "Say which outcome or which rule is expected.")
        name = reader.text(read.get("name", f"example {at[-1]}"), (*at, "name")) or ""
        examples.append(Example(name, given, outcome, rule if isinstance(rule, str) else None))
    return tuple(examples)


def _blocking(reader: Reader, document: Mapping[str, Any]) -> frozenset[Code]:
    if document.get("blocking") is None:
        return DEFAULT_BLOCKING
    items = reader.list(document["blocking"], ("blocking",), len(Code))
    chosen = [reader.choice(item, at, sorted(ANALYSIS)) for at, item in items]
    return frozenset(Code(code) for code in chosen if code is not None)


def _acknowledgement(reader: Reader, document: Mapping[str, Any]) -> Acknowledgement:
    chosen = document.get("acknowledge", Acknowledgement.STORED)
    return Acknowledgement(reader.choice(chosen, ("acknowledge",), list(Acknowledgement)) or Acknowledgement.STORED)
