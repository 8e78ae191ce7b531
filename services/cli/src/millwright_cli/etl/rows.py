"""Rows of files: CSV with a header, or NDJSON, each with its line. Rows that cannot be read are told, not raised."""

import csv
import io
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from google.protobuf import json_format
from millwright.etl.v1.record_pb2 import Record

from millwright_cli.etl.mapping import CellError, Mapping

_FIELD_CHARACTERS = 32 * 1024 * 1024
_SAMPLE_BYTES = 1024 * 1024


class Row(NamedTuple):
    """A row of a file: the raw row that it is, or why it is none."""

    line: int
    record: Record
    reason: str = ""
    field: str = ""
    message: str = ""


def encoding_of(data: bytes, declared: str) -> str | None:
    """Give the encoding that a file is in, if it is not the declared one but another that Korean systems write."""
    sample = data[:_SAMPLE_BYTES]
    if _decodes(sample, declared):
        return None
    return next((each for each in ("utf-8", "cp949", "utf-16") if each != declared and _decodes(sample, each)), None)


def csv_rows(data: bytes, mapping: Mapping) -> Iterator[Row]:
    """Give the rows of a CSV file; a row with a byte that is none of the encoding is told, and the others are read."""
    csv.field_size_limit(_FIELD_CHARACTERS)
    text = data.decode(_signed(mapping.encoding), errors="surrogateescape")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mapping.delimiter)
    header = [name.strip() for name in next(reader, [])]
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            yield Row(line, Record(), "NOT_A_ROW", "", str(error))
            continue
        if cells is None:
            return
        if not any(cells):
            continue
        if len(cells) != len(header):
            message = f"has {len(cells)} cells, and the header has {len(header)}"
            yield Row(line, Record(), "NOT_A_ROW", "", message)
            continue
        yield _mapped(line, dict(zip(header, cells, strict=True)), mapping, ",".join(cells))


def json_rows(data: bytes, mapping: Mapping | None, encoding: str) -> Iterator[Row]:
    """Give the rows of an NDJSON file: objects that a mapping maps, or raw rows as the contract has them."""
    text = data.decode(_signed(encoding), errors="surrogateescape")
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            cells = json.loads(line)
        except (ValueError, RecursionError) as error:
            yield Row(number, Record(), "NOT_A_ROW", "", f"is no JSON: {error}")
            continue
        if not isinstance(cells, dict):
            yield Row(number, Record(), "NOT_A_ROW", "", "is no JSON object")
        elif mapping:
            yield _mapped(number, cells, mapping, line)
        else:
            yield _as_it_is(number, cells, line)


def _mapped(line: int, cells: dict[str, Any], mapping: Mapping, text: str) -> Row:
    if fault := _byte_fault(line, text, mapping.encoding):
        return fault
    try:
        return Row(line, mapping.record(cells))
    except CellError as error:
        return Row(line, Record(), "INVALID_FIELD" if error.column else "PAYLOAD_TOO_LARGE", error.column, str(error))


def _as_it_is(line: int, cells: dict[str, Any], text: str) -> Row:
    if fault := _byte_fault(line, text, "utf-8"):
        return fault
    payload = cells.get("payload")
    if isinstance(payload, dict):
        cells = {**cells, "payload": json.dumps(payload, ensure_ascii=False)}
    try:
        return Row(line, json_format.ParseDict(cells, Record()))
    except json_format.ParseError as error:
        return Row(line, Record(), "NOT_A_ROW", "", str(error))


def _byte_fault(line: int, text: str, encoding: str) -> Row | None:
    if text.isascii() or not any("\udc80" <= character <= "\udcff" for character in text):
        return None
    return Row(line, Record(), "BROKEN_TEXT", "", f"has a byte that is none of {encoding}")


def _decodes(sample: bytes, encoding: str) -> bool:
    try:
        sample.decode(_signed(encoding))
    except UnicodeDecodeError as error:
        return error.end >= len(sample) == _SAMPLE_BYTES  # a character that the sample cuts in two
    except UnicodeError:
        return False
    return True


def _signed(encoding: str) -> str:
    return "utf-8-sig" if encoding.lower().replace("_", "-") in {"utf-8", "utf8"} else encoding
