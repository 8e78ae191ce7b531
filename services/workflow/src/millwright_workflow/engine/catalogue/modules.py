"""The catalogue's `install-module`: what its arguments are to the modules service, and what it gives."""

from __future__ import annotations

import uuid
from typing import Any

from millwright_runtime.json import Json, JsonObject

from millwright_workflow.domain.interpreter import errors

_ENDS = frozenset({"STAGE_COMPLETED", "STAGE_FAILED", "STAGE_CANCELLED", "STAGE_ROLLED_BACK"})
_COMPLETED = "STAGE_COMPLETED"
_FAILED_DEPENDENCY = 424


def request(_: str, arguments: JsonObject, key: str) -> JsonObject:
    """Give the InstallModuleRequest; its id is made of the key."""
    options = {"reason": arguments["reason"]} if "reason" in arguments else {}
    return {
        "upload": arguments["upload"],
        "options": options,
        "requestId": str(uuid.uuid5(uuid.NAMESPACE_URL, key)),
    }


def look(answer: JsonObject) -> JsonObject | None:
    """Give the GetOperationRequest that looks at the operation again; None if it has ended."""
    operation: Any = answer["operation"]
    return None if operation["stage"] in _ENDS else {"name": operation["name"]}


def output(pointer: str, _: JsonObject, answer: JsonObject) -> Json:
    """Give what is live now; throw a communication fault, with the first problem, if the install did not complete."""
    operation: Any = answer["operation"]
    if operation["stage"] != _COMPLETED:
        said = next((problem["messages"].get("en", problem["reason"]) for problem in operation["problems"]), "")
        detail = f"{operation['name']} is {operation['stage'].removeprefix('STAGE_')}: {said or 'it was stopped'}"
        raise errors.communication(pointer, detail, _FAILED_DEPENDENCY)
    return {"operation": operation["name"], "module": operation["module"], "version": operation["version"]}
