"""Approvals: a person decides, the workflow goes on with the decision, and time passes on what nobody decides."""

import uuid

import pytest
from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Value
from millwright.workflow.v1 import approval_service_pb2 as pb
from millwright_local.processes import until
from millwright_local.testing.refusals import refused
from workflow_rig.client import Instance
from workflow_rig.definitions import SET, WAIT

WAITING, APPROVED, REJECTED, EXPIRED, WITHDRAWN = (
    pb.Approval.STATE_WAITING,
    pb.Approval.STATE_APPROVED,
    pb.Approval.STATE_REJECTED,
    pb.Approval.STATE_EXPIRED,
    pb.Approval.STATE_WITHDRAWN,
)
COMPLETED, FAULTED = Instance.STATE_COMPLETED, Instance.STATE_FAULTED
EVENTS = "SELECT type, sequence FROM workflow.event WHERE tenant = $1 AND resource = $2 ORDER BY sequence"
OVERDUE = "UPDATE workflow.approval SET expire_time = now() WHERE tenant = $1"


def approve(name="ask", roles=("operator",), **more) -> dict:
    """Give a task that asks a person."""
    return {name: {"call": "approve", "with": {"title": "Ship lot 7?", "roles": list(roles), **more}}}


@pytest.fixture
def asked(client):
    """Give a function that starts an instance of some tasks and waits until it has asked."""

    async def ask(*do):
        await client.release(list(do))
        client.instance = await client.start()

        async def is_asked():
            return bool((await client.ListApprovals()).approvals)

        await until(is_asked, 10)
        return (await client.ListApprovals()).approvals[0]

    return ask


async def in_state(client, approval, state):
    """Wait until an approval is in a state, and give it."""

    async def is_there():
        return (await client.GetApproval(name=approval.name)).approval.state == state

    await until(is_there, 10)
    return (await client.GetApproval(name=approval.name)).approval


async def test_an_approval_says_what_is_to_be_decided(client, asked):
    approval = await asked(approve(details={"lot": 7}, expiresAfter="PT1H"))
    assert (approval.instance, approval.task, approval.title) == (client.instance, "/do/0/ask", "Ship lot 7?")
    assert (approval.role, approval.state) == ("operator", WAITING)
    assert MessageToDict(approval.details) == {"lot": 7}
    assert approval.expire_time.ToSeconds() - approval.create_time.ToSeconds() == 3600
    assert (await client.GetApproval(name=approval.name)).approval == approval


@pytest.mark.parametrize(("approved", "state", "word"), [(True, APPROVED, "approved"), (False, REJECTED, "rejected")])
async def test_the_decision_becomes_the_output(client, asked, approved, state, word):
    approval = await asked(approve())
    answer = await client.DecideApproval(name=approval.name, approve=approved, comment="looks so")
    assert (answer.approval.state, answer.approval.decider) == (state, "local")
    ended = await client.ended(client.instance)
    assert ended.state == COMPLETED
    time = answer.approval.decide_time.ToJsonString().removesuffix("Z")
    output = MessageToDict(ended.output)
    assert output.pop("time").startswith(time)
    assert output == {"decision": word, "decider": "local", "comment": "looks so"}


async def test_the_same_decision_again_changes_nothing_and_another_is_refused(client, asked, token):
    approval = await asked(approve(), *WAIT)
    first = await client.DecideApproval(name=approval.name, approve=True)
    assert await client.DecideApproval(name=approval.name, approve=True) == first
    assert (await refused(client.DecideApproval(name=approval.name, approve=False))).kind == (
        "FAILED_PRECONDITION",
        "APPROVAL_CLOSED",
    )
    other = token(tenant=client.tenant, subject="park")
    refusal = await refused(client.DecideApproval(name=approval.name, approve=True, token=other))
    assert refusal.reason == "APPROVAL_CLOSED"


async def test_who_lacks_the_role_cannot_decide(client, asked, token):
    approval = await asked(approve(roles=["admin"]))
    refusal = await refused(client.DecideApproval(name=approval.name, approve=True))
    assert refusal.kind == ("PERMISSION_DENIED", "APPROVER_ROLE_MISSING")
    admin = token(tenant=client.tenant, roles=("admin",))
    assert (await client.DecideApproval(name=approval.name, approve=True, token=admin)).approval.state == APPROVED


async def test_a_stranger_sees_no_approval(client, stranger, asked):
    approval = await asked(approve())
    assert not (await stranger.ListApprovals()).approvals
    for call in (stranger.GetApproval, stranger.DecideApproval):
        assert (await refused(call(name=approval.name))).kind == ("NOT_FOUND", "APPROVAL_NOT_FOUND")


async def test_what_nobody_decides_in_time_expires_and_can_be_caught(client, asked):
    late = {"set": {"late": "${ $error.status }"}}
    approval = await asked({"dare": {"try": [approve(expiresAfter="PT1S")], "catch": {"do": [{"note": late}]}}})
    ended = await client.ended(client.instance)
    assert MessageToDict(ended.output) == {"late": 408}
    assert (await client.GetApproval(name=approval.name)).approval.state == EXPIRED
    refusal = await refused(client.DecideApproval(name=approval.name, approve=True))
    assert refusal.reason == "APPROVAL_CLOSED"


async def test_an_approval_is_closed_at_its_time_whoever_looks_first(client, asked, sql):
    approval = await asked(approve(expiresAfter="PT1H"))
    await sql.execute(OVERDUE, client.tenant)
    assert (await refused(client.DecideApproval(name=approval.name, approve=True))).reason == "APPROVAL_CLOSED"


