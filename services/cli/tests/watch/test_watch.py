"""`millwright watch`: each change is told once, a release too, and a service that goes away is waited for."""

import json

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from millwright.etl.v1.pipeline_service_pb2 import ListRunsResponse
from millwright.etl.v1.run_pb2 import Run, RunProgress
from millwright.judgment.v1.experiment_service_pb2 import ListExperimentsResponse
from millwright.judgment.v1.replay_service_pb2 import ListReplaysResponse
from millwright.judgment.v1.ruleset_service_pb2 import ListRulesetsResponse
from millwright.modules.v1.module_service_pb2 import ListOperationsResponse
from millwright.modules.v1.operation_pb2 import STAGE_BUILDING, STAGE_COMPLETED, Operation, Progress
from millwright.workflow.v1.approval_service_pb2 import Approval, ListApprovalsResponse
from millwright.workflow.v1.instance_pb2 import Instance
from millwright.workflow.v1.instance_service_pb2 import ListInstancesResponse
from millwright.workflow.v1.release_pb2 import Release
from millwright.workflow.v1.release_service_pb2 import ListReleasesResponse
from millwright.workflow.v1.workflow_pb2 import Workflow
from millwright.workflow.v1.workflow_service_pb2 import ListWorkflowsResponse
from millwright_cli.watch import watch

GRADE = "workflows/quality.grade"


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch):
    monkeypatch.setattr(watch, "LOOK_SECONDS", 0.0)


@pytest.fixture
def look(peer):
    """Give the peer what one look at all services finds."""

    def answer(*, instances=(), approvals=(), revision=1, runs=(), operations=()):
        still_open = [it for it in instances if it.state == Instance.STATE_RUNNING]
        workflow = Workflow(name=GRADE, latest_revision=revision)
        peer.answers(
            "ListInstances", ListInstancesResponse(instances=instances), ListInstancesResponse(instances=still_open)
        )
        peer.answers("ListApprovals", ListApprovalsResponse(approvals=approvals))
        peer.answers("ListWorkflows", ListWorkflowsResponse(workflows=[workflow]))
        peer.answers("ListReplays", ListReplaysResponse())
        peer.answers("ListExperiments", ListExperimentsResponse())
        peer.answers("ListRulesets", ListRulesetsResponse())
        peer.answers("ListRuns", runs if isinstance(runs, peer.refusal) else ListRunsResponse(runs=runs))
        peer.answers("ListOperations", ListOperationsResponse(operations=operations))

    return answer


def instance(number, state):
    return Instance(name=f"instances/{number}", workflow=GRADE, state=state)


def told(result):
    """Give what was told until the peer had no more answers."""
    assert result.exit_code == 4, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_at_first_it_tells_what_is_open_and_then_each_change(run, look):
    ended, running = instance(1, Instance.STATE_COMPLETED), instance(2, Instance.STATE_RUNNING)
    faulted = instance(2, Instance.STATE_FAULTED)
    look(instances=[ended, running])
    look(instances=[ended, running])
    look(instances=[ended, faulted, instance(3, Instance.STATE_COMPLETED)])
    states = [(it["instance"]["name"], it["instance"]["state"]) for it in told(run("watch", "-o", "json"))]
    assert states == [
        ("instances/2", "STATE_RUNNING"),
        ("instances/2", "STATE_FAULTED"),
        ("instances/3", "STATE_COMPLETED"),
    ]


def test_releases_since_the_last_look_are_told_oldest_first(run, look, peer):
    look(revision=5)
    look(revision=7)
    releases = [Release(name=f"{GRADE}/releases/{number}", revision=number) for number in (7, 6)]
    peer.answers("ListReleases", ListReleasesResponse(releases=releases))
    assert [it["release"]["revision"] for it in told(run("watch", "-o", "json"))] == ["6", "7"]
    [request] = peer.requests("ListReleases")
    assert (request.workflow, request.page_size) == (GRADE, 2)


def test_a_service_that_goes_away_is_told_once_and_waited_for(run, look, peer):
    running = Run(name="runs/1", state=Run.STATE_RUNNING)
    look(runs=[running])
    for _ in range(2):
        # An UNAVAILABLE call is repeated by the channel up to five times before it is given up.
        look(runs=peer.refusal(peer.UNAVAILABLE, "SHUTTING_DOWN"))
        peer.answers("ListRuns", *[peer.refusal(peer.UNAVAILABLE, "SHUTTING_DOWN")] * 4)
    look(runs=[Run(name="runs/1", state=Run.STATE_COMPLETED)])
    of_etl = [it for it in told(run("watch", "-o", "json")) if it["service"] == "etl"]
    assert [it.get("run", it).get("state", it.get("reachable")) for it in of_etl] == [
        "STATE_RUNNING",
        False,
        True,
        "STATE_COMPLETED",
    ]
    assert of_etl[1]["reason"] == "SHUTTING_DOWN"


def test_a_person_reads_a_line_each(run, look):
    operation = Operation(name="operations/1", module="modules/charts", version="1.2.0")
    look(
        approvals=[Approval(name="approvals/a", title="Release lot 7", role="operator", state=Approval.STATE_WAITING)],
        runs=[Run(name="runs/1", state=Run.STATE_RUNNING, progress=RunProgress(percent=50))],
        operations=[Operation(stage=STAGE_BUILDING, progress=Progress(percent=60), **fields(operation))],
    )
    look(operations=[Operation(stage=STAGE_COMPLETED, progress=Progress(percent=100), **fields(operation))])
    lines = run("watch").stdout.splitlines()
    assert "Release lot 7" in lines[0]
    assert lines[1].startswith("etl       ▶ running")
    assert "60 %  charts 1.2.0" in lines[2]
    assert "100 %" in lines[3]
    assert len(lines) == 4


def fields(message):
    return {field.name: value for field, value in message.ListFields()}


def test_nobody_is_watched_where_no_service_is_known(bare):
    result = bare("watch", "-o", "json")
    assert result.exit_code == 2
    assert "NO_STACK" in result.stderr


def test_a_person_sees_a_picture(typed, look):
    created = Timestamp(seconds=1_700_000_000)
    look(instances=[Instance(name="instances/2", workflow=GRADE, state=Instance.STATE_RUNNING, create_time=created)])
    code, drawn = typed("watch")
    assert code == 4
    assert "quality.grade" in drawn
    assert "nothing is under way" in drawn
