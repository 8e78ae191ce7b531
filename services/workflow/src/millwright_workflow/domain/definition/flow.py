"""Where the flow goes: names, targets and cycles in the task lists of a document.

Owns the rules of `then`. Works on the document as read, list by list: a target is always a sibling.
"""

from __future__ import annotations

from collections.abc import Iterator

from millwright_runtime.json import Json

from millwright_workflow.domain.definition.faults import Fault, Reason
from millwright_workflow.domain.definition.outline import RawList, RawTask, raw_lists
from millwright_workflow.domain.definition.pointers import token

DIRECTIVES = frozenset({"continue", "exit", "end"})

_OUT = -1
"""Stands, among the places a task leads to, for leaving the list."""


def flow_faults(root: Json) -> Iterator[Fault]:
    """Find names that stand twice in a list, targets that no sibling has, and cycles that nothing can leave.

    A cycle is a fault only if no `switch`, `if`, `raise` or inner `end` on it leads out: any other is a loop.
    """
    for tasks in raw_lists(root):
        yield from _repeated_names(tasks)
        yield from _unknown_targets(tasks)
        if tasks.is_sequence:
            yield from _cycles(tasks)


def _repeated_names(tasks: RawList) -> Iterator[Fault]:
    seen: set[str] = set()
    for task in tasks.tasks:
        if task.name in seen:
            message = f"Rename the task: another task of the list is called '{task.name}'."
            yield Fault(task.pointer, Reason.DUPLICATE_TASK_NAME, message)
        seen.add(task.name)


def _unknown_targets(tasks: RawList) -> Iterator[Fault]:
    known = DIRECTIVES.union(task.name for task in tasks.tasks)
    for task in tasks.tasks:
        for pointer, target in _targets(task):
            if target not in known:
                message = f"Name continue, exit, end or a task of the same list: there is no '{target}' in it."
                yield Fault(pointer, Reason.UNKNOWN_FLOW_TARGET, message)


def _targets(task: RawTask) -> Iterator[tuple[str, str]]:
    then = task.body.get("then")
    if isinstance(then, str):
        yield f"{task.pointer}/then", then
    for index, name, case in _cases(task):
        if isinstance(case.get("then"), str):
            yield f"{task.pointer}/switch/{index}/{token(name)}/then", case["then"]


def _cases(task: RawTask) -> Iterator[tuple[int, str, dict[str, str]]]:
    cases = task.body.get("switch")
    for index, entry in enumerate(cases if isinstance(cases, list) else ()):
        for name, case in entry.items() if isinstance(entry, dict) else ():
            if isinstance(case, dict):
                yield index, name, case


def _cycles(tasks: RawList) -> Iterator[Fault]:
    """Find the cycles among the tasks from which no way leads out of the list."""
    if not any(target not in DIRECTIVES for task in tasks.tasks for _, target in _targets(task)):
        return
    edges = _edges(tasks)
    trapped = _trapped(edges)
    finished: set[int] = set()
    for start in sorted(trapped):
        path: dict[int, None] = {}
        at = start
        while at not in path and at not in finished:
            path[at] = None
            at = edges[at][0]
        if at in path:
            cycle = list(path)[list(path).index(at) :]
            yield _cycle_fault([tasks.tasks[index] for index in cycle])
        finished.update(path)


def _cycle_fault(cycle: list[RawTask]) -> Fault:
    names = " → ".join(task.name for task in [*cycle, cycle[0]])
    message = f"Let a switch or an if lead out of the cycle {names}, which nothing can leave."
    return Fault(cycle[0].pointer, Reason.FLOW_CYCLE, message)


def _edges(tasks: RawList) -> list[tuple[int, ...]]:
    indexes = {task.name: index for index, task in reversed(list(enumerate(tasks.tasks)))}

    def place(target: object, index: int) -> int:
        if target == "continue":
            return index + 1 if index + 1 < len(tasks.tasks) else _OUT
        return indexes.get(target, _OUT) if isinstance(target, str) and target not in DIRECTIVES else _OUT

    edges = []
    for index, task in enumerate(tasks.tasks):
        places = [place(case.get("then"), index) for _, _, case in _cases(task)]
        if not places or all("when" in case for _, _, case in _cases(task)):
            places.append(place(task.body.get("then", "continue"), index))
        if "if" in task.body:
            places.append(place("continue", index))
        if _may_end(task):
            places.append(_OUT)
        edges.append(tuple(places))
    return edges


def _may_end(task: RawTask) -> bool:
    """Say whether a task may end more than itself: by an error that it raises, or by an `end` inside."""
    if "raise" in task.body:
        return True
    inner = [each for tasks in raw_lists({"do": [{task.name: task.body}]}) for each in tasks.tasks][1:]
    return any("raise" in each.body or any(target == "end" for _, target in _targets(each)) for each in inner)


def _trapped(edges: list[tuple[int, ...]]) -> set[int]:
    """Give the tasks from which no way leads out."""
    sources: dict[int, list[int]] = {}
    for index, places in enumerate(edges):
        for place in places:
            sources.setdefault(place, []).append(index)
    free: set[int] = set()
    reached = [_OUT]
    while reached:
        for index in sources.get(reached.pop(), ()):
            if index not in free:
                free.add(index)
                reached.append(index)
    return set(range(len(edges))) - free
