"""`millwright etl runs | show | watch | cancel`: the history of runs, and following one."""

from enum import StrEnum
from typing import Annotated

import typer
from millwright.etl.v1 import run_pb2
from millwright.etl.v1.pipeline_service_pb2 import (
    CancelRunRequest,
    GetRunRequest,
    ListRunsRequest,
    ListWindowsRequest,
)

from millwright_cli.arguments import Limit, named
from millwright_cli.etl import services
from millwright_cli.etl.run_watch import RunWatch
from millwright_cli.etl.views import run as views
from millwright_cli.paging import collect
from millwright_cli.session import current


def run_name(text: str) -> str:
    """Read a run's id, or its name."""
    return named("runs", text)


RunName = Annotated[str, typer.Argument(parser=run_name, metavar="ID", help="The run's id.", show_default=False)]


class State(StrEnum):
    """Where a run stands."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


def runs(
    ctx: typer.Context,
    *,
    state: Annotated[State | None, typer.Option("--state", help="Only in this state.", show_default=False)] = None,
    limit: Limit = 20,
) -> None:
    """List runs, the newest first."""
    session = current(ctx)
    connection, stub = services.pipeline(session)
    wanted = run_pb2.Run.State.Value(f"STATE_{state.name}") if state else run_pb2.Run.STATE_UNSPECIFIED
    request = ListRunsRequest(state=wanted)
    found = collect(connection, stub.ListRuns, request, lambda page: page.runs, limit)
    drawn = views.runs(found.runs, session.say)
    session.screen.listing(found, drawn, limit=limit, goes_on=bool(found.next_page_token))


def show(ctx: typer.Context, run: RunName, *, limit: Limit = 50) -> None:
    """Show a run, its days, and the quality rules that did not hold. With -o json, the run alone."""
    session = current(ctx)
    connection, stub = services.pipeline(session)
    answer = connection.call(stub.GetRun, GetRunRequest(name=run))
    request = ListWindowsRequest(run=run)
    lines = [*views.run(answer.run, session.say)]
    if not session.screen.is_json and answer.run.progress.windows_total:
        found = collect(connection, stub.ListWindows, request, lambda page: page.windows, limit).windows
        lines += [views.windows(found, session.say), *views.broken(found, session.say)]
    session.screen.answer(answer, *lines)


def watch(ctx: typer.Context, run: RunName) -> None:
    """Follow a run to its end."""
    session = current(ctx)
    connection, stub = services.pipeline(session)
    raise typer.Exit(RunWatch(session, connection, stub).run(run))


def cancel(ctx: typer.Context, run: RunName) -> None:
    """Stop a run: days that are being worked on end, the others are not begun."""
    session = current(ctx)
    connection, stub = services.pipeline(session)
    answer = connection.call(stub.CancelRun, CancelRunRequest(name=run))
    session.screen.answer(answer, *views.run(answer.run, session.say))
