"""`millwright approval`: seeing what waits, and deciding it."""

import json
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from google.protobuf.json_format import ParseDict
from google.protobuf.struct_pb2 import Value
from google.protobuf.timestamp_pb2 import Timestamp
from millwright.workflow.v1.approval_service_pb2 import (
    Approval,
    DecideApprovalResponse,
    GetApprovalResponse,
    ListApprovalsResponse,
)

ID = "0f5c9d1e-7a52-4f0e-9a63-0d8d3b2f4c11"
NAME = f"approvals/{ID}"
INSTANCE = "instances/7a5c9d1e-7a52-4f0e-9a63-0d8d3b2f4c11"


def approval(state="WAITING", **fields):
    return Approval(
        name=NAME,
        instance=INSTANCE,
        task="/do/0/ask",
        title="Ship lot 7?",
        details=ParseDict({"lot": 7}, Value()),
        role="operator",
        state=f"STATE_{state}",
        create_time=Timestamp(seconds=1),
        **fields,
    )


def test_what_waits_is_listed_oldest_first(run, peer):
    peer.answers("ListApprovals", ListApprovalsResponse(approvals=[approval()]))
    result = run("approval", "list")
    assert result.exit_code == 0
    assert ID in result.stdout
    assert "? waiting" in result.stdout
    assert "Ship lot 7?" in result.stdout
    (request,) = peer.requests("ListApprovals")
    assert (list(request.states), request.instance, request.page_size) == ([], "", 50)


def test_a_list_can_be_of_states_and_of_an_instance(run, peer):
    peer.answers("ListApprovals", ListApprovalsResponse())
    run("approval", "list", "--state", "expired", "--state", "rejected", "--instance", INSTANCE, "--limit", "3")
    (request,) = peer.requests("ListApprovals")
    assert list(request.states) == [Approval.STATE_EXPIRED, Approval.STATE_REJECTED]
    assert (request.instance, request.page_size) == (INSTANCE, 3)


def test_one_shows_all_that_is_known_of_it(run, peer):
    soon = Timestamp()
    soon.FromDatetime(datetime.now(UTC) + timedelta(hours=2, minutes=1))
    peer.answers("GetApproval", GetApprovalResponse(approval=approval(expire_time=soon)))
    out = run("approval", "get", ID).stdout
    assert '{"lot": 7}' in out
    assert "in 2 h" in out
    assert "/do/0/ask" in out
    assert peer.requests("GetApproval")[0].name == NAME


@pytest.mark.parametrize(
    ("word", "approve", "state", "said"), [("yes", True, "APPROVED", "approved"), ("no", False, "REJECTED", "rejected")]
)
def test_a_decision_is_made_with_its_comment(run, peer, word, approve, state, said):
    peer.answers("DecideApproval", DecideApprovalResponse(approval=approval(state)))
    result = run("approval", "decide", ID, word, "--comment", "seen it")
    assert f"{ID} is {said}: its workflow goes on" in result.stdout
    (request,) = peer.requests("DecideApproval")
    assert (request.name, request.approve, request.comment) == (NAME, approve, "seen it")


def test_in_korean(run, peer):
    peer.answers("DecideApproval", DecideApprovalResponse(approval=approval("APPROVED")))
    assert "승인됨: 워크플로 계속" in run("approval", "decide", ID, "yes", env={"LANG": "ko_KR.UTF-8"}).stdout


def test_a_decision_is_yes_or_no(run, peer):
    assert run("approval", "decide", ID, "maybe").exit_code == 2
    assert not peer.calls


def test_who_may_not_decide_is_told_who_must(run, peer):
    refusal = peer.refusal(grpc.StatusCode.PERMISSION_DENIED, "APPROVER_ROLE_MISSING", "it is for admin to decide")
    peer.answers("DecideApproval", refusal)
    result = run("approval", "decide", ID, "yes")
    assert result.exit_code == 6
    assert "Somebody with that role must decide." in result.stderr


def test_json_is_the_contracts(run, peer):
    peer.answers("GetApproval", GetApprovalResponse(approval=approval()))
    assert json.loads(run("approval", "get", ID, "-o", "json").stdout)["approval"]["state"] == "STATE_WAITING"
