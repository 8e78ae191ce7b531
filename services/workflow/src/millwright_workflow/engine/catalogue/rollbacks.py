"""The catalogue's `rollback-ruleset`: what its arguments are to the judgment service, and what it gives."""

from __future__ import annotations

import uuid
from typing import Any

from millwright_runtime.json import Json, JsonObject


def request(_: str, arguments: JsonObject, key: str) -> JsonObject:
    """Give the RollbackVersionRequest; its id is made of the key."""
    given: Any = arguments
    numbers = {"targetVersion": given.get("version"), "sourceVersion": given.get("from")}
    return {
        "channel": f"rulesets/{given['ruleset']}/channels/{given['channel']}",
        "reason": given["reason"],
        "requestId": str(uuid.uuid5(uuid.NAMESPACE_URL, key)),
        **{name: number for name, number in numbers.items() if number is not None},
    }


def output(_: str, __: JsonObject, answer: JsonObject) -> Json:
    """Give where the channel points now, and from where it came."""
    channel: Any = answer["channel"]
    release: Any = answer.get("release") or {}
    return {
        "channel": channel["name"],
        "version": channel["version"],
        "fromVersion": release.get("fromVersion") or None,
        "changed": answer["changed"],
        "release": release.get("name"),
    }
