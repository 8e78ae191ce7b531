"""`millwright etl query`: reading production facts, as a table, as JSON, or as Arrow for other tools."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from millwright.etl.v1 import production_service_pb2 as pb

from millwright_cli import errors
from millwright_cli.etl import facts, services
from millwright_cli.etl.facts import Days, Group, Measure
from millwright_cli.etl.views import production as views
from millwright_cli.etl.words import Term
from millwright_cli.session import current
from millwright_cli.words import Word

_USUAL = [Measure.TOTAL_QTY, Measure.GOOD_QTY, Measure.DEFECT_QTY, Measure.YIELD, Measure.OEE]

WhichDays = Annotated[
    Days,
    typer.Argument(
        parser=facts.days,
        metavar="DAYS",
        help="A business day, a week (2025-W46), a month (2025-11), or FIRST..LAST.",
        show_default=False,
    ),
]
Lines = Annotated[list[str] | None, typer.Option("--line", metavar="CODE", help="Only this line; repeat for more.")]
Products = Annotated[list[str] | None, typer.Option("--product", metavar="CODE", help="Only this product.")]
Shifts = Annotated[list[str] | None, typer.Option("--shift", metavar="CODE", help="Only this shift.")]


def query(
    ctx: typer.Context,
    days: WhichDays,
    *,
    by: Annotated[
        list[Group] | None, typer.Option("--by", help="Group by it; repeat for more.", show_default="date")
    ] = None,
    measure: Annotated[
        list[Measure] | None,
        typer.Option("--measure", help="Measure it; repeat for more.", show_default="pieces, yield, OEE"),
    ] = None,
    line: Lines = None,
    product: Products = None,
    shift: Shifts = None,
    arrow: Annotated[
        str,
        typer.Option("--arrow", metavar="FILE", help="Write an Arrow IPC stream; - for a pipe."),
    ] = "",
) -> None:
    """Read production facts, grouped. Ratios are ratios of sums, whatever they are grouped by."""
    session = current(ctx)
    wanted = days.filter(line or (), product or (), shift or ())
    groups, measures = by or [Group.DATE], measure or _USUAL
    connection, stub = services.production(session)
    if arrow:
        asked = facts.request(wanted, groups, measures, arrow=True)
        data = b"".join(answer.arrow for answer in connection.stream(stub.QueryProduction, asked))
        _write(arrow, data, session.say(Word.UNREADABLE, path=arrow, cause="{}"))
        session.screen.notice(session.say(Term.WRITTEN, path=arrow))
        return
    found = facts.read(connection, stub, wanted, groups, measures)
    session.screen.answer(pb.ListProductionResponse(rows=found.rows), views.facts(found, session.say))


def _write(path: str, data: bytes, fault: str) -> None:
    if path == "-":
        sys.stdout.buffer.write(data)
        return
    try:
        Path(path).write_bytes(data)
    except OSError as error:
        raise errors.usage("UNREADABLE", fault.format(error.strerror or type(error).__name__)) from error
