"""The canonical form of a ruleset, and its hash: the same content is the same version.

Two documents have one canonical form if they say the same, however they are laid out: positions of nodes, ids of edges
and columns, order of keys and white space are left out. Reading a canonical form gives the ruleset again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from millwright_runtime.json import Json

from millwright_judgment.domain.ruleset.fields import Field, Missing, Outside
from millwright_judgment.domain.ruleset.graph import INPUT, OUTPUT, TABLE
from millwright_judgment.domain.ruleset.model import Column, Rule, Ruleset, Table
from millwright_judgment.domain.ruleset.outputs import Output, Reference


def to_text(ruleset: Ruleset) -> str:
    """Give the canonical form."""
    return json.dumps(to_document(ruleset), ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def content_hash(ruleset: Ruleset) -> bytes:
    """Give the SHA-256 of the canonical form in UTF-8."""
    return hashlib.sha256(to_text(ruleset).encode()).digest()


def to_document(ruleset: Ruleset) -> dict[str, Json]:
    """Give a ruleset as a document; what is as by default is left out."""
    actions = {
        code: {"priority": action.priority, **({"labels": dict(action.labels)} if action.labels else {})}
        for code, action in ruleset.actions.items()
    }
    document: dict[str, Any] = {
        "format": "1.0",
        "namespace": ruleset.namespace,
        "name": ruleset.name,
        "version": ruleset.version,
        "titles": dict(ruleset.titles),
        "inputs": [_field(field) for field in ruleset.fields],
        "levels": list(ruleset.levels),
        "outputs": {
            "outcome": ruleset.roles.outcome,
            "confidence": ruleset.roles.confidence,
            "actions": ruleset.roles.actions,
            "explanations": dict(ruleset.roles.explanations),
        },
        "actions": actions,
        "default": {name: _value(output) for name, output in ruleset.default.items()},
        "examples": [
            {
                "name": example.name,
                "input": dict(example.input),
                "expect": _present({"outcome": example.outcome, "rule": example.rule}),
            }
            for example in ruleset.examples
        ],
        "blocking": sorted(ruleset.blocking),
        "acknowledge": str(ruleset.acknowledgement),
        "decision": to_decision(ruleset),
    }
    return document


def to_decision(ruleset: Ruleset) -> dict[str, Json]:
    """Give the tables as a GoRules decision (JDM), for its editor and engine."""
    ids = ["input", *(f"table-{index + 1}" for index in range(len(ruleset.tables))), "output"]
    nodes: list[Json] = [_node("input", INPUT, "Input", 0)]
    for index, table in enumerate(ruleset.tables):
        node = _node(ids[index + 1], TABLE, table.name, index + 1)
        node["content"] = _content(table)
        nodes.append(node)
    nodes.append(_node("output", OUTPUT, "Output", len(ruleset.tables) + 1))
    edges: list[Json] = [
        {"id": f"edge-{index + 1}", "type": "edge", "sourceId": ids[index], "targetId": ids[index + 1]}
        for index in range(len(ids) - 1)
    ]
    return {"contentType": "application/vnd.gorules.decision", "nodes": nodes, "edges": edges}


def _node(id_: str, kind: str, name: str, place: int) -> dict[str, Json]:
    return {"id": id_, "type": kind, "name": name, "position": {"x": 100 + 300 * place, "y": 100}}


def _content(table: Table) -> dict[str, Json]:
    inputs = {column.field: f"in-{index + 1}" for index, column in enumerate(table.inputs)}
    outputs = {column.field: f"out-{index + 1}" for index, column in enumerate(table.outputs)}
    return {
        "hitPolicy": str(table.hit_policy),
        "passThrough": table.passes_through,
        "inputField": None,
        "outputPath": None,
        "executionMode": "single",
        "inputs": [_column(column, inputs) for column in table.inputs],
        "outputs": [_column(column, outputs) for column in table.outputs],
        "rules": [_rule(rule, inputs, outputs) for rule in table.rules],
    }


def _column(column: Column, ids: Mapping[str, str]) -> Json:
    return {"id": ids[column.field], "name": column.name, "field": column.field}


def _rule(rule: Rule, inputs: Mapping[str, str], outputs: Mapping[str, str]) -> Json:
    row: dict[str, Json] = {"_id": rule.id, "_description": rule.description}
    row.update({id_: rule.cells[field].text if field in rule.cells else "" for field, id_ in inputs.items()})
    row.update({id_: _text(rule.outputs.get(field)) for field, id_ in outputs.items()})
    return row


def _text(output: Output | None) -> str:
    if output is None:
        return ""
    return output.field if isinstance(output, Reference) else output.json


def _value(output: Output) -> Json:
    assert not isinstance(output, Reference)
    return output.value


def _field(field: Field) -> Json:
    return _present(
        {
            "field": field.name,
            "type": str(field.type),
            "unit": field.unit or None,
            "resolution": _number(field, 1),
            "min": _number(field, field.low),
            "max": _number(field, field.high),
            "values": list(field.values) or None,
            "missing": None if field.missing is Missing.ERROR else str(field.missing),
            "default": field.default,
            "outside": None if field.outside is Outside.ERROR else str(field.outside),
            "titles": dict(field.titles) or None,
        }
    )


def _number(field: Field, step: int | None) -> Json:
    return None if field.grid is None or step is None else field.scalar(step)


def _present(values: dict[str, Any]) -> dict[str, Json]:
    return {key: value for key, value in values.items() if value is not None}
