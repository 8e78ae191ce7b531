"""The workflow service's cases."""

import uuid

from tests.end_to_end.curl.cases import Call, audited, refused

WORKFLOW = "workflows/test.curl"
CHANNEL = f"{WORKFLOW}/channels/prod"
INSTANCE, RUNNING, ASKING, WAITING = (str(uuid.UUID(int=number)) for number in range(4))


def definition(name: str, number: int, task: str, more: str = "") -> str:
    """Write a version of a workflow of one task."""
    document = f"{{dsl: 1.0.1, namespace: test, name: {name}, version: 1.0.{number}}}"
    return f"document: {document}\n{more}do: [{{note: {task}}}]"


ONE, TWO = (definition("curl", number, f"{{set: {{number: {number}}}}}") for number in (1, 2))
SLOW = definition("slow", 1, "{wait: {minutes: 10}}")
SLOWER = definition("slow", 2, "{wait: {minutes: 20}}")
ASK = definition("ask", 1, "{call: approve, with: {title: 'Ship lot 7?', roles: [operator]}}")
OFTEN = definition("often", 1, "{set: {}}", "schedule: {every: {hours: 1}}\n")
HEARING = definition("hearing", 1, "{set: {}}", "schedule: {on: {one: {with: {type: test.happened}}}}\n")

