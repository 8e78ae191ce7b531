"""`millwright etl generate`: a made-up plant, landed, and the facts that must come of it."""

from typing import Annotated

import typer
from millwright.etl.v1.ingest_service_pb2 import GenerateRecordsRequest, GenerateRecordsResponse
from rich.console import RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn
from rich.text import Text

from millwright_cli.arguments import DryRun, percent_bp
from millwright_cli.drawing import caveats
from millwright_cli.etl import services
from millwright_cli.etl.run_words import Term
from millwright_cli.session import Session, current
from millwright_cli.watching import Stream
from millwright_cli.words import Words


def _share(text: str) -> float:
    return percent_bp(text) / 10_000


FromDay = Annotated[str, typer.Argument(metavar="DAY", help="The first business day, as 2026-11-01.")]
Days = Annotated[int, typer.Option("--days", metavar="N", min=1, max=366, help="How many days.")]
Seed = Annotated[int, typer.Option("--seed", metavar="N", help="The same seed gives the same rows.")]
Lines = Annotated[int, typer.Option("--lines", metavar="N", min=1, max=100, help="How many lines.")]
Products = Annotated[int, typer.Option("--products", metavar="N", min=1, max=1000, help="How many products.")]
Orders = Annotated[int, typer.Option("--orders", metavar="N", min=1, max=2000, help="Work orders a line and shift.")]
Share = float
Late = Annotated[Share, typer.Option("--late", metavar="N%", parser=_share, help="Rows that come late.")]
Repeated = Annotated[Share, typer.Option("--repeated", metavar="N%", parser=_share, help="Rows that come twice.")]
Corrected = Annotated[Share, typer.Option("--corrected", metavar="N%", parser=_share, help="Rows corrected later.")]
Bad = Annotated[Share, typer.Option("--bad", metavar="N%", parser=_share, help="Rows that cannot be used.")]


def generate(
    ctx: typer.Context,
    from_day: FromDay,
    *,
    days: Days = 7,
    seed: Seed = 1,
    lines: Lines = 4,
    products: Products = 8,
    orders: Orders = 6,
    late: Late = "0%",  # type: ignore[assignment]  # a parser reads it
    repeated: Repeated = "0%",  # type: ignore[assignment]
    corrected: Corrected = "0%",  # type: ignore[assignment]
    bad: Bad = "0%",  # type: ignore[assignment]
    dry_run: DryRun = False,
) -> None:
    """Make up a plant's rows and land them; tell the facts that must come of them. Interrupted, say it again.

    With -o json, the facts are all there, by day, line, product and shift.
    """
    session = current(ctx)
    connection, stub = services.ingest(session)
    request = GenerateRecordsRequest(
        seed=seed,
        from_date=from_day,
        days=days,
        lines=lines,
        products=products,
        orders_per_shift=orders,
        late_share=late,
        duplicate_share=repeated,
        corrected_share=corrected,
        bad_share=bad,
        dry_run=dry_run,
    )
    answer = _gathered(session, connection.stream(stub.GenerateRecords, request))
    session.screen.answer(answer, *_told(answer, session.say), *caveats(session.say, dry_run=dry_run))


def _gathered(session: Session, messages: Stream[GenerateRecordsResponse]) -> GenerateRecordsResponse:
    """Give everything that was told as one message, and show how far it is to whoever looks at a terminal."""
    whole = GenerateRecordsResponse()
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=session.screen.out, transient=True, disable=not session.screen.is_live) as progress:
        task = progress.add_task("", total=None)
        for message in messages:
            whole.records, whole.total = message.records, message.total
            whole.counts.CopyFrom(message.counts)
            whole.expected.extend(message.expected)
            whole.expected_quarantine.update(message.expected_quarantine)
            progress.update(task, completed=message.records, total=message.total)
    return whole


def _told(answer: GenerateRecordsResponse, say: Words) -> list[RenderableType]:
    counts = answer.counts
    made = say(
        Term.MADE_UP,
        made=f"{answer.records:,}",
        inserted=f"{counts.inserted:,}",
        updated=f"{counts.updated:,}",
        unchanged=f"{counts.unchanged:,}",
        outdated=f"{counts.outdated:,}",
    )
    must_come = say(
        Term.MUST_COME,
        facts=f"{len(answer.expected):,}",
        pieces=f"{sum(fact.total_qty for fact in answer.expected):,.12g}",
        orders=f"{sum(fact.work_orders for fact in answer.expected):,}",
        quarantined=f"{sum(answer.expected_quarantine.values()):,}",
    )
    return [Text.assemble(("✔ ", "green"), made), Text(must_come)]
