"""`millwright etl generate`: a made-up plant, landed, and the facts that must come of it."""

from collections import Counter
from collections.abc import Iterator
from typing import Annotated

import typer
from millwright.etl.v1.ingest_service_pb2 import ExpectedFact, GenerateRecordsRequest, GenerateRecordsResponse
from rich.console import RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn
from rich.text import Text

from millwright_cli.arguments import DryRun, percent_bp
from millwright_cli.drawing import caveats, table
from millwright_cli.etl import services
from millwright_cli.etl.run_words import Term
from millwright_cli.session import Session, current
from millwright_cli.watching import Stream
from millwright_cli.words import Words


def _share(text: str) -> float:
    return percent_bp(text) / 10_000


def _fault(text: str) -> tuple[str, float]:
    reason, _, share = text.partition("=")
    return reason.strip(), _share(share.strip())


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
Deleted = Annotated[Share, typer.Option("--deleted", metavar="N%", parser=_share, help="Rows deleted later.")]
Bad = Annotated[Share, typer.Option("--bad", metavar="N%", parser=_share, help="Rows that cannot be used.")]
Faults = Annotated[
    list[str],
    typer.Option(
        "--fault", metavar="REASON=N%", help="Rows that cannot be used for one reason, as END_BEFORE_START=2%."
    ),
]
_PLACE = frozenset(("date", "line", "product", "shift"))


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
    deleted: Deleted = "0%",  # type: ignore[assignment]
    bad: Bad = "0%",  # type: ignore[assignment]
    fault: Faults = [],  # noqa: B006 - typer takes it as it is
    dry_run: DryRun = False,
) -> None:
    """Make up a plant's rows and land them; tell the facts that must come of them. Interrupted, say it again.

    With -o json, the facts are all there, by day, line, product and shift, and the defects also by type.
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
        deleted_share=deleted,
        bad_share=bad,
        fault_shares=dict(map(_fault, fault)),
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
            whole.expected_defects.extend(message.expected_defects)
            whole.expected_quarantine.update(message.expected_quarantine)
            whole.shifts.extend(message.shifts)
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
    shifts = say(Term.OF_SHIFTS, shifts=", ".join(answer.shifts))
    return [Text.assemble(("✔ ", "green"), made), Text(must_come), Text(shifts, style="dim"), *_sums(answer, say)]


def _sums(answer: GenerateRecordsResponse, say: Words) -> Iterator[RenderableType]:
    """Draw every measure, the defects of each type and the rows set aside for each reason."""
    measures = [field.name for field in ExpectedFact.DESCRIPTOR.fields if field.name not in _PLACE]
    sums = [(name, sum(getattr(fact, name) for fact in answer.expected)) for name in measures]
    defects = Counter[str]()
    for found in answer.expected_defects:
        defects[found.defect_type] += int(found.defect_qty)
    for heading, rows in (
        (Term.MEASURED, sums),
        (Term.DEFECT_TYPE, sorted(defects.items())),
        (Term.SET_ASIDE, sorted(answer.expected_quarantine.items())),
    ):
        if rows:
            yield table((heading, Term.SUM), [(name, f"{value:,.15g}") for name, value in rows], say)
