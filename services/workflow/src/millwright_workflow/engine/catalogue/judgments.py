"""The catalogue's `judge`: what its arguments are to the judgment service, and what an instance gets of the answer."""

from __future__ import annotations

from typing import Any

from millwright_runtime.json import Json, JsonObject

from millwright_workflow.domain.interpreter import errors

_KINDS = {bool: "flag", float: "number", int: "number", str: "text"}


def request(pointer: str, arguments: JsonObject, key: str) -> JsonObject:
    """Give the JudgeRequest; throw a validation fault for an input that is none."""
    given: Any = arguments
    values = given["input"]
    if not isinstance(values, dict):
        raise errors.validation(pointer, "The function 'judge' judges an object: its input has values by field.")
    wanted = {name: given[name] for name in ("segment", "eventTime", "routingKey") if name in given}
    return {
        "ruleset": _ruleset(given),
        "input": {"values": {name: _value(pointer, name, value) for name, value in values.items()}},
        "idempotencyKey": key,
        **wanted,
    }


def output(_: str, __: JsonObject, answer: JsonObject) -> Json:
    """Give the judgment in plain JSON, and the name of the execution that it is stored as."""
    execution: Any = answer["execution"]
    judgment = execution["judgment"]
    return {
        "execution": execution["name"],
        "version": execution["version"],
        "status": judgment["status"].removeprefix("STATUS_"),
        "outcome": judgment["outcome"] or None,
        "level": judgment["level"],
        "confidence": judgment["confidence"],
        "winningRule": judgment["winningRule"] or None,
        "matchedRules": judgment["matchedRules"],
        "actions": judgment["actions"],
        "explanations": judgment["explanations"],
        "outputs": {name: next(iter(value.values()), None) for name, value in judgment["outputs"].items()},
        "problems": judgment["problems"],
    }


def _ruleset(arguments: Any) -> str:
    name = f"rulesets/{arguments['ruleset']}"
    if "version" in arguments:
        return f"{name}/versions/{arguments['version']}"
    return f"{name}/channels/{arguments['channel']}" if "channel" in arguments else name


def _value(pointer: str, name: str, value: Json) -> JsonObject:
    if value is None:
        return {}
    kind = _KINDS.get(type(value))
    if kind is None:
        detail = f"The function 'judge' takes numbers, texts, true, false and null: {name!r} is none of them."
        raise errors.validation(pointer, detail)
    return {kind: value}
