"""GoRules decision files (JDM): turned into documents of ours, with an input schema drafted from what the cells say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from millwright_runtime.json import Json

from millwright_judgment.domain.findings import Code, Finding
from millwright_judgment.domain.ruleset import cells, outputs, source
from millwright_judgment.domain.ruleset.cells import CellFault
from millwright_judgment.domain.ruleset.conditions import AllOf, AnyOf, Condition, Not, OneOf, Truth, numbers_in
from millwright_judgment.domain.ruleset.document import Reading, read_value
from millwright_judgment.domain.ruleset.graph import TableNode, read_chain
from millwright_judgment.domain.ruleset.reader import IDENTIFIER, Reader


def import_decision(text: str, namespace: str, name: str, version: str) -> tuple[dict[str, Json], tuple[Finding, ...]]:
    """Turn a decision file into a document, and give all that is to be mended before it can be published.

    The tables stay as they are. Each input column becomes a field: a number if cells compare it with numbers, with the
    resolution of the finest of them; a boolean; else a text. Outcomes that are none of the default levels become levels
    in the order in which they appear, which is the first thing to look at.
    """
    read = source.read(text)
    if any(finding.code is not Code.DUPLICATE_KEY for finding in read.findings):
        return {}, read.findings
    reader = Reader()
    nodes = read_chain(reader, read.value, ())
    document: dict[str, Any] = {
        "format": "1.0",
        "namespace": namespace,
        "name": name,
        "version": version,
        "inputs": _fields(nodes),
        "decision": read.value,
    }
    levels = _levels(nodes[-1]) if nodes else []
    if levels:
        document["levels"] = levels
    actions = _actions(nodes[-1]) if nodes else []
    if actions:
        document["actions"] = {code: {"priority": 1} for code in actions}
    reading: Reading = read_value(document, read.findings)
    return document, reading.findings


def _fields(nodes: Sequence[TableNode]) -> list[Json]:
    put_out: set[str] = set()
    conditions: dict[str, list[Condition]] = {}
    for node in nodes:
        for column in _columns(node, "inputs"):
            if column["field"] not in put_out:
                conditions.setdefault(column["field"], []).extend(_conditions(node, column["id"]))
        put_out |= {column["field"] for column in _columns(node, "outputs")}
    return [_drafted(field, found) for field, found in conditions.items()]


def _columns(node: TableNode, key: str) -> Iterator[Mapping[str, str]]:
    columns = node.content.get(key)
    for column in columns if isinstance(columns, list) else []:
        is_named = isinstance(column, dict) and isinstance(column.get("id"), str)
        if is_named and isinstance(column.get("field"), str) and IDENTIFIER.fullmatch(column["field"]):
            yield column


def _cells(node: TableNode, column: str) -> Iterator[str]:
    rules = node.content.get("rules")
    for rule in rules if isinstance(rules, list) else []:
        cell = rule.get(column) if isinstance(rule, dict) else None
        if isinstance(cell, str):
            yield cell


def _conditions(node: TableNode, column: str) -> Iterator[Condition]:
    for cell in _cells(node, column):
        try:
            yield cells.parse(cell)
        except CellFault:
            continue  # it is a finding of the document


def _drafted(field: str, conditions: Sequence[Condition]) -> Json:
    numbers = [number for condition in conditions for number in numbers_in(condition)]
    literals = [literal for condition in conditions for literal in _literals(condition)]
    missing = {"missing": "allow"} if any(literal is None for literal in literals) else {}
    if numbers:
        finest = min(min(0, _exponent(number)) for number in numbers)
        return {"field": field, "type": "number", "resolution": float(Decimal(1).scaleb(finest)), **missing}
    kind = "boolean" if any(isinstance(literal, Truth) for literal in literals) else "string"
    return {"field": field, "type": kind, **missing}


def _literals(condition: Condition) -> Iterator[object]:
    match condition:
        case OneOf(literals):
            yield from literals
        case Not(negated):
            yield from _literals(negated)
        case AllOf(parts) | AnyOf(parts):
            for part in parts:
                yield from _literals(part)


def _exponent(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int)
    return exponent


def _constants(node: TableNode, field: str) -> Iterator[Json]:
    for column in _columns(node, "outputs"):
        if column["field"] == field:
            for cell in _cells(node, column["id"]):
                try:
                    output = outputs.parse(cell)
                except CellFault:
                    continue
                if isinstance(output, outputs.Constant):
                    yield output.value


def _levels(node: TableNode) -> list[str]:
    """Give the outcomes as levels, unless the default ones will do."""
    found = list(dict.fromkeys(value for value in _constants(node, "outcome") if isinstance(value, str)))
    return [] if set(found) <= {"normal", "warning", "critical"} else found


def _actions(node: TableNode) -> list[str]:
    codes: dict[str, None] = {}
    for value in _constants(node, "actions"):
        listed = value if isinstance(value, list) else [value]
        codes.update({code: None for code in listed if isinstance(code, str)})
    return list(codes)
