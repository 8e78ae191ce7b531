"""The catalogue's `run-pipeline`: what its arguments are to the etl service, and what an instance gets of the run."""

from __future__ import annotations

import uuid
from typing import Any

from millwright_runtime.json import Json, JsonObject

from millwright_workflow.domain.interpreter import errors

_OPEN = frozenset({"STATE_PENDING", "STATE_RUNNING"})
_COMPLETED = "STATE_COMPLETED"
_FAILED_DEPENDENCY = 424


def request(_: str, arguments: JsonObject, key: str) -> JsonObject:
    """Give the RunPipelineRequest; its id is made of the key."""
    return {**arguments, "requestId": str(uuid.uuid5(uuid.NAMESPACE_URL, key))}


def look(answer: JsonObject) -> JsonObject | None:
    """Give the GetRunRequest that looks at the run again; None if it has ended."""
    run: Any = answer["run"]
    return {"name": run["name"]} if run["state"] in _OPEN else None


def output(pointer: str, _: JsonObject, answer: JsonObject) -> Json:
    """Give what the run counted, in plain JSON; throw a communication fault for a run that was not completed."""
    run: Any = answer["run"]
    state = run["state"].removeprefix("STATE_")
    if run["state"] != _COMPLETED:
        detail = f"{run['name']} is {state}: {run['error'] or 'it was stopped'}"
        raise errors.communication(pointer, detail, _FAILED_DEPENDENCY)
    return {
        "run": run["name"],
        "state": state,
        "fromDate": run["fromDate"] or None,
        "toDate": run["toDate"] or None,
        "windows": run["progress"]["windowsTotal"],
        "counts": {name: float(count) for name, count in run.get("counts", {}).items()},
    }
