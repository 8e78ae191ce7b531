"""`millwright replay upload`: rows from a file, to be replayed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from millwright.judgment.v1 import judgment_pb2
from millwright.judgment.v1 import replay_service_pb2 as pb

from millwright_cli import errors
from millwright_cli.judgment.arguments import RulesetName
from millwright_cli.judgment.replays import connect, dataset_name
from millwright_cli.judgment.views import replay as views
from millwright_cli.session import current
from millwright_cli.words import Word

_PIECE_BYTES = 512 * 1024
_PARQUET = (".parquet", ".pq")

DatasetName = Annotated[
    str,
    typer.Argument(parser=dataset_name, metavar="ID", help="What to call it.", show_default=False),
]


def upload(
    ctx: typer.Context,
    ruleset: RulesetName,
    dataset: DatasetName,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV with a header, or Parquet.", show_default=False)],
    *,
    line: Annotated[str, typer.Option("--line-column", metavar="COLUMN", help="The column with the line.")] = "",
    product: Annotated[str, typer.Option("--product-column", metavar="COLUMN", help="With the product.")] = "",
    shift: Annotated[str, typer.Option("--shift-column", metavar="COLUMN", help="With the shift.")] = "",
    unit: Annotated[str, typer.Option("--unit-column", metavar="COLUMN", help="With the lot or another unit.")] = "",
) -> None:
    """Upload rows of inputs, to be replayed with `replay start --dataset`; one of the same name is replaced."""
    session = current(ctx)
    header = pb.DatasetHeader(
        name=dataset,
        ruleset=ruleset,
        format=pb.DatasetHeader.FORMAT_PARQUET if file.suffix.lower() in _PARQUET else pb.DatasetHeader.FORMAT_CSV,
        segment_columns=judgment_pb2.Segment(line=line, product=product, shift=shift, unit=unit),
    )
    connection, stub = connect(session)
    try:
        # Opened before anything is sent: a path that is wrong is no reason to begin an upload.
        with file.open("rb") as data:
            pieces = iter(lambda: data.read(_PIECE_BYTES), b"")
            answer = connection.send(stub.UploadDataset, _parts(header, pieces))
    except OSError as error:
        cause = error.strerror or type(error).__name__
        raise errors.usage("UNREADABLE", session.say(Word.UNREADABLE, path=file, cause=cause)) from error
    session.screen.answer(answer, *views.dataset(answer.dataset, session.say))


def _parts(header: pb.DatasetHeader, pieces: Iterator[bytes]) -> Iterator[pb.UploadDatasetRequest]:
    yield pb.UploadDatasetRequest(header=header)
    for piece in pieces:
        yield pb.UploadDatasetRequest(data=piece)
