"""Prepares a definition for walking, once for all its instances.

Owns the table of the task kinds that can run: a new kind is a module and a row here. Walks nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from millwright_runtime.json import JsonObject

from millwright_workflow.domain.definition import (
    Definition,
    DoTask,
    EmitTask,
    Export,
    ForkTask,
    ForTask,
    FunctionCall,
    GrpcCall,
    HttpCall,
    Input,
    ListenTask,
    OpenApiCall,
    Output,
    RaiseTask,
    RunTask,
    SetTask,
    SwitchTask,
    Task,
    TaskBase,
    TryTask,
    WaitTask,
)
from millwright_workflow.domain.definition.parts import TimeoutOrReference
from millwright_workflow.domain.interpreter import errors, extension
from millwright_workflow.domain.interpreter.assignment import plan_set
from millwright_workflow.domain.interpreter.attempt import plan_try
from millwright_workflow.domain.interpreter.branches import plan_fork
from millwright_workflow.domain.interpreter.choice import plan_switch
from millwright_workflow.domain.interpreter.conformance import plan_schema
from millwright_workflow.domain.interpreter.emission import plan_emit
from millwright_workflow.domain.interpreter.function_call import plan_function_call
from millwright_workflow.domain.interpreter.grpc_call import plan_grpc_call
from millwright_workflow.domain.interpreter.http_call import plan_http_call
from millwright_workflow.domain.interpreter.listening import plan_listen
from millwright_workflow.domain.interpreter.loop import plan_for
from millwright_workflow.domain.interpreter.openapi_call import plan_openapi_call
from millwright_workflow.domain.interpreter.pause import plan_wait
from millwright_workflow.domain.interpreter.plan import Body, Schemas, TaskPlan, WorkflowPlan
from millwright_workflow.domain.interpreter.raising import plan_raise
from millwright_workflow.domain.interpreter.sequence import plan_do
from millwright_workflow.domain.interpreter.site import Site
from millwright_workflow.domain.interpreter.subflow import plan_run
from millwright_workflow.domain.interpreter.template import (
    Length,
    plan_condition,
    plan_length,
    plan_template,
    plan_transformation,
)
from millwright_workflow.domain.interpreter.undo import plan_undo

_PLANNERS: Final[dict[type[TaskBase], Callable[[Any, Site], Body]]] = {
    DoTask: plan_do,
    EmitTask: plan_emit,
    ForTask: plan_for,
    ForkTask: plan_fork,
    FunctionCall: plan_function_call,
    GrpcCall: plan_grpc_call,
    HttpCall: plan_http_call,
    ListenTask: plan_listen,
    OpenApiCall: plan_openapi_call,
    RaiseTask: plan_raise,
    RunTask: plan_run,
    SetTask: plan_set,
    SwitchTask: plan_switch,
    TryTask: plan_try,
    WaitTask: plan_wait,
}

RUNNABLE_KINDS: Final = frozenset(kind.kind for kind in _PLANNERS)
"""The `kind` of each task that can be planned and walked; what publish lets through is `support`'s to say."""


_MOST_TASKS: Final = 10_000
_DEEPEST: Final = 96
"""Task lists and functions around a task: what the walk's own depth of calls allows."""


def plan_workflow(definition: Definition) -> WorkflowPlan:
    """Prepare a workflow for any number of walks.

    Throws a configuration fault for what publish refuses (a kind that cannot run, a name under `use` that does not
    exist) and for functions that use functions until the tasks come to more than 10,000, or lie too deep.
    """
    workflow = definition.document
    written: JsonObject = json.loads(definition.canonical)
    tasks: dict[str, TaskPlan] = {}
    undos: dict[str, TaskPlan] = {}

    def plan_task(site: Site, name: str, task: Task) -> TaskPlan:
        if len(tasks) >= _MOST_TASKS or site.depth + len(site.callers) > _DEEPEST:
            raise errors.configuration(site.pointer, "The functions of the workflow come to too many tasks.")
        undo = plan_undo(task, site)
        if undo is not None:
            undos[site.pointer] = undo
        plan = _plan_task(site, name, task, definition.task_hashes[site.origin])
        tasks[site.pointer] = plan
        if plan.extensions:
            inner = replace(plan, pointer=site.pointer + extension.PLACE)
            tasks[inner.pointer] = inner
            if undo is not None:
                undos[inner.pointer] = undo
        return plan

    use: Any = written.get("use", {})
    site = Site("", "", written, use.get("functions", {}), use.get("extensions", ()), workflow.use, plan_task)
    return WorkflowPlan(
        definition=written,
        do=site.plan_list("/do", workflow.do),
        input_from=plan_transformation(workflow.input and workflow.input.from_),
        output_as=plan_transformation(workflow.output and workflow.output.as_),
        timeout=_plan_timeout(workflow.timeout, site),
        schemas=_plan_schemas(workflow.input, workflow.output, None, site),
        secrets=workflow.use.secrets,
        tasks=tasks,
        undos=undos,
        compensates_on_fault=bool(undos) and workflow.document.compensates_on_fault,
    )


def _plan_task(site: Site, name: str, task: Task, task_hash: bytes) -> TaskPlan:
    planner = _PLANNERS.get(type(task))
    if planner is None:
        raise errors.configuration(site.pointer, f"Tasks of the kind {task.kind!r} cannot run.")
    body = planner(task, site)
    extensions = extension.plan_extensions(task, site)
    written = tuple(each.written for each in extensions)
    return TaskPlan(
        pointer=site.pointer,
        name=name,
        kind=task.kind,
        task_hash=extension.hash_extended(task_hash, written),
        definition=site.written,
        body=extension.Extended(extensions, body) if extensions else body,
        condition=plan_condition(task.if_),
        input_from=plan_transformation(task.input and task.input.from_),
        output_as=plan_transformation(task.output and task.output.as_),
        export_as=plan_template(task.export.as_) if task.export and task.export.as_ is not None else None,
        timeout=_plan_timeout(task.timeout, site),
        then=task.then,
        schemas=_plan_schemas(task.input, task.output, task.export, site),
        depth=site.depth,
        extensions=written,
    )


def _plan_schemas(input_: Input | None, output: Output | None, export: Export | None, site: Site) -> Schemas | None:
    plans = [
        plan_schema(part, name, site) for part, name in ((input_, "input"), (output, "output"), (export, "export"))
    ]
    return Schemas(*plans) if any(plans) else None


def _plan_timeout(written: TimeoutOrReference | None, site: Site) -> Length | None:
    return None if written is None else plan_length(site.resolve(written, site.use.timeouts).after)
