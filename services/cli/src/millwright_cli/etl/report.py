"""`millwright etl report`: a day or a week at a glance, in the terminal and as a page."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from millwright.etl.v1 import production_service_pb2 as pb

from millwright_cli import errors
from millwright_cli.etl import facts, services
from millwright_cli.etl.facts import Days, Group, Measure, Report, Rows
from millwright_cli.etl.query import Lines, WhichDays
from millwright_cli.etl.views import page
from millwright_cli.etl.views import report as views
from millwright_cli.etl.words import Term
from millwright_cli.session import Session, current
from millwright_cli.words import Word

_PIECES = (Measure.TOTAL_QTY, Measure.GOOD_QTY, Measure.DEFECT_QTY, Measure.SCRAP_QTY, Measure.YIELD, Measure.OEE)
_PARTS = (Measure.AVAILABILITY, Measure.PERFORMANCE, Measure.QUALITY, Measure.OEE, Measure.TOTAL_QTY)


def report(
    ctx: typer.Context,
    days: WhichDays,
    *,
    line: Lines = None,
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="Also write a page with plots, whole in itself."),
    ] = None,
) -> None:
    """Draw what was made on a day, in a week or in a month: pieces, OEE and its parts, defects."""
    session = current(ctx)
    found = _read(session, days, line or [])
    session.screen.answer(pb.ListProductionResponse(rows=found.by_day.rows), *views.report(found, session.say))
    if html:
        try:
            html.write_text(page.page(found, session.say), encoding="utf-8")
        except OSError as error:
            cause = error.strerror or type(error).__name__
            raise errors.usage("UNREADABLE", session.say(Word.UNREADABLE, path=html, cause=cause)) from error
        session.screen.notice(session.say(Term.WRITTEN, path=html))


def _read(session: Session, days: Days, lines: Sequence[str]) -> Report:
    connection, stub = services.production(session)
    wanted = days.filter(lines)

    def rows(groups: Sequence[Group], measures: Sequence[Measure]) -> Rows:
        return facts.read(connection, stub, wanted, groups, measures)

    return Report(
        days=days,
        whole=rows([], _PIECES),
        by_day=rows([Group.DATE], _PIECES),
        by_line=rows([Group.LINE], _PARTS),
        by_shift=rows([Group.SHIFT], _PIECES),
        by_day_and_line=rows([Group.DATE, Group.LINE], [Measure.OEE, Measure.TOTAL_QTY]),
        defects=facts.defects(connection, stub, wanted),
    )
