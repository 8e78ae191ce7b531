"""What checkpoints look like to a person. Pure functions from an answer to lines."""

from collections.abc import Iterable

from millwright.workflow.v1 import checkpoint_pb2
from rich.console import RenderableType

from millwright_cli.drawing import clean, table
from millwright_cli.times import moment
from millwright_cli.words import Word, Words
from millwright_cli.workflow.words import Term


def checkpoint_table(checkpoints: Iterable[checkpoint_pb2.Checkpoint], say: Words) -> RenderableType:
    """Draw checkpoints, one a row."""
    headings = (Term.CHECKPOINT, Term.TASK, Word.SIZE, Word.CREATED)
    rows = (
        (str(each.sequence), clean(each.task), str(each.size_bytes), moment(each.create_time, say))
        for each in checkpoints
    )
    return table(headings, rows, say)
