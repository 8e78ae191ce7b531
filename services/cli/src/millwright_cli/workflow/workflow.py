"""`millwright workflow …`: publishing workflows and reading them. What moves a channel is in `release`."""

from functools import partial
from typing import Annotated

import typer
from millwright.workflow.v1 import workflow_service_pb2, workflow_service_pb2_grpc

from millwright_cli.arguments import DryRun, Limit, OptionalReason, VersionNumber, file_text
from millwright_cli.connection import Connection, Service
from millwright_cli.paging import collect
from millwright_cli.publishing import Promote, Publish
from millwright_cli.session import Noun, Session, Verb, current
from millwright_cli.workflow import canary, job, release
from millwright_cli.workflow.arguments import WorkflowName
from millwright_cli.workflow.views import workflow as views
from millwright_cli.workflow.words import WORDS

SERVICE = Service("workflow", workflow_service_pb2.DESCRIPTOR, WORDS)

app = typer.Typer(cls=Noun, help="Publish workflows, release and roll back their versions.", no_args_is_help=True)


@app.command(cls=Publish)
def publish(
    ctx: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="The definition, YAML or JSON; - for standard input.")],
    *,
    promote: Promote = "",
    reason: OptionalReason = "",
    dry_run: DryRun = False,
) -> None:
    """Publish a definition as the next version of its workflow."""
    session = current(ctx)
    request = workflow_service_pb2.PublishVersionRequest(
        definition=file_text(file, session.say),
        promote_to=promote,
        reason=reason,
        validate_only=dry_run,
    )
    connection, stub = _connect(session)
    session.write(connection, stub.PublishVersion, request, partial(views.publication, dry_run=dry_run))


@app.command("list", cls=Verb)
def list_(ctx: typer.Context, limit: Limit = 50) -> None:
    """List the workflows by name."""
    session = current(ctx)
    connection, stub = _connect(session)
    request = workflow_service_pb2.ListWorkflowsRequest()
    found = collect(connection, stub.ListWorkflows, request, lambda page: page.workflows, limit)
    session.screen.listing(
        found, views.workflow_table(found, session.say), limit=limit, goes_on=bool(found.next_page_token)
    )


@app.command(cls=Verb)
def get(ctx: typer.Context, name: WorkflowName) -> None:
    """Show a workflow and where its channels point."""
    session = current(ctx)
    connection, stub = _connect(session)
    answer = connection.call(stub.GetWorkflow, workflow_service_pb2.GetWorkflowRequest(name=name))
    session.screen.answer(answer, *views.workflow(answer, session.say))


@app.command(cls=Verb)
def versions(ctx: typer.Context, name: WorkflowName, limit: Limit = 50) -> None:
    """List a workflow's versions, newest first."""
    session = current(ctx)
    connection, stub = _connect(session)
    request = workflow_service_pb2.ListVersionsRequest(workflow=name)
    found = collect(connection, stub.ListVersions, request, lambda page: page.versions, limit)
    session.screen.listing(
        found, views.version_table(found, session.say), limit=limit, goes_on=bool(found.next_page_token)
    )


@app.command(cls=Verb)
def show(ctx: typer.Context, name: WorkflowName, version: VersionNumber) -> None:
    """Show a version's definition; into a pipe it goes exactly as it was published."""
    session = current(ctx)
    connection, stub = _connect(session)
    request = workflow_service_pb2.GetVersionRequest(name=f"{name}/versions/{version}")
    answer = connection.call(stub.GetVersion, request)
    if session.screen.is_json or session.screen.is_live:
        session.screen.answer(answer, *views.definition(answer.version, session.say))
    else:
        session.screen.raw(answer.version.definition)


@app.command(cls=Verb)
def diff(
    ctx: typer.Context,
    name: WorkflowName,
    from_version: Annotated[int, typer.Argument(metavar="FROM", min=1, help="The earlier version's number.")],
    to_version: Annotated[int, typer.Argument(metavar="TO", min=1, help="The later version's number.")],
) -> None:
    """Show what differs between two versions."""
    session = current(ctx)
    connection, stub = _connect(session)
    request = workflow_service_pb2.DiffVersionsRequest(workflow=name, from_version=from_version, to_version=to_version)
    answer = connection.call(stub.DiffVersions, request)
    session.screen.answer(answer, *views.differences(answer, from_version, to_version, session.say))


@app.command(cls=Verb)
def schedule(ctx: typer.Context, name: WorkflowName) -> None:
    """Show when a workflow starts by itself, and when it last did."""
    session = current(ctx)
    connection, stub = _connect(session)
    request = workflow_service_pb2.ListSchedulesRequest(workflow=name)
    answer = connection.call(stub.ListSchedules, request)
    session.screen.answer(answer, *views.schedule(answer, name, session.say))


app.add_typer(release.app)
app.add_typer(canary.app, name="canary")
app.add_typer(job.app, name="job")


def _connect(session: Session) -> tuple[Connection, workflow_service_pb2_grpc.WorkflowServiceStub]:
    connection = session.connect(SERVICE)
    return connection, workflow_service_pb2_grpc.WorkflowServiceStub(connection.channel)