VERSIONS = (
    Call("WorkflowService/PublishVersion", {"definition": ONE, "promoteTo": "prod"}, '"number": 1'),
    Call("WorkflowService/PublishVersion", {"definition": TWO}, '"number": 2'),
    Call("WorkflowService/GetWorkflow", {"name": WORKFLOW}, '"latestVersion": 2'),
    Call("WorkflowService/ListWorkflows", {}, WORKFLOW),
    Call("WorkflowService/GetVersion", {"name": f"{WORKFLOW}/versions/1"}, "namespace: test"),
    Call("WorkflowService/ListVersions", {"workflow": WORKFLOW}, '"semver": "1.0.2"'),
    Call("WorkflowService/DiffVersions", {"workflow": WORKFLOW, "fromVersion": 1, "toVersion": 2}, "KIND_CHANGED"),
    Call("WorkflowService/PublishVersion", {"definition": OFTEN, "promoteTo": "prod"}, "workflows/test.often"),
    Call("WorkflowService/ListSchedules", {}, "workflows/test.often"),
    audited("PublishVersion", "workflows/test.often/versions/1"),
    refused("WorkflowService/GetWorkflow", {"name": "workflows/test.none"}, "WORKFLOW_NOT_FOUND"),
    refused("WorkflowService/PublishVersion", {"definition": "do: ["}, "INVALID_DEFINITION"),
)
RELEASES = (
    Call("ReleaseService/PromoteVersion", {"channel": CHANNEL, "version": 2}, "OPERATION_PROMOTE"),
    Call("ReleaseService/RollbackVersion", {"channel": CHANNEL, "reason": "a test"}, "OPERATION_ROLLBACK"),
    Call("ReleaseService/MarkVersionGood", {"version": f"{WORKFLOW}/versions/2", "reason": "a test"}, "STATE_GOOD"),
    Call(
        "ReleaseService/StartCanary",
        {"channel": CHANNEL, "version": 2, "steps": [{"weightBp": 100}, {"weightBp": 5000}]},
        "OPERATION_CANARY_START",
    ),
    Call("ReleaseService/StepCanary", {"channel": CHANNEL}, "OPERATION_CANARY_STEP"),
    Call("ReleaseService/AbortCanary", {"channel": CHANNEL, "reason": "a test"}, "OPERATION_CANARY_ABORT"),
    Call("ReleaseService/MarkVersionBad", {"version": f"{WORKFLOW}/versions/2", "reason": "a test"}, "STATE_BAD"),
    Call("ReleaseService/GetChannel", {"name": CHANNEL}, '"version": 1'),
    Call("ReleaseService/ListReleases", {"workflow": WORKFLOW}, '"revision": "1"'),
    Call("ReleaseService/ListReleaseEvents", {"workflow": WORKFLOW}, '"sequence": "10"'),
    Call(
        "ReleaseService/WatchReleases", {"workflow": WORKFLOW, "fromSequence": 9}, "OPERATION_MARK_BAD", is_endless=True
    ),
)
INSTANCES = (
    Call("InstanceService/StartInstance", {"workflow": WORKFLOW, "input": 1, "instanceId": INSTANCE}, INSTANCE),
    Call("InstanceService/WatchInstance", {"name": f"instances/{INSTANCE}", "fromSequence": 0}, "KIND_COMPLETED"),
    Call("InstanceService/GetInstance", {"name": f"instances/{INSTANCE}"}, "STATE_COMPLETED"),
    Call("InstanceService/ListInstances", {"workflow": WORKFLOW}, INSTANCE),
    Call("InstanceService/ListInstanceEvents", {"name": f"instances/{INSTANCE}"}, "KIND_STARTED"),
    Call("InstanceService/ListCheckpoints", {"instance": f"instances/{INSTANCE}"}, "/do/0/note"),
    Call("InstanceService/GetCheckpoint", {"instance": f"instances/{INSTANCE}"}, "TIER_POSTGRES"),
    Call("InstanceService/ForkInstance", {"name": f"instances/{INSTANCE}"}, '"adoptedTasks": "1"'),
    Call("InstanceService/WatchInstance", {"name": "$instances", "fromSequence": 0}, "KIND_COMPLETED"),
    Call("WorkflowService/PublishVersion", {"definition": SLOW, "promoteTo": "prod"}, '"number": 1'),
    Call("InstanceService/StartInstance", {"workflow": "workflows/test.slow", "instanceId": RUNNING}, RUNNING),
    Call(
        "InstanceService/ListInstanceEvents",
        {"name": f"instances/{RUNNING}", "fromSequence": 1, "wait": "10s"},
        "KIND_STARTED",
    ),
    Call("InstanceService/PauseInstance", {"name": f"instances/{RUNNING}", "reason": "a test"}, RUNNING),
    Call("InstanceService/GetInstance", {"name": f"instances/{RUNNING}"}, "STATE_PAUSED", is_late=True),
    Call("InstanceService/ResumeInstance", {"name": f"instances/{RUNNING}"}, RUNNING),
    Call("InstanceService/CancelInstance", {"name": f"instances/{RUNNING}", "reason": "a test"}, RUNNING),
    Call("InstanceService/GetInstance", {"name": f"instances/{RUNNING}"}, "STATE_CANCELLED", is_late=True),
    Call("InstanceService/RetryInstance", {"name": f"instances/{RUNNING}"}, "STATE_RUNNING"),
    refused("InstanceService/RetryInstance", {"name": f"instances/{INSTANCE}"}, "INSTANCE_NOT_FAULTED"),
)
RUN_JOBS = (
    Call("WorkflowService/PublishVersion", {"definition": SLOWER, "promoteTo": "prod"}, '"number": 2'),
    Call("InstanceService/StartInstance", {"workflow": "workflows/test.slow", "instanceId": WAITING}, WAITING),
    Call("InstanceService/GetInstance", {"name": f"instances/{WAITING}"}, "STATE_RUNNING", is_late=True),
    Call(
        "ReleaseService/RollbackVersion",
        {
            "channel": "workflows/test.slow/channels/prod",
            "reason": "a test",
            "runPolicy": "RUN_POLICY_MIGRATE_COMPATIBLE",
        },
        '"runJob": "runJobs/',
    ),
    Call("ReleaseService/WatchRunJob", {"name": "$runJobs"}, "STATE_COMPLETED"),
    Call("ReleaseService/GetRunJob", {"name": "$runJobs"}, "STATE_COMPLETED"),
    Call("ReleaseService/ListRunJobOutcomes", {"runJob": "$runJobs"}, "KIND_PAUSED"),
    Call("ReleaseService/CancelRunJob", {"name": "$runJobs"}, "STATE_COMPLETED"),
)
OTHERS = (
    Call("WorkflowService/PublishVersion", {"definition": ASK, "promoteTo": "prod"}, '"number": 1'),
    Call("InstanceService/StartInstance", {"workflow": "workflows/test.ask", "instanceId": ASKING}, ASKING),
    Call("ApprovalService/ListApprovals", {}, "Ship lot 7?", is_late=True),
    Call("ApprovalService/GetApproval", {"name": "$approvals"}, "STATE_WAITING"),
    Call("ApprovalService/DecideApproval", {"name": "$approvals", "approve": True}, "STATE_APPROVED"),
    Call("InstanceService/WatchInstance", {"name": f"instances/{ASKING}", "fromSequence": 0}, "KIND_COMPLETED"),
    Call("CatalogueService/ListCircuits", {}, '"name": "judge"'),
    Call("WorkflowService/PublishVersion", {"definition": HEARING, "promoteTo": "prod"}, '"number": 1'),
    Call(
        "EventService/PublishEvents",
        {"events": [{"id": RUNNING, "source": "/test", "type": "test.happened"}]},
        '"deliveries": 1',
    ),
    Call("InstanceService/ListInstances", {"workflow": "workflows/test.hearing"}, "STATE_COMPLETED", is_late=True),
    Call(
        "WorkerService/StreamWork",
        ({"open": {"worker": "test", "queues": ["test"]}}, {"complete": {"id": RUNNING}}),
        RUNNING,
    ),
)
CALLS = (*VERSIONS, *RELEASES, *INSTANCES, *RUN_JOBS, *OTHERS)
