"""Checks one input against the schema.

The result is one of three: values that rules can judge, in the order of the fields; INDETERMINATE, with the reasons; or
a refusal, with every field at fault. `Checker` compiles the way that sound inputs take into one function; what that
function does not take is looked at field by field for what is wrong with it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from millwright_runtime.errors import Violation

from millwright_judgment.domain.ruleset.fields import Field, FieldType, Missing, Outside, Scalar
from millwright_judgment.domain.ruleset.limits import FIELDS, TEXT_BYTES

Values = tuple[Scalar | None, ...]
"""The values of an input in the order of the schema's fields: rounded, defaults filled in; None for null."""


class Problem(StrEnum):
    """What is wrong with a field of an input."""

    UNKNOWN_FIELD = "UNKNOWN_FIELD"
    TOO_MANY_FIELDS = "TOO_MANY_FIELDS"
    MISSING = "MISSING"
    WRONG_TYPE = "WRONG_TYPE"
    NOT_FINITE = "NOT_FINITE"
    OUT_OF_RANGE = "OUT_OF_RANGE"
    UNKNOWN_VALUE = "UNKNOWN_VALUE"
    TEXT_TOO_LONG = "TEXT_TOO_LONG"
    UNSTORABLE_TEXT = "UNSTORABLE_TEXT"


class InputProblem(NamedTuple):
    """What is wrong with one field, where the ruleset says that nothing can be said then."""

    field: str
    code: Problem
    message: str


class Checked(NamedTuple):
    """An input that rules can judge."""

    values: Values


class Indeterminate(NamedTuple):
    """An input of which nothing can be said: what is sound of it, and why."""

    values: Values
    problems: tuple[InputProblem, ...]


class Refused(NamedTuple):
    """An input that is wrong, with every field at fault. The paths are the fields' names."""

    violations: tuple[Violation, ...]


Verdict = Checked | Indeterminate | Refused


