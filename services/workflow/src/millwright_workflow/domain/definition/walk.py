"""The walks over a document: over every task, and over every value.

Owns the order and the pointers: each task is known by the JSON pointer (RFC 6901) to it in the document.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from millwright_workflow.domain.definition.catalogue import ADMINISTRATIVE, function_name
from millwright_workflow.domain.definition.pointers import token
from millwright_workflow.domain.definition.scalars import Model
from millwright_workflow.domain.definition.tasks import (
    AsyncApiCall,
    DoTask,
    ForkTask,
    ForTask,
    FunctionCall,
    ListenTask,
    NamedCase,
    NamedTask,
    Task,
    TaskList,
    TryTask,
)
from millwright_workflow.domain.definition.workflow import NamedExtension, Workflow


def walk_tasks(document: Workflow) -> Iterator[tuple[str, str, Task]]:
    """Give (pointer, name, task) of every task, a task before the tasks inside it.

    The tasks of `use.functions` and `use.extensions` come after those of the workflow itself.
    """
    yield from _in_list("/do", document.do)
    for name, function in document.use.functions.items():
        yield from _in_task(f"/use/functions/{token(name)}", name, function)
    for index, entry in enumerate(document.use.extensions):
        pointer = f"/use/extensions/{index}/{token(entry.name)}"
        yield from _in_list(f"{pointer}/before", entry.extension.before)
        yield from _in_list(f"{pointer}/after", entry.extension.after)


def walk_administrative(document: Workflow) -> Iterator[tuple[str, str, FunctionCall]]:
    """Give (pointer, function, task) of every call of a built-in function that is for administrators alone."""
    for pointer, _, task in walk_tasks(document):
        if isinstance(task, FunctionCall) and (function := function_name(task.call)) in ADMINISTRATIVE:
            yield pointer, str(function), task


def task_lists(task: Task) -> Iterator[tuple[str, TaskList]]:
    """Give each task list directly inside a task, with its pointer relative to the task."""
    match task:
        case DoTask() | ForTask():
            yield "/do", task.do
        case ForkTask():
            yield "/fork/branches", task.fork.branches
        case TryTask():
            yield "/try", task.try_
            yield "/catch/do", task.catch.do
        case ListenTask(foreach=iteration) if iteration:
            yield "/foreach/do", iteration.do
        case AsyncApiCall() if (subscription := task.with_.subscription) and subscription.foreach:
            yield "/with/subscription/foreach/do", subscription.foreach.do


def _in_list(pointer: str, tasks: TaskList) -> Iterator[tuple[str, str, Task]]:
    for index, entry in enumerate(tasks):
        yield from _in_task(f"{pointer}/{index}/{token(entry.name)}", entry.name, entry.task)


def _in_task(pointer: str, name: str, task: Task) -> Iterator[tuple[str, str, Task]]:
    yield pointer, name, task
    for inner, tasks in task_lists(task):
        yield from _in_list(pointer + inner, tasks)


def walk_values(value: Any, pointer: str = "") -> Iterator[tuple[str, Any]]:
    """Give (pointer, value) of each model and each scalar that the document writes, a model before what is in it.

    Leaves out what is never evaluated: metadata, titles, schemas.
    """
    match value:
        case Model():
            yield pointer, value
            for name, part in _written_fields(value):
                yield from walk_values(part, f"{pointer}/{token(name)}")
        case NamedTask(name=name, task=part) | NamedCase(name=name, case=part):
            yield from walk_values(part, f"{pointer}/{token(name)}")
        case NamedExtension(name=name, extension=part):
            yield from walk_values(part, f"{pointer}/{token(name)}")
        case dict():
            for name, part in value.items():
                yield from walk_values(part, f"{pointer}/{token(name)}")
        case tuple() | list():
            for index, part in enumerate(value):
                yield from walk_values(part, f"{pointer}/{index}")
        case _:
            yield pointer, value


def _written_fields(model: Model) -> Iterator[tuple[str, Any]]:
    for name, field in type(model).model_fields.items():
        if name in model.model_fields_set and name not in model.literal_fields:
            yield field.alias or name, getattr(model, name)
    yield from (model.model_extra or {}).items()
