"""What uploads and data sets look like to a person. Pure functions from an answer to lines."""

from collections.abc import Iterable

from millwright.judgment.v1 import replay_pb2
from millwright.judgment.v1 import replay_service_pb2 as pb
from rich.console import RenderableType
from rich.text import Text

from millwright_cli.drawing import bar, clean, short, table
from millwright_cli.judgment.trial_words import Trial
from millwright_cli.judgment.words import Term
from millwright_cli.times import moment
from millwright_cli.words import Word, Words


def progress(sent: int, size: int, say: Words) -> Text:
    """Say in one line how much of a file is sent; once all is, the service reads it."""
    if sent >= size:
        return Text(say(Trial.READING_FILE))
    counted = say(Word.DONE_OF, done=f"{sent:,}", total=f"{size:,}")
    return Text.assemble(bar(sent / size), f"  {counted}")


def uploaded(answer: pb.UploadDatasetResponse, say: Words) -> list[RenderableType]:
    """Say what was uploaded."""
    lines = dataset(answer.dataset, say)
    return [*lines, Text(f"  {say(Trial.KNOWN_FILE)}", style="dim")] if answer.known else lines


def dataset(found: replay_pb2.Dataset, say: Words) -> list[RenderableType]:
    """Say what a data set holds, and why rows of its file are not there."""
    sentence = say(Trial.UPLOADED, dataset=short(found.name), rows=f"{found.rows:,}", bytes=f"{found.bytes:,}")
    lines: list[RenderableType] = [Text.assemble(("✔ ", "green"), sentence)]
    if found.ignored_columns:
        lines.append(Text(f"  {say(Trial.IGNORED, columns=clean(', '.join(found.ignored_columns)))}", style="yellow"))
    if found.rejected_rows:
        lines.append(Text.assemble(("! ", "yellow"), say(Trial.REJECTED, n=f"{found.rejected_rows:,}")))
        headings = (Trial.COLUMN, Trial.REASON, Trial.ROWS, Trial.FIRST_ROWS)
        rows = (
            (each.column or "–", each.code, f"{each.rows:,}", ", ".join(f"{number:,}" for number in each.examples))
            for each in found.faults
        )
        lines.append(table(headings, rows, say))
    return lines


def dataset_table(found: Iterable[replay_pb2.Dataset], say: Words) -> RenderableType:
    """Draw data sets, one a row."""
    headings = (Trial.DATASET, Term.RULESET, Trial.ROWS, Trial.REJECTED_ROWS, Word.ACTOR, Word.CREATED)
    rows = (
        (
            short(each.name),
            short(each.ruleset),
            f"{each.rows:,}",
            f"{each.rejected_rows:,}",
            each.creator,
            moment(each.create_time, say),
        )
        for each in found
    )
    return table(headings, rows, say)


def removal(dataset: str, say: Words) -> Text:
    """Say that a data set is gone."""
    return Text.assemble(("○ ", "bright_black"), say(Trial.DATASET_REMOVED, dataset=short(dataset)))
