"""Files of inputs, row by row: CSV with a header, or JSON Lines.

A row that cannot be read is given as what is wrong with it: one bad row keeps no other from being judged.
"""

import csv
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
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
        yield Rows(_rows(sys.stdin, columns, say, is_json=None), None)
        return
    try:
        with Path(path).open("rb") as raw:
            lines = sum(part.count(b"\n") for part in iter(lambda: raw.read(1 << 20), b""))
        is_json = path.lower().endswith(_JSON_SUFFIXES)
        with Path(path).open(encoding="utf-8-sig", newline="") as text:
            yield Rows(_rows(text, columns, say, is_json=is_json), lines if is_json else max(lines - 1, 0))
    except OSError as error:
        cause = error.strerror or type(error).__name__
        raise errors.usage("UNREADABLE", say(Word.UNREADABLE, path=path, cause=cause)) from error
    except UnicodeDecodeError as error:
        raise errors.usage("UNREADABLE", say(Word.UNREADABLE, path=path, cause="UTF-8?")) from error


def _rows(text: IO[str], columns: Columns, say: Words, *, is_json: bool | None) -> Iterator[Row]:
    first = text.readline()
    if is_json is None:
        is_json = first.lstrip().startswith("{")
    lines = _again(first, text)
    return _json_rows(lines, columns, say) if is_json else _csv_rows(lines, columns, say)


def _again(first: str, rest: IO[str]) -> Iterator[str]:
    if first:
        yield first
        yield from rest


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
        except (ValueError, RecursionError):
            yield Row(number, None, say(Term.BAD_LINE))
            continue
        yield _row(number, values, {name: str(row.get(name) or "") for name in _ABOUT}, say)


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
        except ValueError:
            return Row(number, None, say(Term.BAD_TIME, text=about["_time"]))
    return Row(number, found)
