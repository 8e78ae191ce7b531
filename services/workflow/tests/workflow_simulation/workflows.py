"""The workflows that the simulation runs: together they use every task whose course the engine itself drives."""

import json
from functools import cache

from millwright_workflow.domain import definition
from millwright_workflow.domain.interpreter import WorkflowPlan, plan_workflow


def call(name: str, **more) -> dict:
    """Give a task that calls the plant."""
    endpoint = f"http://plant.example/{name}"
    return {
        name: {"call": "http", "with": {"method": "post", "endpoint": endpoint}, "output": {"as": "${ . }"}, **more}
    }


def each(name: str, *tasks: dict) -> dict:
    """Give a task that does tasks for each of three parts."""
    return {name: {"for": {"each": "part", "in": "${ [1, 2, 3] }"}, "do": [*tasks]}}


def retried(name: str, *tasks: dict) -> dict:
    """Give a task that does tasks until they succeed, at most five times."""
    retry = {"delay": {"milliseconds": 300}, "backoff": {"linear": {}}, "limit": {"attempt": {"count": 4}}}
    return {name: {"try": [*tasks], "catch": {"retry": retry, "do": [{f"{name}-failed": {"set": {"failed": True}}}]}}}


def fork(name: str, *branches: dict, compete: bool = False) -> dict:
    """Give a task that does branches side by side."""
    return {name: {"fork": {"compete": compete, "branches": [*branches]}}}


def group(name: str, *tasks: dict) -> dict:
    """Give a task that does tasks."""
    return {name: {"do": [*tasks]}}


def wait(name: str, milliseconds: int) -> dict:
    """Give a task that waits."""
    return {name: {"wait": {"milliseconds": milliseconds}}}


def undoes(task: dict, name: str = "take-back") -> dict:
    """Give a task that names its undo."""
    [(key, what)] = task.items()
    return {key: {**what, "metadata": {"undo": name}}}


FUNCTIONS = {
    "take-back": call("take-back")["take-back"],
    "unpack": {"do": [call("open"), wait("air", 200), call("empty")]},
    "flaky-undo": retried("flaky-undo", call("flaky-undoing"))["flaky-undo"],
    "clumsy": {"try": [call("flaky-hand")], "catch": {"errors": {"with": {"status": 418}}, "do": []}},
}
"""What undoes tasks. That which is clumsy faults the first times."""
LINES: list[list[dict]] = [
    [{"begin": {"set": {"n": 1}}}, call("weld"), call("paint"), {"end-state": {"set": {"ok": True}}}],
    [each("parts", call("press"), {"note": {"set": {"pressed": True}}})],
    [retried("try-oven", call("flaky-oven")), wait("cool", 700), call("pack")],
    [
        fork(
            "both",
            group("left", call("left-arm"), call("left-hand")),
            group("right", call("right-arm"), wait("rest", 400)),
        )
    ],
    [
        fork("race", group("quick", call("robot")), group("slow", wait("slowly", 900), call("person")), compete=True),
        call("ship"),
    ],
    [
        call("measure"),
        {"which": {"switch": [{"hot": {"when": "${ .heat > 5 }", "then": "chill"}}, {"other": {"then": "seal"}}]}},
        call("chill", then="seal"),
        call("seal"),
        wait("settle", 1500),
        call("label", timeout={"after": {"seconds": 20}}),
    ],
    [
        each("rounds", fork("pair", call("one"), call("two")), wait("gap", 150)),
        retried("try-stamp", call("flaky-stamp")),
    ],
    [
        undoes(call("reserve")),
        each("boxes", undoes(call("box"), "unpack")),
        fork("sides", undoes(call("left"), "flaky-undo"), group("right", undoes(call("right")), wait("dry", 500))),
        undoes(call("book"), "clumsy"),
        call("flaky-carrier"),
        wait("done", 800),
    ],
    [undoes(call("order")), undoes(call("load"), "clumsy"), call("flaky-truck"), wait("way", 600)],
]
ON_FAULT = {len(LINES) - 1, len(LINES) - 2}
"""The kinds whose faults have what was done undone."""


@cache
def plan(kind: int, version: int) -> WorkflowPlan:
    """Give the plan of a version of a workflow."""
    document = {"dsl": "1.0.1", "namespace": "plant", "name": f"line-{kind}", "version": f"{version}.0.0"}
    if kind in ON_FAULT:
        document["metadata"] = {"compensate": "on-fault"}
    do = [*LINES[kind], {"made": {"set": {"version": version}}}]
    return plan_workflow(
        definition.load(json.dumps({"document": document, "use": {"functions": FUNCTIONS}, "do": do}).encode())
    )


class Plans:
    """The plans, as the engine asks for them."""

    async def plan(self, _tenant: str, workflow: str, version: int) -> WorkflowPlan:
        """Give the plan of `plant.line-<kind>`."""
        return plan(int(workflow.rpartition("-")[2]), version)


class NoSecrets:
    """No workflow here has secrets."""

    async def sealed(self, _instance) -> dict:
        """Give none."""
        return {}
