"""ApprovalService: the decisions that workflows wait for."""

from __future__ import annotations

from typing import Any

from millwright.workflow.v1 import approval_service_pb2 as pb
from millwright.workflow.v1 import approval_service_pb2_grpc as pb_grpc
from millwright_runtime.api import calls, fields, messages, pages
from millwright_runtime.errors import InvalidFields, Violation
from millwright_runtime.events.log import EventLog
from millwright_runtime.json import from_text
from millwright_runtime.service import Platform

from millwright_workflow.commands import approving
from millwright_workflow.domain import names
from millwright_workflow.domain.approvals import COMMENT_LIMIT, Approval, Decision, State
from millwright_workflow.engine.work.notices import Notices
from millwright_workflow.store import approvals as store
from millwright_workflow.store.approvals import Filter

_STATES = {pb.Approval.State.Value(f"STATE_{state.value}"): state for state in State}


class ApprovalServicer(pb_grpc.ApprovalServiceServicer):
    """Serves ApprovalService."""

    def __init__(self, platform: Platform, log: EventLog, notices: Notices) -> None:
        self._platform = platform
        self._log = log
        self._notices = notices

    async def ListApprovals(self, request: pb.ListApprovalsRequest, _context: Any) -> pb.ListApprovalsResponse:
        """List approvals, oldest first."""
        chosen = _filter(request)
        size = pages.size(request.page_size)
        after = pages.read(request.page_token, pages.time_and_id, chosen)
        async with self._platform.reading() as connection:
            found = await store.page(connection, chosen, after, size + 1)
        approvals, token = pages.cut(found, size, _message, _place, chosen)
        return pb.ListApprovalsResponse(approvals=approvals, next_page_token=token)

    async def GetApproval(self, request: pb.GetApprovalRequest, _context: Any) -> pb.GetApprovalResponse:
        """Get one approval."""
        approval_id = names.parse_approval(request.name, "name")
        async with self._platform.reading() as connection:
            approval = await store.get(connection, approval_id)
        return pb.GetApprovalResponse(approval=_message(approval))

    async def DecideApproval(self, request: pb.DecideApprovalRequest, _context: Any) -> pb.DecideApprovalResponse:
        """Decide an approval."""
        principal = calls.current().principal
        approval_id = names.parse_approval(request.name, "name")
        decision = Decision(
            principal.subject, principal.roles, request.approve, fields.text(request.comment, "comment", COMMENT_LIMIT)
        )
        async with self._platform.database.transaction(principal.tenant) as connection:
            approval = await approving.decide(connection, self._log, approval_id, decision)
        self._platform.committed(principal.tenant, request.name)
        self._notices.changed(approval.key)
        return pb.DecideApprovalResponse(approval=_message(approval))


def _filter(request: pb.ListApprovalsRequest) -> Filter:
    if any(state not in _STATES for state in request.states):
        raise InvalidFields([Violation("states", "UNKNOWN_VALUE", "must be values of Approval.State")])
    states = tuple(_STATES[state] for state in request.states) or (State.WAITING,)
    return Filter(states, names.parse_instance(request.instance, "instance") if request.instance else None)


def _message(value: Approval) -> pb.Approval:
    return pb.Approval(
        name=names.approval(value.id),
        instance=names.instance(value.key.instance),
        task=value.key.reference,
        title=value.title,
        details=messages.value(from_text(value.details)),
        role=value.role,
        state=pb.Approval.State.Value(f"STATE_{value.state.value}"),
        decider=value.decider or "",
        comment=value.comment or "",
        create_time=messages.timestamp(value.create_time),
        escalate_time=messages.timestamp(value.escalate_time),
        expire_time=messages.timestamp(value.expire_time),
        decide_time=messages.timestamp(value.decide_time),
    )


def _place(value: Approval) -> list[str]:
    return pages.of_time_and_id(value.create_time, value.id)
