"""The interpreter of the Serverless Workflow DSL 1.0: what an instance does next, given what it has done.

Owns the semantics of every task that can run, the flow between tasks, the data that flows, errors and resumption.
Does no I/O, reads no clock and draws no random number: it yields effects, and the engine carries them out.
"""

from millwright_workflow.domain.interpreter.effects import (
    Begin,
    CallHttp,
    Catch,
    Commit,
    Effect,
    Evaluate,
    Failure,
    History,
    HttpAnswer,
    Part,
    Retry,
    TaskReference,
    TaskResult,
    Wait,
    Walk,
    Within,
    WorkflowError,
    WorkflowFault,
)
from millwright_workflow.domain.interpreter.plan import TaskPlan, WorkflowPlan
from millwright_workflow.domain.interpreter.planner import RUNNABLE_KINDS, plan_workflow
from millwright_workflow.domain.interpreter.visit import Identity
from millwright_workflow.domain.interpreter.workflow import walk_workflow

__all__ = [
    "RUNNABLE_KINDS",
    "Begin",
    "CallHttp",
    "Catch",
    "Commit",
    "Effect",
    "Evaluate",
    "Failure",
    "History",
    "HttpAnswer",
    "Identity",
    "Part",
    "Retry",
    "TaskPlan",
    "TaskReference",
    "TaskResult",
    "Wait",
    "Walk",
    "Within",
    "WorkflowError",
    "WorkflowFault",
    "WorkflowPlan",
    "plan_workflow",
    "walk_workflow",
]
