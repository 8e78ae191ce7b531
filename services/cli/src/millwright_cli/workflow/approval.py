"""`millwright approval …`: the decisions that workflows wait for, and making them."""

from enum import StrEnum
from typing import Annotated

import typer
from millwright.workflow.v1 import approval_service_pb2, approval_service_pb2_grpc

from millwright_cli.arguments import Limit
from millwright_cli.connection import Connection, Service
from millwright_cli.paging import collect
from millwright_cli.session import Noun, Session, Verb, current
from millwright_cli.workflow.arguments import ApprovalName, instance_name
from millwright_cli.workflow.views import approval as views
from millwright_cli.workflow.words import WORDS

SERVICE = Service("workflow", approval_service_pb2.DESCRIPTOR, WORDS)

app = typer.Typer(cls=Noun, help="See and make the decisions that workflows wait for.", no_args_is_help=True)


class State(StrEnum):
    """Where an approval stands."""

    WAITING = "waiting"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


class Decision(StrEnum):
    """What is decided."""

    YES = "yes"
    NO = "no"


@app.command("list", cls=Verb)
def list_(
    ctx: typer.Context,
    state: Annotated[
        list[State] | None,
        typer.Option("--state", help="Only in this state; may be given more than once.", show_default="waiting"),
    ] = None,
    instance: Annotated[
        str | None, typer.Option("--instance", parser=instance_name, metavar="ID", help="Only of this instance.")
    ] = None,
    limit: Limit = 50,
) -> None:
    """List approvals, those that wait longest first."""
    session = current(ctx)
    connection, stub = _connect(session)
    request = approval_service_pb2.ListApprovalsRequest(
        states=[approval_service_pb2.Approval.State.Value(f"STATE_{each.name}") for each in state or ()],
        instance=instance or "",
    )
    found = collect(connection, stub.ListApprovals, request, lambda page: page.approvals, limit)
    table = views.approval_table(found.approvals, session.say)
    session.screen.listing(found, table, limit=limit, goes_on=bool(found.next_page_token))


@app.command(cls=Verb)
def get(ctx: typer.Context, name: ApprovalName) -> None:
    """Show one approval."""
    session = current(ctx)
    connection, stub = _connect(session)
    answer = connection.call(stub.GetApproval, approval_service_pb2.GetApprovalRequest(name=name))
    session.screen.answer(answer, *views.approval(answer.approval, session.say))


@app.command(cls=Verb)
def decide(
    ctx: typer.Context,
    name: ApprovalName,
    decision: Annotated[Decision, typer.Argument(help="What you decide.", show_default=False)],
    comment: Annotated[
        str, typer.Option("--comment", metavar="TEXT", help="Why; kept with the decision.", show_default=False)
    ] = "",
) -> None:
    """Decide an approval: its workflow goes on."""
    session = current(ctx)
    connection, stub = _connect(session)
    request = approval_service_pb2.DecideApprovalRequest(name=name, approve=decision is Decision.YES, comment=comment)
    answer = connection.call(stub.DecideApproval, request)
    session.screen.answer(answer, views.decided(answer.approval, session.say))


def _connect(session: Session) -> tuple[Connection, approval_service_pb2_grpc.ApprovalServiceStub]:
    connection = session.connect(SERVICE)
    return connection, approval_service_pb2_grpc.ApprovalServiceStub(connection.channel)
