"""The table of 20 rows and the inputs that the bench of judgment judges by and judges."""

from __future__ import annotations

from random import Random
from typing import Any

from millwright.judgment.v1 import judgment_pb2

RULES = 20
RULESET = "rulesets/bench.table"
PRODUCTS = ("widget", "gear", "shaft", "plate")
FIELDS = ("defect_rate", "temperature", "product")
_OUTPUTS = ("outcome", "confidence", "note")

Given = dict[str, float | str]


def ruleset() -> dict[str, Any]:
    """Give a table of 20 rules on three fields, of which the last takes what is left."""
    rows: list[dict[str, str]] = []
    for number in range(RULES - 1):
        outcome = ("critical", "warning", "normal")[number % 3]
        rows.append(
            {
                "_id": f"r{number:02}",
                "i0": f"> {0.19 - number * 0.009:.3f}" if number % 2 else "",
                "i1": f"[{140 - number * 6}..{150 - number * 6}]" if number % 3 else f"> {148 - number * 2}",
                "i2": f'"{PRODUCTS[number % 4]}"' if number % 5 else "",
                **_outputs(outcome, f"{0.99 - number / 100:.2f}", f"r{number:02}"),
            }
        )
    rows.append({"_id": "rest", "i0": "", "i1": "", "i2": "", **_outputs("normal", "0.99", "rest")})
    content = {
        "hitPolicy": "first",
        "inputs": [{"id": f"i{place}", "name": name, "field": name} for place, name in enumerate(FIELDS)],
        "outputs": [{"id": f"o{place}", "name": name, "field": name} for place, name in enumerate(_OUTPUTS)],
        "rules": rows,
    }
    nodes = [
        {"id": "in", "type": "inputNode", "name": "in", "position": {"x": 0, "y": 0}},
        {"id": "table", "type": "decisionTableNode", "name": "table", "position": {"x": 1, "y": 0}, "content": content},
        {"id": "out", "type": "outputNode", "name": "out", "position": {"x": 2, "y": 0}},
    ]
    edges = [
        {"id": f"e{at}", "type": "edge", "sourceId": before, "targetId": after}
        for at, (before, after) in enumerate((("in", "table"), ("table", "out")))
    ]
    return {
        "namespace": "bench",
        "name": "table",
        "version": "1.0.0",
        "inputs": [
            {"field": "defect_rate", "type": "number", "resolution": 0.001, "min": 0, "max": 1},
            {"field": "temperature", "type": "number", "resolution": 0.1, "min": -40, "max": 200},
            {"field": "product", "type": "string", "values": list(PRODUCTS)},
        ],
        "blocking": [],
        "decision": {"nodes": nodes, "edges": edges},
    }


def later_ruleset() -> dict[str, Any]:
    """Give the table with three rules edited: one asks for less, one for more, and one puts out something else."""
    later = ruleset()
    rules = later["decision"]["nodes"][1]["content"]["rules"]
    rules[1]["i0"] = "> 0.171"
    rules[4]["i1"] = "[118..126]"
    rules[7]["o0"] = '"critical"'
    return {**later, "version": "2.0.0"}


def _outputs(outcome: str, confidence: str, note: str) -> dict[str, str]:
    return {"o0": f'"{outcome}"', "o1": confidence, "o2": f'"{note}"'}


def inputs(count: int) -> list[Given]:
    """Give inputs, on their fields' resolution."""
    random = Random(20)
    return [
        {
            "defect_rate": random.randint(0, 200) / 1000,
            "temperature": random.randint(-100, 1600) / 10,
            "product": random.choice(PRODUCTS),
        }
        for _ in range(count)
    ]


def message(given: Given) -> judgment_pb2.Input:
    """Give an input as it is sent."""
    values = {
        name: judgment_pb2.Value(text=value) if isinstance(value, str) else judgment_pb2.Value(number=value)
        for name, value in given.items()
    }
    return judgment_pb2.Input(values=values)
