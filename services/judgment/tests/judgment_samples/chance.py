"""Rulesets and inputs at random: small tables whose thresholds lie where inputs fall."""

import copy
import json
import math
from random import Random
from typing import Any

import numpy as np
from millwright_judgment.domain.input.columns import Column, FlagColumn, NumberColumn, TextColumn
from millwright_judgment.domain.ruleset.fields import FieldType
from millwright_judgment.domain.ruleset.model import Ruleset

from judgment_samples.documents import decision, ruleset, table, weld

TEXTS = ["a", "b", "c", "다", ""]
LEVELS = ["normal", "warning", "critical"]
_SCALES = {"rate": (0.01, 2), "heat": (0.5, 1), "count": (1, 0)}


def random_document(random: Random, *, rules: int | None = None, null_after_comparison: bool = True) -> dict[str, Any]:
    """Give a document of one table or two.

    Without `null_after_comparison`, no cell asks for null after it compared with a number: ZEN never gets that far.
    """
    optional = {name: random.random() < 0.4 for name in ("rate", "heat", "count", "label", "flag")}
    fields = [
        {"field": "rate", "type": "number", "resolution": 0.01},
        {"field": "heat", "type": "number", "resolution": 0.5, "min": -5, "max": 20},
        {"field": "count", "type": "integer"},
        {"field": "label", "type": "string"},
        {"field": "flag", "type": "boolean"},
    ]
    for field in fields:
        if optional[field["field"]]:
            field["missing"] = "allow"
    count = rules or random.randint(1, 12)
    hit = random.choice(["first", "collect"])
    names = random.sample(sorted(optional), random.randint(1, 5))

    def cell(name: str) -> str:
        if random.random() < 0.35:
            return random.choice(["", "  "])
        return _cell(random, name, is_optional=optional[name] and null_after_comparison)

    def row(index: int) -> dict[str, Any]:
        return {
            "_id": f"r{index}",
            **{name: cell(name) for name in names},
            "outcome": f'"{random.choice(LEVELS)}"',
            "confidence": f"{random.randint(0, 100) / 100}",
            "rule": f'"r{index}"',
        }

    if random.random() < 0.7:
        main = table(names, ["outcome", "confidence", "rule"], [row(index) for index in range(count)], hit=hit)
        return weld(inputs=fields, decision=decision(main))
    first_rows = [
        {"_id": f"p{index}", **{name: cell(name) for name in names}, "grade": f"{random.randint(0, 3) / 2}"}
        for index in range(random.randint(1, 4))
    ]
    first = table(names, ["grade"], first_rows, name="first", passes=True)
    rows = [{**row(index), "grade": random.choice(["", "> 0.5", "null", "[0..1]", "1"])} for index in range(count)]
    last = table(["grade", *names], ["outcome", "confidence", "rule"], rows, name="last", hit=hit)
    return weld(inputs=fields, decision=decision(first, last))


def _number(random: Random, name: str) -> str:
    step, decimals = _SCALES[name]
    return f"{random.randint(-4, 20) * step:.{decimals}f}"


def _cell(random: Random, name: str, *, is_optional: bool) -> str:
    if name == "flag":
        return random.choice(["true", "false", "!= true", "true, false", *(["null"] if is_optional else [])])
    if name == "label":
        texts = [f'"{text}"' for text in random.sample(TEXTS, random.randint(1, 3))]
        forms = [", ".join(texts), f"not in [{', '.join(texts)}]", f"in [{', '.join(texts)}]", f"!= {texts[0]}"]
        return random.choice([*forms, *(["null", "!= null", f"null, {texts[0]}"] if is_optional else [])])
    low, high = sorted([_number(random, name), _number(random, name)], key=float)
    begin, end = random.choice("[("), random.choice("])")
    forms = [
        f"{random.choice(['>', '>=', '<', '<=', '==', '!='])} {low}",
        f"{begin}{low}..{high}{end}",
        f"not in {begin}{low}..{high}{end}",
        f"> {low} and <= {high}",
        f"< {low} or > {high}",
        f"{low}, {high}",
        low,
    ]
    return random.choice([*forms, *([f"> {low} or null", "null", f"null, >= {high}"] if is_optional else [])])