class Unfit(Exception):
    """A value that its field cannot have."""

    def __init__(self, code: Problem, message: str, value: Scalar | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.value = value
        """The value as it would be kept, where it only lies outside."""


class Checker:
    """Checks inputs against the fields of one ruleset."""

    def __init__(self, fields: Sequence[Field]) -> None:
        self.fields = tuple(fields)
        self._names = frozenset(field.name for field in fields)
        self.sound_values = _compile(self.fields)
        """Gives the values of an input without a fault; None if it has to be looked at closely."""

    def check(self, given: Mapping[str, object]) -> Verdict:
        """Check an input: a value by field; absent and None mean missing."""
        values = self.sound_values(given)
        return self.look_closely(given) if values is None else Checked(values)

    def look_closely(self, given: Mapping[str, object]) -> Verdict:
        """Check an input field by field: the same result as `check`, more slowly."""
        violations = self._strange(given)
        problems: list[InputProblem] = []
        values: list[Scalar | None] = []
        for field in self.fields:
            value = given.get(field.name)
            try:
                values.append(fitted(field, value))
            except Unfit as unfit:
                values.append(unfit.value)
                policy = field.missing if unfit.code is Problem.MISSING else field.outside
                if policy in (Missing.INDETERMINATE, Outside.INDETERMINATE) and unfit.code in _LENIENT:
                    problems.append(InputProblem(field.name, unfit.code, unfit.message))
                else:
                    violations.append(Violation(field.name, unfit.code, unfit.message))
        if violations:
            return Refused(tuple(violations))
        return Indeterminate(tuple(values), tuple(problems)) if problems else Checked(tuple(values))

    def _strange(self, given: Mapping[str, object]) -> list[Violation]:
        if len(given) > FIELDS:
            message = f"An input has at most {FIELDS} fields; this one has {len(given):,}."
            return [Violation("", Problem.TOO_MANY_FIELDS, message)]
        strange = [name for name in given if name not in self._names]
        return [
            Violation(str(name)[:100], Problem.UNKNOWN_FIELD, "The ruleset's schema has no such field.")
            for name in strange
        ]


_LENIENT = frozenset({Problem.MISSING, Problem.OUT_OF_RANGE, Problem.UNKNOWN_VALUE})
"""What a ruleset may take for INDETERMINATE; all else is wrong whatever it says."""


def fitted(field: Field, value: object) -> Scalar | None:
    """Give a value as its field keeps it; raise Unfit if the field cannot have it."""
    if value is None:
        if field.missing is Missing.DEFAULT:
            return field.default
        if field.missing is Missing.ALLOW:
            return None
        raise Unfit(Problem.MISSING, f"The field {field.name} is missing.")
    if field.type is FieldType.BOOLEAN:
        if not isinstance(value, bool):
            raise Unfit(Problem.WRONG_TYPE, "Give true or false.")
        return value
    return _fitted_text(field, value) if field.type is FieldType.STRING else _fitted_number(field, value)


def _fitted_number(field: Field, value: object) -> Scalar:
    assert field.grid is not None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Unfit(Problem.WRONG_TYPE, "Give a number.")
    if isinstance(value, float) and not math.isfinite(value):
        raise Unfit(Problem.NOT_FINITE, "Give a finite number: NaN and infinity say nothing.")
    if abs(value) > 2 * field.grid.highest:
        message = f"Numbers lie between {-field.grid.highest:g} and {field.grid.highest:g}."
        raise Unfit(Problem.OUT_OF_RANGE, message, field.farthest(value))
    if field.type is FieldType.INTEGER and value != int(value):
        raise Unfit(Problem.WRONG_TYPE, "Give a whole number.")
    step = field.grid.step(value)
    rounded = field.scalar(step)
    assert rounded is not None
    low, high = field.range
    if not low <= step <= high:
        bounds = [
            f"{word} {field.grid.text(bound)}"
            for word, bound in (("at least", field.low), ("at most", field.high))
            if bound is not None
        ] or [f"at most {field.grid.highest:g} away from 0"]
        unit = f" {field.unit}" if field.unit else ""
        message = f"{field.name} is {field.grid.text(step)}{unit}, and must be {' and '.join(bounds)}."
        raise Unfit(Problem.OUT_OF_RANGE, message, rounded)
    return rounded


def _fitted_text(field: Field, value: object) -> str:
    if not isinstance(value, str):
        raise Unfit(Problem.WRONG_TYPE, "Give a text.")
    if len(value) > TEXT_BYTES or len(value.encode("utf-8", "surrogatepass")) > TEXT_BYTES:
        raise Unfit(Problem.TEXT_TOO_LONG, f"Give a text of at most {TEXT_BYTES:,} bytes.")
    if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise Unfit(Problem.UNSTORABLE_TEXT, "The text holds NUL or half of a surrogate pair, which cannot be stored.")
    if field.values and value not in field.values:
        known = ", ".join(field.values[:10])
        raise Unfit(Problem.UNKNOWN_VALUE, f"{field.name} is none of its values: {known}.", value)
    return value


def _compile(fields: Sequence[Field]) -> Callable[[Mapping[str, object]], Values | None]:
    """Make the function that gives the values of a sound input, and None for any other.

    Its source is put together from numbers and from names that `reader.IDENTIFIER` has let through; nothing else of a
    document gets into it. It rounds by the operations of `Grid`.
    """
    constants: dict[str, Any] = {"names": frozenset(field.name for field in fields)}
    # An input of as many keys as there are fields, each of which is there, has no other.
    is_whole = all(field.missing in (Missing.ERROR, Missing.INDETERMINATE) for field in fields)
    is_strange = f"len(given) != {len(fields)}" if is_whole else "not given.keys() <= names"
    lines = ["def check(given):", f" if {is_strange}: return None", " get = given.get", " try:"]
    for index, field in enumerate(fields):
        lines += [f"  {line}" for line in _lines(index, field, constants)]
    lines += [
        f"  return ({''.join(f'v{index}, ' for index in range(len(fields)))})",
        " except (ValueError, OverflowError): return None",
    ]
    exec("\n".join(lines), constants)  # noqa: S102 - see above
    check: Callable[[Mapping[str, object]], Values | None] = constants["check"]
    return check


def _lines(index: int, field: Field, constants: dict[str, Any]) -> list[str]:
    value = f"v{index}"
    fit = _fit(value, index, field, constants)
    lines = [f"{value} = get({field.name!r})"]
    if field.missing is Missing.ALLOW:
        return [*lines, f"if {value} is not None:", *(f" {line}" for line in fit)]
    if field.missing is Missing.DEFAULT:
        constants[f"d{index}"] = field.default
        return [*lines, f"if {value} is None: {value} = d{index}", "else:", *(f" {line}" for line in fit)]
    return [*lines, *fit]


def _fit(value: str, index: int, field: Field, constants: dict[str, Any]) -> list[str]:
    if field.type is FieldType.BOOLEAN:
        return [f"if {value} is not True and {value} is not False: return None"]
    if field.type is FieldType.STRING:
        constants[f"e{index}"] = frozenset(field.values)
        is_fit = f"{value} in e{index}" if field.values else f"len({value}) <= {TEXT_BYTES // 4} and {value}.isascii()"
        storable = "" if field.values else f" or '\\0' in {value}"
        return [f"if type({value}) is not str or not ({is_fit}){storable}: return None"]
    grid = field.grid
    assert grid is not None
    low, high = field.range
    lines = [f"if type({value}) is not float and type({value}) is not int: return None"]
    if field.type is FieldType.INTEGER:
        lines.append(f"if {value} % 1: return None")
    divided = "" if grid.multiple == 1 else f" / {float(grid.multiple)!r}"
    lines += [
        f"s = round({value} * {float(grid.scale)!r}{divided})",
        f"if not {low} <= s <= {high}: return None",
    ]
    whole = f"s * {grid.multiple}" if grid.multiple != 1 else "s"
    lines.append(f"{value} = {whole}" if field.type is FieldType.INTEGER else f"{value} = {whole} / {grid.scale}")
    return lines
