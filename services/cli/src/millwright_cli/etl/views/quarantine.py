"""Rows that were set aside."""

from collections.abc import Iterator, Sequence

from millwright.etl.v1.quarantine_service_pb2 import IgnoreRecordsResponse, QuarantinedRecord, RedriveRecordsResponse
from millwright.etl.v1.record_pb2 import RecordType
from rich.console import RenderableType
from rich.text import Text

from millwright_cli.drawing import caveats, clean, marked, short, table
from millwright_cli.etl.words import Term
from millwright_cli.words import Word, Words


def records(rows: Sequence[QuarantinedRecord], say: Words) -> RenderableType:
    """Lay out rows with everything that is wrong with each."""
    headings = (Term.ROW, Word.STATE, Term.DATE, Term.SOURCE, Term.ID, Term.MESSAGE)
    return table(headings, (_cells(row, say) for row in rows), say)


def redriven(answer: RedriveRecordsResponse, rows: int, say: Words) -> Iterator[RenderableType]:
    """Say that rows go through again."""
    run = answer.run
    days = run.from_date if run.from_date == run.to_date else f"{run.from_date} … {run.to_date}"
    yield Text.assemble(("✔ ", "green"), say(Term.REDRIVEN, n=rows, days=days, run=short(run.name)))
    yield from caveats(say, replayed=answer.replayed)


def ignored(answer: IgnoreRecordsResponse, say: Words) -> Iterator[RenderableType]:
    """Say that rows are left out."""
    yield Text.assemble(("✔ ", "green"), say(Term.LEFT_OUT, n=len(answer.records)))
    yield from caveats(say, replayed=answer.replayed)


def _cells(row: QuarantinedRecord, say: Words) -> tuple[str | Text, ...]:
    kind = RecordType.Name(row.record.record_type).removeprefix("RECORD_TYPE_").lower()
    reasons = Text("\n").join(_reason(code=each.code, value=each.value, message=each.message) for each in row.reasons)
    if row.note:
        reasons.append(f"\n{say(Term.NOTE)}: {clean(row.note)}", style="dim")
    return (
        short(row.name),
        marked(QuarantinedRecord.State.Name(row.state), say),
        row.date,
        f"{row.record.source_system} {kind}",
        row.record.external_id,
        reasons,
    )


def _reason(*, code: str, value: str, message: str) -> Text:
    shown = value if len(value) <= 40 else f"{value[:40]}…"
    return Text.assemble((f"{clean(code)} ", "yellow"), clean(message), (f"  «{clean(shown)}»" if value else "", "dim"))
