"""Looking at executions whose answers no service gives on demand."""

import json

import grpc
from millwright.judgment.v1.judgment_pb2 import Execution, Judgment
from millwright.judgment.v1.judgment_service_pb2 import GetExecutionResponse, ListExecutionsResponse

NORMAL = Judgment(status="STATUS_DECIDED", outcome="normal")


def test_an_execution_that_does_not_come_out_again_says_so(run, peer):
    recorded = Execution(name="executions/1", judgment=NORMAL, not_reproducible=True)
    peer.answers("GetExecution", GetExecutionResponse(execution=recorded))
    assert "As recorded: judging its input again does not give this" in run("execution", "get", "1").stdout
    peer.answers("ExplainExecution", peer.refusal(grpc.StatusCode.FAILED_PRECONDITION, "NOT_REPRODUCIBLE"))
    assert "millwright execution get" in run("execution", "explain", "1").stderr


def test_a_listing_goes_on_over_pages_that_are_empty(run, peer):
    """The service has looked at so many rows, and found none of those wanted among them."""
    found = Execution(name="executions/1", judgment=NORMAL)
    empty, short = (ListExecutionsResponse(next_page_token=token) for token in "ab")
    short.executions.append(found)
    peer.answers("ListExecutions", empty, short, ListExecutionsResponse(executions=[found]))
    listed = run("--output", "json", "execution", "list", "--unit", "lot-7")
    assert len(json.loads(listed.stdout)["executions"]) == 2
    assert [request.page_token for request in peer.requests("ListExecutions")] == ["", "a", "b"]
