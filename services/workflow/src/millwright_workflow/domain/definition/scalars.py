"""The smallest values of a definition: strict text and numbers, runtime expressions, durations and addresses.

Owns how one scalar is read and which shapes a field may take. Knows nothing of tasks, and evaluates nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    GetCoreSchemaHandler,
    StrictInt,
    StrictStr,
    Tag,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

TAG_MARK = "\0"
"""Begins every union tag, so that an error's location tells a tag from a key: a document holds no NUL."""

_WRAPPED = re.compile(r"\s*\$\{(.+)\}\s*", re.DOTALL)
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://.*", re.DOTALL)
_NUMBER = r"(\d+(?:\.\d+)?)"
_ISO_DURATION = re.compile(
    rf"P(?!$)(?:{_NUMBER}Y)?(?:{_NUMBER}M)?(?:{_NUMBER}W)?(?:{_NUMBER}D)?"
    rf"(?:T(?=\d)(?:{_NUMBER}H)?(?:{_NUMBER}M)?(?:{_NUMBER}S)?)?",
    re.ASCII,
)
_DAY = 86_400
_ISO_SECONDS = (365 * _DAY, 30 * _DAY, 7 * _DAY, _DAY, 3_600, 60, 1)
_LONGEST = 100 * 365 * _DAY


