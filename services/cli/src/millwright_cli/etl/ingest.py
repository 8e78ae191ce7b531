"""`millwright etl ingest`: landing the rows of files of other systems."""

import hashlib
import sys
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import Annotated, NamedTuple

import typer
from millwright.etl.v1.ingest_service_pb2 import IngestBatchRequest, IngestRecordsResponse
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from millwright_cli import errors
from millwright_cli.arguments import DryRun, file_text
from millwright_cli.errors import ExitCode
from millwright_cli.etl import mapping as mappings
from millwright_cli.etl import services
from millwright_cli.etl.mapping import Mapping, MappingError
from millwright_cli.etl.rows import Row, csv_rows, encoding_of, json_rows
from millwright_cli.etl.sending import Sending
from millwright_cli.etl.views import landing as views
from millwright_cli.etl.words import Term
from millwright_cli.session import Session, current
from millwright_cli.times import span
from millwright_cli.words import Word

_PREVIEWED = 10
_JSON_SUFFIXES = (".ndjson", ".jsonl", ".json")

File = Annotated[
    str, typer.Argument(metavar="FILE", help="CSV with a header, or NDJSON (.ndjson, .jsonl); - for NDJSON on stdin.")
]
MappingFile = Annotated[
    str,
    typer.Option("--mapping", metavar="FILE", help="How columns become fields, TOML; raw rows need none."),
]
Encoding = Annotated[
    str, typer.Option("--encoding", metavar="NAME", help="Of the file, such as cp949; beats the mapping's.")
]
Again = Annotated[bool, typer.Option("--again", help="Send all rows, also those of this file that were landed before.")]


class _Input(NamedTuple):
    """A file that can be read as often as needed."""

    rows: Callable[[], Iterator[Row]]
    digest: str


def ingest(
    ctx: typer.Context,
    file: File,
    *,
    mapping: MappingFile = "",
    encoding: Encoding = "",
    again: Again = False,
    dry_run: DryRun = False,
) -> None:
    """Land the rows of a file; sent again, it goes on where it was cut off. Exits with 5 if rows were refused.

    What is told is of the whole file, however often it was begun. With -o json, `offset` of a refused row is its line
    in the file, and the first 1,000 are there.
    """
    session = current(ctx)
    given = _open(session, file, mapping, encoding)
    if dry_run:
        rows = list(islice(given.rows(), _PREVIEWED))
        preview = IngestBatchRequest(records=[row.record for row in rows if not row.reason])
        session.screen.answer(preview, *views.mapped(rows, session.say))
        return
    connection, stub = services.ingest(session)
    salt = str(perf_counter()) if again else ""
    sending = Sending(connection, stub, f"file-{hashlib.sha256((given.digest + salt).encode()).hexdigest()[:40]}")
    began = perf_counter()
    before = _watched(session, sending, given)
    answer = IngestRecordsResponse(
        acknowledged_offset=sending.acknowledged_offset, counts=sending.counts, refused=sending.refused
    )
    took = span(perf_counter() - began, session.say)
    session.screen.answer(answer, *views.landed(answer, before, took, session.say))
    if answer.counts.refused:
        raise typer.Exit(ExitCode.INVALID)


def _watched(session: Session, sending: Sending, given: _Input) -> int:
    """Send, and show how far it is to whoever looks at a terminal."""
    if not session.screen.is_live:
        return sending.run(given.rows, lambda _: None)
    total = sum(not row.reason for row in given.rows())
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=session.screen.out, transient=True) as progress:
        task = progress.add_task("", total=total)
        return sending.run(given.rows, lambda done: progress.update(task, completed=done))


def _open(session: Session, file: str, mapping_file: str, encoding: str) -> _Input:
    """Read file and mapping; raise Failure for what cannot be read."""
    mapping_text = file_text(mapping_file, session.say) if mapping_file else ""
    mapping = _mapping(session, mapping_file, mapping_text, encoding) if mapping_file else None
    data, is_json = _data(session, file), file == "-" or Path(file).suffix.lower() in _JSON_SUFFIXES
    if mapping is None and not is_json:
        raise errors.usage("MAPPING_NEEDED", session.say(Term.MAPPING_NEEDED))
    declared = mapping.encoding if mapping else encoding or "utf-8"
    if found := encoding_of(data, declared):
        told = session.say(Term.OTHER_ENCODING, path=file, declared=declared, found=found)
        raise errors.usage("OTHER_ENCODING", told)
    digest = hashlib.sha256(data + b"\x00" + mapping_text.encode() + declared.encode()).hexdigest()
    if mapping and not is_json:
        return _Input(partial(csv_rows, data, mapping), digest)
    return _Input(partial(json_rows, data, mapping, declared), digest)


def _mapping(session: Session, path: str, text: str, encoding: str) -> Mapping:
    try:
        return mappings.read(text, encoding)
    except MappingError as error:
        raise errors.usage("BAD_MAPPING", session.say(Term.BAD_MAPPING, path=path, cause=error)) from error


def _data(session: Session, path: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    except OSError as error:
        cause = error.strerror or type(error).__name__
        raise errors.usage("UNREADABLE", session.say(Word.UNREADABLE, path=path, cause=cause)) from error
