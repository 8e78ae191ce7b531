"""What became of the rows of a file."""

from collections.abc import Iterator, Sequence

from millwright.etl.v1.ingest_service_pb2 import IngestRecordsResponse
from millwright.etl.v1.record_pb2 import RefusedRecord
from rich.console import RenderableType
from rich.text import Text

from millwright_cli.drawing import caveats, table
from millwright_cli.etl.rows import Row
from millwright_cli.etl.words import Term
from millwright_cli.words import Words

_SHOWN = 20


def landed(answer: IngestRecordsResponse, before: int, took: str, say: Words) -> Iterator[RenderableType]:
    """Draw how many rows became what, and those that are not landed."""
    counts = answer.counts
    style, glyph = ("yellow", "!") if counts.refused else ("green", "✔")
    told = say(
        Term.LANDED,
        inserted=counts.inserted,
        updated=counts.updated,
        unchanged=counts.unchanged,
        outdated=counts.outdated,
        refused=counts.refused,
        took=took,
    )
    yield Text.assemble((f"{glyph} ", style), told)
    if before:
        yield Text(say(Term.LANDED_BEFORE, n=before), style="dim")
    if answer.refused:
        yield refused(answer.refused, say)
    if (more := counts.refused - _SHOWN) > 0:
        yield Text(say(Term.MORE_REFUSED, n=more), style="dim")


def refused(rows: Sequence[RefusedRecord], say: Words) -> RenderableType:
    """Lay out rows that are not landed."""
    headings = (Term.LINE_NUMBER, Term.ID, Term.WHAT, Term.FIELD, Term.MESSAGE)
    cells = [(str(row.offset), row.external_id, row.reason, row.field, row.message) for row in rows[:_SHOWN]]
    return table(headings, cells, say)


def mapped(rows: Sequence[Row], say: Words) -> Iterator[RenderableType]:
    """Draw what rows would be sent as."""
    for row in rows:
        told = row.record.payload if not row.reason else f"{row.reason} {row.field}: {row.message}"
        yield Text.assemble((f"{row.line}  ", "dim"), (f"{row.record.external_id}  ", "bold"), _plain(told))
    yield from caveats(say, dry_run=True)


def _plain(text: str) -> str:
    return text if len(text) <= 400 else f"{text[:400]}…"
