"""`millwright instance …`: starting instances, reading and following them, cancelling and resuming them."""

import uuid
from datetime import datetime
from enum import StrEnum
from time import perf_counter
from typing import Annotated

import typer
from millwright.workflow.v1 import instance_pb2, instance_service_pb2, instance_service_pb2_grpc

from millwright_cli import errors
from millwright_cli.arguments import Limit, OptionalReason, Watch, json_value, since, timestamp
from millwright_cli.connection import Connection, Service, new_request_id
from millwright_cli.paging import collect
from millwright_cli.session import Noun, Session, Verb, current
from millwright_cli.times import span
from millwright_cli.workflow import going_on
from millwright_cli.workflow.arguments import InstanceName, WorkflowName, workflow_name
from millwright_cli.workflow.instance_watch import InstanceWatch
from millwright_cli.workflow.views import instance as views
from millwright_cli.workflow.words import WORDS, Term

SERVICE = Service("workflow", instance_service_pb2.DESCRIPTOR, WORDS)

app = typer.Typer(cls=Noun, help="Start instances of workflows, follow, cancel and resume them.", no_args_is_help=True)


class State(StrEnum):
    """Where an instance stands."""

    PENDING = "pending"
    RUNNING = "running"
    PAUSED = "paused"
    COMPENSATING = "compensating"
    COMPLETED = "completed"
    FAULTED = "faulted"
    CANCELLED = "cancelled"


@app.command(cls=Verb)
def start(
    ctx: typer.Context,
    name: WorkflowName,
    *,
    channel: Annotated[
        str, typer.Option("--channel", metavar="CHANNEL", help="The channel to start through.", show_default="prod")
    ] = "",
    version: Annotated[
        int | None,
        typer.Option(
            "--version", metavar="N", min=1, help="Start on this version, past every channel.", show_default=False
        ),
    ] = None,
    input_: Annotated[
        str | None, typer.Option("--input", metavar="JSON", help="The input: JSON, @FILE, or - for standard input.")
    ] = None,
    id_: Annotated[
        uuid.UUID | None,
        typer.Option("--id", metavar="UUID", help="The instance's id.", show_default="the service makes one"),
    ] = None,
    watch: Watch = False,
) -> None:
    """Start an instance; with --watch, follow it to its end (exit codes 8 and 9)."""
    session = current(ctx)
    if channel and version:
        raise errors.usage("TWO_TARGETS", session.say(Term.TWO_TARGETS))
    request = instance_service_pb2.StartInstanceRequest(
        workflow=name,
        channel=channel,
        version=version or 0,
        input=None if input_ is None else json_value(input_, session.say),
        instance_id=str(id_ or ""),
        request_id=new_request_id(),
    )
    connection, stub = _connect(session)
    began = perf_counter()
    answer = connection.call(stub.StartInstance, request)
    took = span(perf_counter() - began, session.say)
    accepted = views.acceptance(answer, took, session.say, watched=watch)
    if not watch:
        session.screen.answer(answer, *accepted)
        return
    session.screen.lines(*accepted)
    raise typer.Exit(InstanceWatch(session, connection, stub).run(answer.instance.name, known=answer.instance))


@app.command(cls=Verb)
def get(ctx: typer.Context, name: InstanceName) -> None:
    """Show one instance."""
    session = current(ctx)
    connection, stub = _connect(session)
    answer = connection.call(stub.GetInstance, instance_service_pb2.GetInstanceRequest(name=name))
    session.screen.answer(answer, *views.instance(answer.instance, session.say))


@app.command("list", cls=Verb)
def list_(
    ctx: typer.Context,
    workflow: Annotated[
        str | None, typer.Option("--workflow", parser=workflow_name, metavar="NAME", help="Only of this workflow.")
    ] = None,
    version: Annotated[
        int | None,
        typer.Option(
            "--version", metavar="N", min=1, help="Only on this version; needs --workflow.", show_default=False
        ),
    ] = None,
    state: Annotated[
        list[State] | None, typer.Option("--state", help="Only in this state; may be given more than once.")
    ] = None,
    created_after: Annotated[
        datetime | None,
        typer.Option("--since", parser=since, metavar="WHEN", help="Only started since: 2h, 30m, or 2026-07-01T08:00."),
    ] = None,
    limit: Limit = 50,
) -> None:
    """List instances, newest first."""
    session = current(ctx)
    if version and not workflow:
        raise errors.usage("VERSION_ALONE", session.say(Term.VERSION_ALONE))
    connection, stub = _connect(session)
    request = instance_service_pb2.ListInstancesRequest(
        workflow=workflow or "",
        version=version or 0,
        states=[instance_pb2.Instance.State.Value(f"STATE_{each.name}") for each in state or ()],
        created_after=timestamp(created_after),
    )
    found = collect(connection, stub.ListInstances, request, lambda page: page.instances, limit)
    table = views.instance_table(found.instances, session.say)
    session.screen.listing(found, table, limit=limit, goes_on=bool(found.next_page_token))


@app.command(cls=Verb)
def watch(ctx: typer.Context, name: InstanceName) -> None:
    """Follow an instance to its end: exits 0 if it completed, 8 if it faulted, 9 if it was cancelled."""
    session = current(ctx)
    connection, stub = _connect(session)
    raise typer.Exit(InstanceWatch(session, connection, stub).run(name))


@app.command(cls=Verb)
def cancel(
    ctx: typer.Context,
    name: InstanceName,
    reason: OptionalReason = "",
    *,
    compensate: Annotated[
        bool, typer.Option("--compensate", help="Undo what its finished tasks did, before it ends.")
    ] = False,
) -> None:
    """Cancel an instance; a running one ends within two seconds, or once what it did is undone."""
    session = current(ctx)
    connection, stub = _connect(session)
    request = instance_service_pb2.CancelInstanceRequest(name=name, reason=reason, compensate=compensate)
    answer = connection.call(stub.CancelInstance, request)
    session.screen.answer(answer, views.cancellation(answer.instance, session.say))


going_on.add_to(app)


def _connect(session: Session) -> tuple[Connection, instance_service_pb2_grpc.InstanceServiceStub]:
    connection = session.connect(SERVICE)
    return connection, instance_service_pb2_grpc.InstanceServiceStub(connection.channel)
