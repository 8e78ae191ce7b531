"""Definitions as the tests publish them."""

import json

NAME = "workflows/plant.line"
PROD = f"{NAME}/channels/prod"

SET = [{"measure": {"set": {"ok": True}}}]
WAIT = [{"rest": {"wait": {"hours": 1}}}]
RAISE = [{"fail": {"raise": {"error": {"type": "https://plant.example/errors/seal", "status": 500, "title": "Seal"}}}}]


def written(do=SET, version="1.0.0", metadata=None, **sections) -> str:
    """Write a definition of the workflow `plant.line`."""
    document = {"dsl": "1.0.1", "namespace": "plant", "name": "line", "version": version, "metadata": metadata or {}}
    return json.dumps({"document": document, "do": do, **sections})


def get(url: str, name: str = "ask", **more) -> dict:
    """Give a task that asks a web server."""
    return {name: {"call": "http", "with": {"method": "get", "endpoint": url, **more}}}


def version_name(number: int, workflow: str = NAME) -> str:
    """Give the resource name of a version."""
    return f"{workflow}/versions/{number}"
