"""Mappings: how the columns of somebody's file become raw rows. Pure.

A mapping is a TOML file; docs/architecture/etl-files.md tells its fields. It decides where a row's key and times come
from and gives columns the names that the pipeline knows. It judges no cell: what cannot be read as a number is sent as
it is, and the pipeline says what is wrong with it.
"""

import json
import re
import tomllib
from collections.abc import Mapping as Map
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from millwright.etl.v1.record_pb2 import Record, RecordType, SourceType

Cells = Map[str, Any]
"""A row of a file: its cells by column."""
PAYLOAD_BYTES = 1024 * 1024

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)", re.ASCII)
_GROUPS = r"[+-]?[0-9]{{1,3}}({}[0-9]{{3}})+({}[0-9]*)?-?"
_OPTIONS = frozenset(
    (
        "source_type",
        "source_system",
        "record_type",
        "encoding",
        "delimiter",
        "decimal",
        "thousands",
        "time_zone",
        "external_id",
        "event_time",
        "source_time",
        "deleted",
        "fields",
    )
)
_PART_OPTIONS = frozenset(
    ("column", "columns", "constant", "kind", "format", "values", "equals", "separator", "empty", "otherwise")
)
_KINDS = ("text", "number", "sum", "time", "date")


class MappingError(ValueError):
    """A mapping that is none; the text says where and why."""


class CellError(ValueError):
    """A row of which no raw row can be made: where, and why."""

    def __init__(self, column: str, message: str) -> None:
        """Take what is told."""
        super().__init__(message)
        self.column = column


@dataclass(frozen=True)
class Part:
    """Where one value comes from."""

    columns: tuple[str, ...]
    constant: Any = None
    kind: str = "text"
    format: str | None = None
    values: Map[str, Any] = field(default_factory=dict)
    equals: str | None = None
    separator: str = " "
    empty: frozenset[str] = frozenset()
    """What is as good as nothing, such as zeros for a date."""
    otherwise: "Part | None" = None
    """Where the value comes from if there is nothing here."""


@dataclass(frozen=True)
class Mapping:
    """How rows of a file become raw rows."""

    source_type: int
    source_system: str
    record_type: int
    external_id: Part
    event_time: Part
    source_time: Part | None
    """A row that has none is sent without."""
    deleted: Part | None
    fields: Map[str, Part]
    """What of a row is sent, by the name that the pipeline knows; empty: every column under its own name."""
    encoding: str
    delimiter: str
    decimal: str
    thousands: str
    zone: ZoneInfo

    def record(self, cells: Cells) -> Record:
        """Make a raw row of a row of the file; raise CellError if it has no key, no time, or is too large."""
        deleted = bool(self.deleted and self._text(cells, self.deleted) == self.deleted.equals)
        payload = {name: self._value(cells, part) for name, part in self.fields.items()} or dict(cells)
        text = json.dumps(payload, ensure_ascii=False)
        if len(text.encode()) > PAYLOAD_BYTES:
            raise CellError("", f"the row has more than {PAYLOAD_BYTES} bytes")
        record = Record(
            source_type=self.source_type,  # type: ignore[arg-type]
            source_system=self.source_system,
            record_type=self.record_type,  # type: ignore[arg-type]
            external_id=self._text(cells, self.external_id),
            payload=text,
            deleted=deleted,
        )
        record.event_time.FromDatetime(self._time(cells, self.event_time))
        if self.source_time and self._text(cells, self._given(cells, self.source_time)):
            record.source_time.FromDatetime(self._time(cells, self.source_time))
        return record

    def _given(self, cells: Cells, part: Part) -> Part:
        """Give the first of a part and what stands in for it that has a value; the last one, if none has."""
        while part.otherwise and part.constant is None and not self._text(cells, part):
            part = part.otherwise
        return part

    def _value(self, cells: Cells, part: Part) -> Any:
        part = self._given(cells, part)
        if part.constant is not None:
            return part.constant
        if part.kind == "sum":
            return self._sum(cells, part)
        if len(part.columns) == 1 and not isinstance(value := _cell(cells, part.columns[0]), str) and not part.values:
            return value  # JSON has values of its own
        text = self._text(cells, part)
        if not text:
            return None
        if text in part.values:
            return part.values[text]
        match part.kind:
            case "number":
                return self._number(text)
            case "time" | "date":
                return self._written(text, part)
            case _:
                return text

    def _text(self, cells: Cells, part: Part) -> str:
        given = (_cell(cells, column) for column in part.columns)
        text = part.separator.join(str(value).strip() for value in given if value is not None).strip()
        return "" if text in part.empty else text

    def _number(self, text: str) -> str:
        """Give a number written as the file writes them with a point; anything else as it is, for the pipeline."""
        plain = text
        if self.thousands and re.fullmatch(_GROUPS.format(*map(re.escape, (self.thousands, self.decimal))), text):
            plain = text.replace(self.thousands, "")
        plain = plain.replace(self.decimal, ".") if self.decimal != "." else plain
        if plain.endswith("-"):
            plain = f"-{plain[:-1]}"  # SAP writes the sign behind
        return plain if _NUMBER.fullmatch(plain) else text

    def _sum(self, cells: Cells, part: Part) -> str | None:
        """Give the sum of columns, an empty one being 0; the first that is no number, where one is none."""
        given = [self._text(cells, Part((column,))) for column in part.columns]
        numbers = [self._number(text) for text in given if text]
        wrong = next((text for text in numbers if not _NUMBER.fullmatch(text)), None)
        return wrong or (str(sum(map(Decimal, numbers))) if numbers else None)

    def _written(self, text: str, part: Part) -> str:
        try:
            instant = self._instant(text, part)
        except ValueError:
            return text
        return instant.date().isoformat() if part.kind == "date" else instant.isoformat()

    def _time(self, cells: Cells, part: Part) -> datetime:
        part = self._given(cells, part)
        text, column = self._text(cells, part), ", ".join(part.columns)
        try:
            return self._instant(text, part).astimezone(UTC)
        except (ValueError, OverflowError):
            form = part.format or "2026-11-01T08:30:00"
            raise CellError(column, f"{text!r} is no time such as {form}") from None

    def _instant(self, text: str, part: Part) -> datetime:
        instant = datetime.strptime(text, part.format) if part.format else datetime.fromisoformat(text)  # noqa: DTZ007
        return instant if instant.tzinfo else instant.replace(tzinfo=self.zone)


