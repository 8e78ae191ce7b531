"""The interpreter of the Serverless Workflow DSL 1.0: what an instance does next, given what it has done.

Owns the semantics of every task that can run, the flow between tasks, the data that flows, errors and resumption.
Does no I/O, reads no clock and draws no random number: it yields effects, and the engine carries them out.
"""

from millwright_workflow.domain.interpreter.compatibility import (
    Compatibility,
    Hindrance,
    Obstacle,
    compare,
)
from millwright_workflow.domain.interpreter.effects import (
    Authentication,
    Begin,
    Branch,
    CallGrpc,
    CallHttp,
    Catch,
    Commit,
    Consume,
    Effect,
    Emit,
    Evaluate,
    Fail,
    Failure,
    FetchDocument,
    Fork,
    GrpcAnswer,
    History,
    HttpAnswer,
    Invoke,
    Part,
    Retry,
    RunWorkflow,
    Subscribe,
    TaskReference,
    TaskResult,
    Validate,
    Wait,
    Walk,
    Within,
    WorkflowError,
    WorkflowFault,
)
from millwright_workflow.domain.interpreter.gathering import (
    Gathering,
    Strategy,
)
from millwright_workflow.domain.interpreter.lifecycle import (
    Change,
    Lifecycle,
    TaskChange,
)
from millwright_workflow.domain.interpreter.matching import (
    match_event,
)
from millwright_workflow.domain.interpreter.outline import (
    Outline,
    outline,
)
from millwright_workflow.domain.interpreter.plan import (
    CONTINUE,
    TaskPlan,
    WorkflowPlan,
)
from millwright_workflow.domain.interpreter.planner import (
    RUNNABLE_KINDS,
    plan_workflow,
)
from millwright_workflow.domain.interpreter.secrets import (
    open_seals,
    seal,
)
from millwright_workflow.domain.interpreter.subflow import (
    child_id,
)
from millwright_workflow.domain.interpreter.subscription import (
    Condition,
    Delivery,
    EventPattern,
    Key,
    Match,
    Subscription,
)
from millwright_workflow.domain.interpreter.undo import (
    walk_undo,
)
from millwright_workflow.domain.interpreter.visit import (
    Identity,
)
from millwright_workflow.domain.interpreter.workflow import (
    walk_workflow,
)

__all__ = [
    "CONTINUE",
    "RUNNABLE_KINDS",
    "Authentication",
    "Begin",
    "Branch",
    "CallGrpc",
    "CallHttp",
    "Catch",
    "Change",
    "Commit",
    "Compatibility",
    "Condition",
    "Consume",
    "Delivery",
    "Effect",
    "Emit",
    "Evaluate",
    "EventPattern",
    "Fail",
    "Failure",
    "FetchDocument",
    "Fork",
    "Gathering",
    "GrpcAnswer",
    "Hindrance",
    "History",
    "HttpAnswer",
    "Identity",
    "Invoke",
    "Key",
    "Lifecycle",
    "Match",
    "Obstacle",
    "Outline",
    "Part",
    "Retry",
    "RunWorkflow",
    "Strategy",
    "Subscribe",
    "Subscription",
    "TaskChange",
    "TaskPlan",
    "TaskReference",
    "TaskResult",
    "Validate",
    "Wait",
    "Walk",
    "Within",
    "WorkflowError",
    "WorkflowFault",
    "WorkflowPlan",
    "child_id",
    "compare",
    "match_event",
    "open_seals",
    "outline",
    "plan_workflow",
    "seal",
    "walk_undo",
    "walk_workflow",
]
