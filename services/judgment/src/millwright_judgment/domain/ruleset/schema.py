"""Reads the input schema: which fields there are, and what they may hold."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from millwright_judgment.domain.findings import Code
from millwright_judgment.domain.ruleset.fields import Field, FieldType, Missing, Outside, Scalar
from millwright_judgment.domain.ruleset.grid import WHOLE, Grid, grid_of
from millwright_judgment.domain.ruleset.limits import DECIMALS, ENUM_VALUES, FIELDS, STEPS, TEXT_BYTES
from millwright_judgment.domain.ruleset.reader import IDENTIFIER, Reader, Steps

DEFAULT_RESOLUTION = Decimal("0.000001")
_KEYS = (
    "field",
    "type",
    "unit",
    "resolution",
    "min",
    "max",
    "values",
    "missing",
    "default",
    "outside",
    "titles",
)
_NAME_HINT = "Name a field by at most 63 letters, digits and underscores, and begin with a letter."


def read_fields(reader: Reader, value: Any, at: Steps) -> tuple[Field, ...]:
    """Read the list of fields; those that are not sound are left out."""
    fields: dict[str, Field] = {}
    for place, item in reader.list(value, at, FIELDS):
        field = _read_field(reader, item, place)
        if field is None:
            continue
        if field.name in fields:
            reader.note(Code.DUPLICATE_FIELD, place, f"The field {field.name} stands twice: remove one.")
        fields.setdefault(field.name, field)
    return tuple(fields.values())


def _read_field(reader: Reader, value: Any, at: Steps) -> Field | None:
    read = reader.object(value, at, _KEYS, required=("field", "type"))
    noted = len(reader.findings)
    name = reader.matching(read["field"], (*at, "field"), IDENTIFIER, _NAME_HINT) if read.get("field") else None
    kind = reader.choice(read["type"], (*at, "type"), list(FieldType)) if read.get("type") else None
    missing = reader.choice(read.get("missing", Missing.ERROR), (*at, "missing"), list(Missing))
    outside = reader.choice(read.get("outside", Outside.ERROR), (*at, "outside"), list(Outside))
    unit = reader.text(read.get("unit", ""), (*at, "unit"), 30)
    titles = reader.texts_by_language(read.get("titles"), (*at, "titles"))
    if name is None or kind is None:
        return None
    type_ = FieldType(kind)
    grid = _grid(reader, read, at, type_)
    low, high = (_bound(reader, read, at, key, grid) for key in ("min", "max"))
    if low is not None and high is not None and low > high:
        reader.note(Code.INVALID_VALUE, (*at, "max"), "The range ends before it begins.")
    values = _values(reader, read, at, type_)
    if len(reader.findings) > noted:
        return Field(name, type_, grid=grid)
    field = Field(
        name,
        type_,
        grid,
        low,
        high,
        unit or "",
        values,
        Missing(missing or Missing.ERROR),
        None,
        Outside(outside or Outside.ERROR),
        titles,
    )
    return _with_default(reader, field, read, at)


def _grid(reader: Reader, read: dict[str, Any], at: Steps, type_: FieldType) -> Grid | None:
    if not type_.is_numeric:
        for key in ("resolution", "min", "max", "unit"):
            if read.get(key) not in {None, ""}:
                reader.note(Code.INVALID_VALUE, (*at, key), f"A {type_} has no {key}.")
        return None
    if read.get("resolution") is None:
        return WHOLE if type_ is FieldType.INTEGER else grid_of(DEFAULT_RESOLUTION)
    resolution = reader.number(read["resolution"], (*at, "resolution"))
    if resolution is None:
        return WHOLE
    exponent = resolution.as_tuple().exponent
    assert isinstance(exponent, int)
    is_fit = 0 < resolution <= 10**6 and -exponent <= DECIMALS and len(resolution.as_tuple().digits) <= DECIMALS
    if not is_fit or (type_ is FieldType.INTEGER and resolution % 1):
        kind = "a whole number" if type_ is FieldType.INTEGER else f"a number with at most {DECIMALS} decimals"
        reader.note(Code.INVALID_VALUE, (*at, "resolution"), f"Write {kind} between 0 and 1,000,000 here.")
        return WHOLE
    return grid_of(resolution)


def _bound(reader: Reader, read: dict[str, Any], at: Steps, key: str, grid: Grid | None) -> int | None:
    if read.get(key) is None or grid is None:
        return None
    number = reader.number(read[key], (*at, key))
    if number is None:
        return None
    steps = grid.exact(number)
    if steps.denominator != 1 or abs(steps) * grid.multiple > STEPS:
        reader.note(
            Code.INVALID_VALUE,
            (*at, key),
            f"Write a multiple of the resolution, at most {STEPS:,} of its steps from 0.",
        )
        return None
    return int(steps)


def _values(reader: Reader, read: dict[str, Any], at: Steps, type_: FieldType) -> tuple[str, ...]:
    if read.get("values") is None:
        return ()
    if type_ is not FieldType.STRING:
        reader.note(Code.INVALID_VALUE, (*at, "values"), f"A {type_} has no list of values.")
        return ()
    texts = [reader.text(item, place) for place, item in reader.list(read["values"], (*at, "values"), ENUM_VALUES)]
    values = [text for text in texts if text is not None]
    if len(set(values)) < len(values):
        reader.note(Code.INVALID_VALUE, (*at, "values"), "A value stands twice: remove one.")
    return tuple(values)


def _with_default(reader: Reader, field: Field, read: dict[str, Any], at: Steps) -> Field:
    place = (*at, "default")
    given = read.get("default")
    if field.missing is not Missing.DEFAULT:
        if given is not None:
            reader.note(
                Code.INVALID_VALUE, place, "Write `missing: default`, or remove the default: it is never taken."
            )
        return field
    default = _scalar(field, given)
    if default is None or not field.domain.holds(field.point(default)):
        reader.note(Code.INVALID_VALUE, place, f"Write a {field.type} that the field may have here.")
        return field
    return replace(field, default=default)


def _scalar(field: Field, value: Any) -> Scalar | None:
    if field.grid is not None:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return field.scalar(field.grid.step(value)) if is_number and abs(value) <= field.grid.highest else None
    if field.type is FieldType.BOOLEAN:
        return value if isinstance(value, bool) else None
    return value if isinstance(value, str) and len(value.encode()) <= TEXT_BYTES else None