class Model(BaseModel):
    """What every model of the document shares: immutable, no unknown keys, `exceptWhen` for `except_when`."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        populate_by_name=True,
        alias_generator=lambda name: to_camel(name.rstrip("_")),
    )

    literal_fields: ClassVar[frozenset[str]] = frozenset()
    """Fields whose text is never evaluated, even where it looks like an expression."""


class Choice(Model):
    """A model of which exactly one of `choices` is written."""

    choices: ClassVar[tuple[str, ...]]

    @model_validator(mode="before")
    @classmethod
    def _require_one(cls, value: Any) -> Any:
        if isinstance(value, dict) and sum(key in value for key in cls.choices) != 1:
            raise PydanticCustomError("invalid_value", f"Write exactly one of {', '.join(cls.choices)} here.")
        return value


def unwrap(text: str) -> str | None:
    """Give what stands inside `${ … }`, or None if the text is no runtime expression."""
    match = _WRAPPED.fullmatch(text)
    return match[1].strip() if match else None


class Expression(str):
    """A runtime expression as written, with or without its `${ }`."""

    __slots__ = ()

    @property
    def code(self) -> str:
        """The jq program alone."""
        return unwrap(self) or self.strip()

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(cls, core_schema.str_schema(strict=True, min_length=1))


class Reference(str):
    """The name of something under `use`; `group` says of what."""

    __slots__ = ()
    group: ClassVar[str]

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(cls, core_schema.str_schema(strict=True, min_length=1))


def _require_wrapped(expression: Expression) -> Expression:
    if unwrap(expression) is None:
        raise PydanticCustomError("invalid_value", "Write the expression as ${ … }.")
    return expression


def _require_uri(text: str) -> str:
    if unwrap(text) is None and not _URI.fullmatch(text):
        raise PydanticCustomError("invalid_value", "Write a URI with its scheme, or an expression as ${ … }.")
    return text


WrappedExpression: TypeAlias = Annotated[Expression, AfterValidator(_require_wrapped)]
UriTemplate: TypeAlias = Annotated[StrictStr, AfterValidator(_require_uri)]
"""A URI, a URI template (`{name}` is filled in when it is used) or a `${ }` expression."""

Data: TypeAlias = Any
"""JSON of any form. It is JSON already when it reaches a model, so that no model looks into it."""
DataObject: TypeAlias = dict[str, Any]


def _shape(value: object) -> str | None:
    if isinstance(value, str):
        return TAG_MARK + "text"
    return TAG_MARK + "object" if isinstance(value, dict | BaseModel) else None


AS_TEXT = Tag(TAG_MARK + "text")
AS_OBJECT = Tag(TAG_MARK + "object")
TEXT_OR_OBJECT = Discriminator(
    _shape, custom_error_type="wrong_type", custom_error_message="Write a string or an object here."
)
"""Chooses between the two forms that many fields allow, so that a fault is about the form that was written."""


@dataclass(frozen=True, slots=True)
class Duration:
    """A length of time. In ISO 8601 text a year counts 365 days and a month 30."""

    seconds: float


_Count: TypeAlias = Annotated[StrictInt, Field(ge=0, le=10**12)]


class DurationParts(Model):
    """The inline form of a duration, as the document writes it."""

    days: _Count = 0
    hours: _Count = 0
    minutes: _Count = 0
    seconds: _Count = 0
    milliseconds: _Count = 0


def parse_duration(text: str) -> Duration:
    """Read an ISO 8601 duration such as `PT1H30M`. Raises PydanticCustomError, a ValueError, for anything else."""
    match = _ISO_DURATION.fullmatch(text)
    if not match or len(text) > 100:
        raise PydanticCustomError("invalid_value", "Write an ISO 8601 duration such as PT30S, or an object of units.")
    return _bounded(sum(float(part) * unit for part, unit in zip(match.groups("0"), _ISO_SECONDS, strict=True)))


def _sum_parts(parts: DurationParts) -> Duration:
    if not parts.model_fields_set:
        raise PydanticCustomError("invalid_value", "Name at least one of days, hours, minutes, seconds, milliseconds.")
    whole = parts.days * _DAY + parts.hours * 3_600 + parts.minutes * 60 + parts.seconds
    return _bounded(whole + parts.milliseconds / 1_000)


def _bounded(seconds: float) -> Duration:
    if seconds > _LONGEST:
        raise PydanticCustomError("invalid_value", "Shorten the duration: 100 years is the longest.")
    return Duration(float(seconds))


class _ReadThrough:
    """Tells pydantic to read a `Duration` through another type; a `Duration` passes as it is."""

    def __init__(self, written: Any, convert: Callable[[Any], Duration]) -> None:
        self.written = written
        self.convert = convert

    def __get_pydantic_core_schema__(self, _source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_wrap_validator_function(self._read, handler.generate_schema(self.written))

    def _read(self, value: Any, validate: Callable[[Any], Any]) -> Duration:
        return value if isinstance(value, Duration) else self.convert(validate(value))


def _duration_form(value: object) -> str | None:
    if isinstance(value, str) and unwrap(value) is not None:
        return TAG_MARK + "expression"
    return TAG_MARK + "object" if isinstance(value, Duration) else _shape(value)


DurationOrExpression: TypeAlias = Annotated[
    Annotated[Duration, _ReadThrough(DurationParts, _sum_parts), AS_OBJECT]
    | Annotated[Duration, _ReadThrough(StrictStr, parse_duration), AS_TEXT]
    | Annotated[Expression, Tag(TAG_MARK + "expression")],
    Discriminator(
        _duration_form, custom_error_type="wrong_type", custom_error_message="Write a string or an object here."
    ),
]
"""A `Duration`, or an expression whose value is ISO 8601 text for `parse_duration`."""


class Entry:
    """Tells pydantic to read `{name: value}` as `entry(name, value)`; an entry passes as it is."""

    def __init__(self, entry: type, value: Any, error_type: str, error_message: str) -> None:
        self.entry = entry
        self.value = value
        self.error = (error_type, error_message)

    def __get_pydantic_core_schema__(self, _source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_wrap_validator_function(self._read, handler.generate_schema(dict[str, self.value]))  # type: ignore[name-defined]

    def _read(self, value: Any, validate: Callable[[Any], Any]) -> Any:
        if isinstance(value, self.entry):
            return value
        if isinstance(value, dict) and len(value) != 1:
            raise PydanticCustomError(*self.error)
        ((name, read),) = validate(value).items()
        return self.entry(name, read)
