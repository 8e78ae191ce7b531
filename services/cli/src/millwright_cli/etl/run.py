"""`millwright etl run` and `millwright etl backfill`: making the facts of days."""

from enum import StrEnum
from typing import Annotated

import typer
from millwright.etl.v1.pipeline_service_pb2 import BackfillRequest, RunPipelineRequest

from millwright_cli.arguments import DryRun, Watch
from millwright_cli.connection import new_request_id
from millwright_cli.drawing import caveats
from millwright_cli.etl import services
from millwright_cli.etl.run_watch import RunWatch
from millwright_cli.etl.views import run as views
from millwright_cli.session import current

Day = Annotated[str, typer.Argument(metavar="DAY", help="A business day, as 2026-11-01.", show_default=False)]


class Redo(StrEnum):
    """Which days of a range; each includes those before it."""

    MISSING = "missing"
    FAILED = "failed"
    DIRTY = "dirty"
    ALL = "all"


def run(
    ctx: typer.Context,
    days: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[DAY]…", help="Business days, as 2026-11-01; none: all that are due.", show_default=False
        ),
    ] = None,
    *,
    watch: Watch = False,
    dry_run: DryRun = False,
) -> None:
    """Make the facts of everything that is due: yesterday, and days that failed, changed or were never published."""
    session = current(ctx)
    connection, stub = services.pipeline(session)
    request = RunPipelineRequest(dates=days or (), validate_only=dry_run, request_id=new_request_id())
    answer = connection.call(stub.RunPipeline, request)
    lines = [*views.planned(answer.windows, len(answer.windows), session.say)]
    if dry_run:
        session.screen.answer(answer, *lines, *caveats(session.say, dry_run=True))
        return
    if not watch:
        session.screen.answer(answer, views.line(answer.run, session.say), *lines)
        return
    session.screen.lines(*lines)
    raise typer.Exit(RunWatch(session, connection, stub).run(answer.run.name))


def backfill(
    ctx: typer.Context,
    from_day: Day,
    to_day: Day,
    *,
    redo: Annotated[Redo, typer.Option("--redo", help="Which days; each includes those before it.")] = Redo.MISSING,
    parallel: Annotated[int, typer.Option("--parallel", metavar="N", min=1, max=16, help="Days at once.")] = 2,
    newest_first: Annotated[bool, typer.Option("--newest-first", help="Begin with the last day.")] = False,
    watch: Watch = False,
    dry_run: DryRun = False,
) -> None:
    """Make the facts of a range of days; it waits for everything else, so that it may be long."""
    session = current(ctx)
    connection, stub = services.pipeline(session)
    request = BackfillRequest(
        from_date=from_day,
        to_date=to_day,
        redo=BackfillRequest.Redo.Value(f"REDO_{redo.name}"),
        parallel=parallel,
        newest_first=newest_first,
        validate_only=dry_run,
        request_id=new_request_id(),
    )
    answer = connection.call(stub.Backfill, request)
    lines = [*views.planned(answer.windows, answer.windows_total, session.say)]
    if dry_run:
        session.screen.answer(answer, *lines, *caveats(session.say, dry_run=True))
        return
    if not watch:
        session.screen.answer(answer, views.line(answer.run, session.say), *lines)
        return
    session.screen.lines(*lines)
    raise typer.Exit(RunWatch(session, connection, stub).run(answer.run.name))