async def test_after_its_time_it_goes_to_the_next_role(client, asked, token):
    approval = await asked(approve(escalation={"after": "PT1S", "roles": ["admin"]}))
    assert (approval.role, approval.HasField("escalate_time")) == ("operator", True)

    async def is_escalated():
        return (await client.GetApproval(name=approval.name)).approval.role == "admin"

    await until(is_escalated, 10)
    assert (await refused(client.DecideApproval(name=approval.name, approve=True))).reason == "APPROVER_ROLE_MISSING"
    admin = token(tenant=client.tenant, roles=("admin",))
    assert (await client.DecideApproval(name=approval.name, approve=True, token=admin)).approval.state == APPROVED
    assert (await client.ended(client.instance)).state == COMPLETED


async def test_it_is_withdrawn_when_its_instance_is_cancelled(client, asked):
    approval = await asked(approve())
    await client.CancelInstance(name=client.instance)
    withdrawn = await in_state(client, approval, WITHDRAWN)
    assert withdrawn.HasField("decide_time")
    assert (await refused(client.DecideApproval(name=approval.name, approve=True))).reason == "APPROVAL_CLOSED"


async def test_it_is_withdrawn_when_the_task_times_out(client, asked):
    impatient = approve()
    impatient["ask"]["timeout"] = {"after": "PT1S"}
    approval = await asked({"dare": {"try": [impatient], "catch": {"do": WAIT}}})
    await in_state(client, approval, WITHDRAWN)


async def test_it_can_be_decided_while_its_instance_is_paused(client, asked):
    approval = await asked(approve())
    await client.PauseInstance(name=client.instance, reason="lunch")

    async def is_paused():
        return (await client.get(client.instance)).state == Instance.STATE_PAUSED

    await until(is_paused, 10)
    await client.DecideApproval(name=approval.name, approve=True)
    await client.ResumeInstance(name=client.instance)
    assert (await client.ended(client.instance)).state == COMPLETED


async def test_a_retried_instance_asks_anew(client, asked):
    approval = await asked(approve(expiresAfter="PT1S"))
    assert (await client.ended(client.instance)).state == FAULTED
    await client.RetryInstance(name=client.instance)

    async def is_asked_again():
        return any(each.name != approval.name for each in (await client.ListApprovals()).approvals)

    await until(is_asked_again, 10)
    assert (await client.GetApproval(name=approval.name)).approval.state == EXPIRED


async def test_lists_go_from_the_oldest_page_by_page(client):
    await client.release([approve()])
    instances = [await client.start() for _ in range(5)]

    async def are_asked():
        return len((await client.ListApprovals()).approvals) == 5

    await until(are_asked, 10)
    everything = (await client.ListApprovals()).approvals
    assert [each.create_time.ToNanoseconds() for each in everything] == sorted(
        each.create_time.ToNanoseconds() for each in everything
    )
    first = await client.ListApprovals(page_size=2)
    second = await client.ListApprovals(page_size=2, page_token=first.next_page_token)
    third = await client.ListApprovals(page_size=2, page_token=second.next_page_token)
    assert [*first.approvals, *second.approvals, *third.approvals] == list(everything)
    assert not third.next_page_token
    await client.DecideApproval(name=everything[0].name, approve=False)
    assert len((await client.ListApprovals()).approvals) == 4
    assert (await client.ListApprovals(states=[REJECTED])).approvals[0].name == everything[0].name
    [only] = (await client.ListApprovals(instance=instances[-1])).approvals
    assert only.instance == instances[-1]


async def test_events_tell_of_it(client, asked, sql):
    approval = await asked(approve(escalation={"after": "PT1S", "roles": ["operator"]}))

    async def is_escalated():
        return not (await client.GetApproval(name=approval.name)).approval.HasField("escalate_time")

    await until(is_escalated, 10)
    await client.DecideApproval(name=approval.name, approve=True)
    rows = [tuple(row) for row in await sql.fetch(EVENTS, client.tenant, approval.name)]
    kinds = ("requested", "escalated", "decided")
    assert rows == [(f"io.millwright.workflow.approval.{kind}.v1", n) for n, kind in enumerate(kinds, 1)]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"roles": ["viewer"]}, "Roles that can decide are operator and admin, not 'viewer'."),
        ({"title": "x" * 501}, "The title has 501 characters"),
        ({"details": "x" * (256 * 1024)}, "The details may have at most 262144 bytes, not 262146."),
        ({"expiresAfter": "P2Y"}, "at most 366 days"),
    ],
)
async def test_arguments_past_their_limits_are_a_validation_error(client, arguments, said):
    await client.release([{"ask": {"call": "approve", "with": {"title": "Ship?", "roles": ["operator"], **arguments}}}])
    ended = await client.run()
    assert ended.state == FAULTED
    assert said in ended.error.detail


@pytest.mark.parametrize(
    ("rpc", "fields", "field"),
    [
        ("GetApproval", {"name": "approvals/7"}, "name"),
        ("DecideApproval", {"name": f"approvals/{uuid.uuid4()}", "comment": "x" * 1001}, "comment"),
        ("ListApprovals", {"states": [99]}, "states"),
        ("ListApprovals", {"instance": "instances/7"}, "instance"),
    ],
)
async def test_malformed_requests_are_refused(client, rpc, fields, field):
    assert (await refused(getattr(client, rpc)(**fields))).fields == [field]


async def test_what_is_given_to_a_decided_task_flows_on(client, asked):
    await asked(approve(), *SET)
    approval = (await client.ListApprovals()).approvals[0]
    await client.DecideApproval(name=approval.name, approve=True)
    assert (await client.ended(client.instance)).output == Value(
        struct_value={"fields": {"ok": Value(bool_value=True)}}
    )
