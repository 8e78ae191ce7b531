"""Files of inputs, row by row: CSV with a header, or JSON Lines.

A row that cannot be read is given as what is wrong with it: one bad row keeps no other from being judged.
"""

import csv
import io
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import IO

from millwright.judgment.v1 import judgment_pb2, judgment_service_pb2

from millwright_cli import errors
from millwright_cli.judgment.values import cell, plain
from millwright_cli.judgment.words import Term
from millwright_cli.words import Word, Words

_SEGMENT = ("_line", "_product", "_shift", "_unit")
_ABOUT = (*_SEGMENT, "_time", "_key", "_routing_key")
_JSON_SUFFIXES = (".jsonl", ".ndjson")


@dataclass(frozen=True)
class Columns:
    """What a file's columns may be: fields by their type, and those about the row."""

    types: Mapping[str, str]
    ignores_unknown: bool

    def unknown(self, names: Sequence[str]) -> list[str]:
        """Give the names that are neither; none if they are to be left out."""
        known = {*self.types, *_ABOUT}
        return [] if self.ignores_unknown else [name for name in names if name not in known]


@dataclass(frozen=True)
class Row:
    """One row of a file: its number from 1, and what is to be judged, or what is wrong with it."""

    number: int
    input: judgment_service_pb2.BatchInput | None
    fault: str = ""


@dataclass(frozen=True)
class Rows:
    """The rows of a file, and how many lines it has; None for standard input."""

    rows: Iterator[Row]
    lines: int | None


@contextmanager
def read_rows(path: str, columns: Columns, say: Words) -> Iterator[Rows]:
    """Open a file of inputs, CSV unless its name ends in .jsonl; `-` is standard input, JSON Lines if it begins so.

    Raises Failure where it cannot be read, and for a column that is nothing known.
    """
    if path == "-":
        lines = _lines(io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8-sig", newline=""), path, say)
        first = next(lines, "")
        is_json = first.lstrip().startswith("{")
        yield Rows(_rows(chain([first], lines), columns, say, is_json=is_json), None)
        return
    is_json = path.lower().endswith(_JSON_SUFFIXES)
    try:
        with Path(path).open("rb") as raw:
            count = sum(part.count(b"\n") for part in iter(lambda: raw.read(1 << 20), b""))
        text = Path(path).open(encoding="utf-8-sig", newline="")  # noqa: SIM115 - closed below, where nothing is caught
    except OSError as error:
        cause = error.strerror or type(error).__name__
        raise errors.usage("UNREADABLE", say(Word.UNREADABLE, path=path, cause=cause)) from error
    with text:
        rows = _rows(_lines(text, path, say), columns, say, is_json=is_json)
        yield Rows(rows, count if is_json else max(count - 1, 0))


def _lines(text: IO[str], path: str, say: Words) -> Iterator[str]:
    try:
        yield from text
    except UnicodeDecodeError as error:
        raise errors.usage("UNREADABLE", say(Word.UNREADABLE, path=path, cause="UTF-8?")) from error


def _rows(lines: Iterator[str], columns: Columns, say: Words, *, is_json: bool) -> Iterator[Row]:
    return _json_rows(lines, columns, say) if is_json else _csv_rows(lines, columns, say)


def _csv_rows(lines: Iterator[str], columns: Columns, say: Words) -> Iterator[Row]:
    reader = csv.reader(lines, strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        if unknown := columns.unknown(header):
            raise errors.usage("UNKNOWN_COLUMN", say(Term.UNKNOWN_COLUMN, columns=", ".join(unknown)))
        for number, cells in enumerate((cells for cells in reader if cells), start=1):
            if len(cells) != len(header):
                yield Row(number, None, say(Term.BAD_ROW_LENGTH, n=len(cells), expected=len(header)))
                continue
            row = dict(zip(header, (each.strip() for each in cells), strict=True))
            values = {name: cell(row[name], kind) for name, kind in columns.types.items() if name in row}
            yield _row(number, values, {name: row.get(name, "") for name in _ABOUT}, say)
    except csv.Error as error:
        raise errors.usage("BAD_CSV", say(Term.BAD_CSV, line=reader.line_num, cause=error)) from error


def _json_rows(lines: Iterator[str], columns: Columns, say: Words) -> Iterator[Row]:
    for number, line in enumerate((line for line in lines if line.strip()), start=1):
        try:
            row = json.loads(line)
            if not isinstance(row, dict):
                raise ValueError  # noqa: TRY004 - what is no object is what is no JSON
            known = {name: row[name] for name in row if name in columns.types or not columns.ignores_unknown}
            values = {name: plain(value) for name, value in known.items() if name not in _ABOUT}
            about = {name: "" if row.get(name) is None else str(row[name]) for name in _ABOUT}
            found = _row(number, values, about, say)
        except (ValueError, OverflowError, RecursionError):  # a lone surrogate is a ValueError, too
            found = Row(number, None, say(Term.BAD_LINE))
        yield found


def _row(number: int, values: Mapping[str, judgment_pb2.Value], about: Mapping[str, str], say: Words) -> Row:
    found = judgment_service_pb2.BatchInput(
        input=judgment_pb2.Input(values=values),
        segment=judgment_pb2.Segment(**{name.removeprefix("_"): about[name] for name in _SEGMENT}),
        idempotency_key=about["_key"],
        routing_key=about["_routing_key"],
    )
    if about["_time"]:
        try:
            found.event_time.FromDatetime(datetime.fromisoformat(about["_time"]).astimezone(UTC))
        except (ValueError, OverflowError):
            return Row(number, None, say(Term.BAD_TIME, text=about["_time"]))
    return Row(number, found)
