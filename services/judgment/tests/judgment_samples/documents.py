"""Small documents: a weld line's ruleset, and ways to put others together."""

import copy
import json
from typing import Any

from millwright_judgment.domain.ruleset import document
from millwright_judgment.domain.ruleset.document import Reading
from millwright_judgment.domain.ruleset.model import Ruleset

FIELDS = [
    {"field": "defect_rate", "type": "number", "min": 0, "max": 1, "resolution": 0.001},
    {"field": "temperature", "type": "number", "min": -40, "max": 200, "resolution": 0.1, "unit": "°C"},
    {"field": "product", "type": "string", "values": ["widget", "gear"]},
]
ACTIONS = {
    "stop-line": {"priority": 1, "labels": {"en": "Stop the line", "ko": "라인 정지"}},
    "inspect": {"priority": 2, "labels": {"en": "Inspect", "ko": "검사"}},
}


def table(
    inputs: list[str],
    outputs: list[str],
    rows: list[dict[str, Any]],
    *,
    name: str = "main",
    hit: str = "first",
    passes: bool = False,
) -> dict[str, Any]:
    """Give a table's node; rows name their cells by field."""
    return {
        "id": f"node-{name}",
        "name": name,
        "type": "decisionTableNode",
        "position": {"x": 1, "y": 2},
        "content": {
            "hitPolicy": hit,
            "passThrough": passes,
            "inputs": [{"id": f"i_{field}", "name": field, "field": field} for field in inputs],
            "outputs": [{"id": f"o_{field}", "name": field, "field": field} for field in outputs],
            "rules": [
                {
                    key if key.startswith("_") else f"o_{key}" if key in outputs else f"i_{key}": value
                    for key, value in row.items()
                }
                for row in rows
            ],
        },
    }


def decision(*tables: dict[str, Any]) -> dict[str, Any]:
    """Give a decision of tables in a chain."""
    ids = ["begin", *(each["id"] for each in tables), "end"]
    return {
        "nodes": [
            {"id": "begin", "name": "Request", "type": "inputNode", "position": {"x": 0, "y": 0}},
            *tables,
            {"id": "end", "name": "Response", "type": "outputNode", "position": {"x": 9, "y": 0}},
        ],
        "edges": [
            {"id": f"e{place}", "type": "edge", "sourceId": ids[place], "targetId": ids[place + 1]}
            for place in range(len(ids) - 1)
        ],
    }


WELD_ROWS = [
    {
        "_id": "r-critical",
        "_description": "too many defects",
        "defect_rate": "> 0.08",
        "outcome": '"critical"',
        "confidence": "0.95",
        "actions": '["inspect", "stop-line"]',
        "explanation_en": '"{defect_rate} defects on {product}"',
        "explanation_ko": '"{product} 불량률 {defect_rate}"',
    },
    {
        "_id": "r-warm",
        "defect_rate": "[0.03..0.08]",
        "temperature": "> 70",
        "product": '"widget"',
        "outcome": '"warning"',
        "confidence": "0.8",
        "actions": '"inspect"',
    },
    {"_id": "r-hot", "temperature": ">= 120", "outcome": '"warning"', "confidence": "0.85"},
    {"_id": "r-normal", "outcome": '"normal"', "confidence": "0.99"},
]
WELD_INPUTS = ["defect_rate", "temperature", "product"]
WELD_OUTPUTS = ["outcome", "confidence", "actions", "explanation_en", "explanation_ko"]


def weld(rows: list[dict[str, Any]] | None = None, **more: Any) -> dict[str, Any]:
    """Give the weld line's document, with other rows or keys."""
    main = table(WELD_INPUTS, WELD_OUTPUTS, WELD_ROWS if rows is None else rows)
    return copy.deepcopy(
        {
            "namespace": "line",
            "name": "weld",
            "version": "1.0.0",
            "inputs": FIELDS,
            "actions": ACTIONS,
            "decision": decision(main),
            **more,
        }
    )


def weld_rows(**changes: dict[str, Any]) -> list[dict[str, Any]]:
    """Give the weld line's rows, those of the ids named (`r_hot` for `r-hot`) with other cells."""
    return [{**row, **changes.get(row["_id"].replace("-", "_"), {})} for row in WELD_ROWS]


def reading(value: dict[str, Any]) -> Reading:
    """Read a document."""
    return document.read(json.dumps(value))


def ruleset(value: dict[str, Any]) -> Ruleset:
    """Read a document that is sound."""
    read = reading(value)
    assert not read.findings, read.findings
    return read.require()