def random_inputs(random: Random, rules: Ruleset, count: int) -> list[dict[str, Any]]:
    """Give sound inputs, with null where the schema allows it."""
    inputs = []
    for _ in range(count):
        given: dict[str, Any] = {
            "rate": random.randint(-500, 2_500) / 10_000 if random.random() < 0.6 else near_limit(random),
            "heat": max(-5.0, min(20.0, random.randint(-40, 200) / 10)),
            "count": random.randint(-5, 21),
            "label": random.choice([*TEXTS, "d"]),
            "flag": random.random() < 0.5,
        }
        for field in rules.fields:
            if field.is_nullable and random.random() < 0.25:
                given[field.name] = None
        inputs.append(given)
    return inputs


def near_limit(random: Random) -> float:
    """Give a number at a threshold of the field `rate`, or next to it: by the last bit, or by half a step."""
    limit = random.randint(-4, 20) / 100
    return random.choice(
        [limit, math.nextafter(limit, 9), math.nextafter(limit, -9), limit + 2e-17, limit + 0.005, limit - 0.0049999]
    )


def columns(rules: Ruleset, inputs: list[dict[str, Any]]) -> dict[str, Column]:
    """Give inputs as columns."""
    made: dict[str, Column] = {}
    for field in rules.fields:
        values = [given.get(field.name) for given in inputs]
        is_null = np.array([value is None for value in values])
        if field.type is FieldType.STRING:
            texts = list(dict.fromkeys(value for value in values if value is not None))
            codes = [-1 if value is None else texts.index(value) for value in values]
            made[field.name] = TextColumn(np.array(codes, dtype=np.int32), tuple(texts))
        elif field.type is FieldType.BOOLEAN:
            made[field.name] = FlagColumn(np.array([-1 if v is None else int(v) for v in values], dtype=np.int8))
        else:
            numbers = np.array([np.nan if value is None else float(value) for value in values])
            made[field.name] = NumberColumn(numbers, is_null if is_null.any() else None)
    return made


def random_ruleset(random: Random, **more: Any) -> Ruleset:
    """Give the ruleset of a random document."""
    return ruleset(json.loads(json.dumps(random_document(random, **more))))


def mutated(random: Random, document: dict[str, Any], changes: int = 3) -> dict[str, Any]:
    """Give a later version of a random document: some cells and outputs are others, rules come, go and move."""
    later = copy.deepcopy(document)
    content = next(node for node in reversed(later["decision"]["nodes"]) if node["type"] == "decisionTableNode")[
        "content"
    ]
    optional = {field["field"] for field in later["inputs"] if field.get("missing") == "allow"}
    columns_ = {
        column["id"]: column["field"] for column in content["inputs"] if column["field"] in {*_SCALES, "label", "flag"}
    }
    for number in range(changes):
        rules = content["rules"]
        rule = random.choice(rules)
        match random.choice(["cell", "cell", "cell", "outcome", "confidence", "add", "remove", "move"]):
            case "cell" if columns_:
                column = random.choice(sorted(columns_))
                name = columns_[column]
                rule[column] = random.choice(["", _cell(random, name, is_optional=name in optional)])
            case "outcome":
                rule["o_outcome"] = f'"{random.choice(LEVELS)}"'
            case "confidence":
                rule["o_confidence"] = f"{random.randint(0, 100) / 100}"
            case "add":
                rules.insert(random.randint(0, len(rules)), {**copy.deepcopy(rule), "_id": f"new{number}"})
            case "remove" if len(rules) > 1:
                rules.remove(rule)
            case "move":
                rules.remove(rule)
                rules.insert(random.randint(0, len(rules)), rule)
    return later
