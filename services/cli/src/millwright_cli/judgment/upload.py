"""`millwright replay upload`: rows from a file, to be replayed."""

from collections.abc import Iterator
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import IO, Annotated

import typer
from millwright.judgment.v1 import judgment_pb2
from millwright.judgment.v1 import replay_service_pb2 as pb
from rich.live import Live

from millwright_cli import errors
from millwright_cli.judgment.arguments import RulesetName
from millwright_cli.judgment.replays import DatasetName, connect
from millwright_cli.judgment.views import dataset as views
from millwright_cli.session import Session, current
from millwright_cli.words import Word

_PIECE_BYTES = 512 * 1024
_PARQUET = (".parquet", ".pq")


class Encoding(StrEnum):
    """How the texts of a CSV file are written."""

    UTF8 = "utf-8"
    CP949 = "cp949"


_ENCODINGS = {Encoding.UTF8: pb.DatasetHeader.ENCODING_UTF8, Encoding.CP949: pb.DatasetHeader.ENCODING_CP949}


def upload(
    ctx: typer.Context,
    ruleset: RulesetName,
    dataset: DatasetName,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV with a header, or Parquet.", show_default=False)],
    *,
    expected: Annotated[
        str, typer.Option("--expected-column", metavar="COLUMN", help="The column with the outcome that is expected.")
    ] = "",
    encoding: Annotated[Encoding, typer.Option("--encoding", help="Of a CSV file.")] = Encoding.UTF8,
    line: Annotated[str, typer.Option("--line-column", metavar="COLUMN", help="The column with the line.")] = "",
    product: Annotated[str, typer.Option("--product-column", metavar="COLUMN", help="With the product.")] = "",
    shift: Annotated[str, typer.Option("--shift-column", metavar="COLUMN", help="With the shift.")] = "",
    unit: Annotated[str, typer.Option("--unit-column", metavar="COLUMN", help="With the lot or another unit.")] = "",
) -> None:
    """Upload rows of inputs, to be replayed with `replay start --dataset`; one of the same name is replaced.

    Rows that do not fit the ruleset's inputs are left out, counted and shown by reason.
    """
    session = current(ctx)
    header = pb.DatasetHeader(
        name=dataset,
        ruleset=ruleset,
        format=pb.DatasetHeader.FORMAT_PARQUET if file.suffix.lower() in _PARQUET else pb.DatasetHeader.FORMAT_CSV,
        segment_columns=judgment_pb2.Segment(line=line, product=product, shift=shift, unit=unit),
        encoding=_ENCODINGS[encoding],
        expected_outcome_column=expected,
    )
    connection, stub = connect(session)
    try:
        # Opened before anything is sent: a path that is wrong is no reason to begin an upload.
        with file.open("rb") as data, ExitStack() as stack:
            screen = session.screen
            live = stack.enter_context(Live(console=screen.out, transient=True)) if screen.is_live else None
            answer = connection.send(stub.UploadDataset, _parts(session, header, data, file.stat().st_size, live))
    except OSError as error:
        cause = error.strerror or type(error).__name__
        raise errors.usage("UNREADABLE", session.say(Word.UNREADABLE, path=file, cause=cause)) from error
    session.screen.answer(answer, *views.uploaded(answer, session.say))


def _parts(
    session: Session, header: pb.DatasetHeader, data: IO[bytes], size: int, live: Live | None
) -> Iterator[pb.UploadDatasetRequest]:
    yield pb.UploadDatasetRequest(header=header)
    sent = 0
    while piece := data.read(_PIECE_BYTES):
        yield pb.UploadDatasetRequest(data=piece)
        sent += len(piece)
        if live:
            live.update(views.progress(sent, size, session.say))
