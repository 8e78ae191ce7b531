"""`millwright audit`: who changed what, or was refused to."""

import json

from google.protobuf.timestamp_pb2 import Timestamp
from millwright.api.v1.audit_service_pb2 import AuditEntry, ListAuditEntriesResponse

METHOD = "millwright.workflow.v1.ReleaseService.RollbackVersion"
CHANNEL = "workflows/quality.weld/channels/prod"


def entry(code="OK", reason="", subject="kim"):
    return AuditEntry(
        create_time=Timestamp(seconds=1),
        subject=subject,
        roles=["operator"],
        method=METHOD,
        resources=[CHANNEL],
        code=code,
        reason=reason,
        peer="ipv4:10.0.0.7:4711",
    )


def test_entries_are_listed_with_who_what_and_how_it_ended(run, peer):
    refused = entry("PERMISSION_DENIED", "ROLE_MISSING", "eve")
    peer.answers("ListAuditEntries", ListAuditEntriesResponse(entries=[refused, entry()]))
    result = run("audit", "list", "workflow")
    assert result.exit_code == 0
    for told in ("eve", "kim", "RollbackVersion", "done", "ROLE_MISSING"):
        assert told in result.stdout


def test_what_is_asked_for_is_passed_on(run, peer):
    peer.answers("ListAuditEntries", ListAuditEntriesResponse())
    options = ("--by", "kim", "--about", CHANNEL, "--call", "RollbackVersion", "--since", "1970-01-02T00:00:00+00:00")
    run("audit", "list", "etl", *options, "--until", "1970-01-03T00:00:00+00:00", "--refused", "--limit", "3")
    (request,) = peer.requests("ListAuditEntries")
    assert (request.subject, request.resource, request.method) == ("kim", CHANNEL, "RollbackVersion")
    assert (request.from_time.seconds, request.to_time.seconds) == (86_400, 172_800)
    assert (request.only_refused, request.page_size) == (True, 3)


def test_pages_become_one_list_and_json_has_all_of_it(run, peer):
    peer.answers("ListAuditEntries", ListAuditEntriesResponse(entries=[entry()], next_page_token="more"))
    peer.answers("ListAuditEntries", ListAuditEntriesResponse(entries=[entry(subject="lee")]))
    result = run("audit", "list", "modules", "-o", "json")
    assert [each["subject"] for each in json.loads(result.stdout)["entries"]] == ["kim", "lee"]
    assert peer.requests("ListAuditEntries")[1].page_token == "more"


def test_a_service_that_is_none_is_a_usage_error(run):
    assert run("audit", "list", "payroll").exit_code == 2


def test_what_a_caller_is_called_cannot_rewrite_the_terminal(run, peer):
    peer.answers("ListAuditEntries", ListAuditEntriesResponse(entries=[entry(subject="kim\x1b[2J")]))
    assert "\x1b[2J" not in run("audit", "list", "workflow").stdout