def read(text: str, encoding: str = "") -> Mapping:
    """Read a mapping; `encoding` takes the place of the one that it names. Raises MappingError."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise MappingError(str(error)) from error
    if unknown := sorted(table.keys() - _OPTIONS):
        raise MappingError(f"{unknown[0]}: there is no such option")
    decimal = table.get("decimal", ".")
    if decimal not in {".", ","}:
        raise MappingError("decimal: must be . or ,")
    return Mapping(
        source_type=_among(SourceType, "SOURCE_TYPE", table, "source_type"),
        source_system=_string(table, "source_system"),
        record_type=_among(RecordType, "RECORD_TYPE", table, "record_type"),
        external_id=_part(_required(table, "external_id"), "external_id", separator="-"),
        event_time=_part(_required(table, "event_time"), "event_time"),
        source_time=_part(table["source_time"], "source_time") if "source_time" in table else None,
        deleted=_part(table["deleted"], "deleted") if "deleted" in table else None,
        fields={name: _part(value, f"fields.{name}") for name, value in table.get("fields", {}).items()},
        encoding=_encoding(encoding or table.get("encoding", "utf-8")),
        delimiter=table.get("delimiter", ","),
        decimal=decimal,
        thousands=table.get("thousands", "." if decimal == "," else ""),
        zone=_zone(table.get("time_zone", "Asia/Seoul")),
    )


def _cell(cells: Cells, column: str) -> Any:
    """Give a cell; a dotted column leads into the objects of JSON."""
    if column in cells:
        return cells[column]
    value: Any = cells
    for name in column.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _part(value: Any, where: str, separator: str = " ") -> Part:
    if isinstance(value, str):
        return Part((value,), separator=separator)
    if isinstance(value, list):
        return Part(tuple(_texts(value, where)), separator=separator)
    if not isinstance(value, dict):
        raise MappingError(f"{where}: must be a column, a list of columns, or a table")
    if unknown := sorted(value.keys() - _PART_OPTIONS):
        raise MappingError(f"{where}.{unknown[0]}: there is no such option")
    columns = [value["column"]] if "column" in value else value.get("columns", [])
    if not columns and "constant" not in value:
        raise MappingError(f"{where}: must have column, columns or constant")
    kind = value.get("kind", "time" if "format" in value else "text")
    if kind not in _KINDS:
        raise MappingError(f"{where}.kind: must be one of {', '.join(_KINDS)}")
    return Part(
        tuple(_texts(columns, where)),
        constant=value.get("constant"),
        kind=kind,
        format=value.get("format"),
        values={str(given): meant for given, meant in value.get("values", {}).items()},
        equals=value.get("equals"),
        separator=value.get("separator", separator),
        empty=frozenset(_texts(value.get("empty", []), f"{where}.empty")),
        otherwise=_part(value["otherwise"], f"{where}.otherwise", separator) if "otherwise" in value else None,
    )


def _texts(value: Any, where: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(each, str) and each for each in value):
        raise MappingError(f"{where}: must be a list of texts")
    return value


def _required(table: Map[str, Any], name: str) -> Any:
    if name not in table:
        raise MappingError(f"{name}: must be given")
    return table[name]


def _string(table: Map[str, Any], name: str) -> str:
    value = _required(table, name)
    if not isinstance(value, str):
        raise MappingError(f"{name}: must be a text")
    return value


def _among(kinds: Any, prefix: str, table: Map[str, Any], name: str) -> int:
    value = _string(table, name)
    known = {key.removeprefix(f"{prefix}_"): number for key, number in kinds.items() if number}
    if value not in known:
        raise MappingError(f"{name}: must be one of {', '.join(known)}")
    number: int = known[value]
    return number


def _encoding(name: Any) -> str:
    try:
        "".encode(name)
    except (LookupError, TypeError):
        raise MappingError(f"encoding: {name!r} is none that Python knows") from None
    return str(name)


def _zone(name: Any) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        raise MappingError(f"time_zone: {name!r} is no IANA time zone such as Asia/Seoul") from None
