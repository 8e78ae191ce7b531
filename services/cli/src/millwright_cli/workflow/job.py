"""`millwright workflow job get | list | watch | cancel`: a rollback's run policy, carried out instance by instance."""

from enum import StrEnum
from typing import Annotated

import grpc
import typer
from millwright.workflow.v1 import release_pb2, release_service_pb2, release_service_pb2_grpc
from rich.live import Live

from millwright_cli.arguments import Limit
from millwright_cli.connection import Connection
from millwright_cli.errors import ExitCode
from millwright_cli.paging import collect
from millwright_cli.session import Noun, Session, Verb, current
from millwright_cli.words import Word
from millwright_cli.workflow.arguments import run_job_name
from millwright_cli.workflow.moves import connect
from millwright_cli.workflow.views import job as views

_BREAKS = 60

app = typer.Typer(cls=Noun, help="Follow and cancel the jobs of rollbacks.", no_args_is_help=True)

RunJobName = Annotated[str, typer.Argument(parser=run_job_name, metavar="ID", help="The job's id.", show_default=False)]


class Kind(StrEnum):
    """What became of an instance."""

    MIGRATED = "migrated"
    FORKED = "forked"
    PAUSED = "paused"
    CANCELLED = "cancelled"
    FAILED = "failed"


@app.command(cls=Verb)
def get(ctx: typer.Context, job: RunJobName) -> None:
    """Show where a job stands."""
    session = current(ctx)
    connection, stub = connect(session)
    answer = connection.call(stub.GetRunJob, release_service_pb2.GetRunJobRequest(name=job))
    session.screen.answer(answer, *views.job(answer.run_job, session.say))


@app.command("list", cls=Verb)
def list_(
    ctx: typer.Context,
    job: RunJobName,
    *,
    kind: Annotated[Kind | None, typer.Option("--kind", help="Only what became this.", show_default=False)] = None,
    limit: Limit = 50,
) -> None:
    """List what became of each instance of a job, and why."""
    session = current(ctx)
    connection, stub = connect(session)
    value = (
        release_pb2.RunJobOutcome.Kind.Value(f"KIND_{kind.name}")
        if kind
        else release_pb2.RunJobOutcome.KIND_UNSPECIFIED
    )
    request = release_service_pb2.ListRunJobOutcomesRequest(run_job=job, kind=value)
    found = collect(connection, stub.ListRunJobOutcomes, request, lambda page: page.outcomes, limit)
    session.screen.listing(
        found, views.outcome_table(found.outcomes, session.say), limit=limit, goes_on=bool(found.next_page_token)
    )


@app.command(cls=Verb)
def watch(ctx: typer.Context, job: RunJobName) -> None:
    """Follow a job to its end."""
    session = current(ctx)
    connection, stub = connect(session)
    raise typer.Exit(_watch(session, connection, stub, job))


@app.command(cls=Verb)
def cancel(ctx: typer.Context, job: RunJobName) -> None:
    """Stop a job: what it has done stays done, the other instances go on on the version that was left."""
    session = current(ctx)
    connection, stub = connect(session)
    answer = connection.call(stub.CancelRunJob, release_service_pb2.CancelRunJobRequest(name=job))
    session.screen.answer(answer, *views.job(answer.run_job, session.say))


def _watch(
    session: Session, connection: Connection, stub: release_service_pb2_grpc.ReleaseServiceStub, job: str
) -> ExitCode:
    """Print each change of a job; a stream that breaks is opened again, and begins with the job as it is."""
    screen, request = session.screen, release_service_pb2.WatchRunJobRequest(name=job)
    for attempt in range(_BREAKS + 1):
        stream = connection.stream(stub.WatchRunJob, request)
        try:
            with Live(console=screen.out, transient=True, auto_refresh=False) as live:
                for message in stream:
                    if not message.HasField("run_job"):
                        continue
                    known = message.run_job
                    if screen.is_live:
                        live.update(views.line(known, session.say), refresh=True)
                    else:
                        screen.one_of_many(message, views.line(known, session.say))
                    if known.state != release_pb2.RunJob.STATE_RUNNING:
                        break
        except grpc.RpcError:
            if stream.code() is not grpc.StatusCode.UNAVAILABLE or attempt == _BREAKS:
                raise
            session.screen.notice(session.say(Word.CONNECTING))
            continue
        finally:
            stream.cancel()
        if screen.is_live:
            screen.lines(views.line(known, session.say))
        return ExitCode.CANCELLED if known.state == release_pb2.RunJob.STATE_CANCELLED else ExitCode.OK
    raise AssertionError
