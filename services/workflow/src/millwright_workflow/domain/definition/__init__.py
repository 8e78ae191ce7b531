"""Workflow definitions in the Serverless Workflow DSL 1.0: their models, their checks, their differences.

Pure: text comes in, values and faults go out. Nothing here runs a task or evaluates an expression.
"""

from millwright_workflow.domain.definition import catalogue
from millwright_workflow.domain.definition.bounds import is_bounded
from millwright_workflow.domain.definition.calls import HttpArguments
from millwright_workflow.domain.definition.definition import (
    Definition,
    Examination,
    canonical_json,
    examine,
    load,
    parse,
)
from millwright_workflow.domain.definition.diff import Change, diff
from millwright_workflow.domain.definition.expressions import (
    ExpressionSite,
    forbidden_words,
    known_variables,
    variables,
)
from millwright_workflow.domain.definition.faults import Fault, InvalidDefinition, Reason
from millwright_workflow.domain.definition.parts import (
    Endpoint,
    Error,
    ErrorFilter,
    Export,
    Input,
    Output,
    RetryPolicy,
    Timeout,
)
from millwright_workflow.domain.definition.scalars import Duration, Expression, parse_duration, unwrap
from millwright_workflow.domain.definition.support import unsupported
from millwright_workflow.domain.definition.tasks import (
    A2aCall,
    AsyncApiCall,
    Catch,
    DoTask,
    EmitTask,
    ForkTask,
    ForTask,
    FunctionCall,
    GrpcCall,
    HttpCall,
    ListenTask,
    McpCall,
    NamedCase,
    NamedTask,
    OpenApiCall,
    RaiseTask,
    RunTask,
    SetTask,
    SwitchCase,
    SwitchTask,
    Task,
    TaskBase,
    TaskList,
    TryTask,
    WaitTask,
)
from millwright_workflow.domain.definition.walk import task_lists, walk_tasks
from millwright_workflow.domain.definition.workflow import Document, Use, Workflow

__all__ = [
    "A2aCall",
    "AsyncApiCall",
    "Catch",
    "Change",
    "Definition",
    "DoTask",
    "Document",
    "Duration",
    "EmitTask",
    "Endpoint",
    "Error",
    "ErrorFilter",
    "Examination",
    "Export",
    "Expression",
    "ExpressionSite",
    "Fault",
    "ForTask",
    "ForkTask",
    "FunctionCall",
    "GrpcCall",
    "HttpArguments",
    "HttpCall",
    "Input",
    "InvalidDefinition",
    "ListenTask",
    "McpCall",
    "NamedCase",
    "NamedTask",
    "OpenApiCall",
    "Output",
    "RaiseTask",
    "Reason",
    "RetryPolicy",
    "RunTask",
    "SetTask",
    "SwitchCase",
    "SwitchTask",
    "Task",
    "TaskBase",
    "TaskList",
    "Timeout",
    "TryTask",
    "Use",
    "WaitTask",
    "Workflow",
    "canonical_json",
    "catalogue",
    "diff",
    "examine",
    "forbidden_words",
    "is_bounded",
    "known_variables",
    "load",
    "parse",
    "parse_duration",
    "task_lists",
    "unsupported",
    "unwrap",
    "variables",
    "walk_tasks",
]
