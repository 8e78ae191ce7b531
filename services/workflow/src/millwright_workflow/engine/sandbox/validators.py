"""JSON Schema validators, and what they find wrong, told without a value of the data.

Owns the only use of the library that validates. Runs in the service and in the sandbox's processes alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any, NamedTuple

import jsonschema_rs
from millwright_runtime.json import Json, to_text

MOST_BREACHES = 3
_LONGEST_TEXT = 120


class SchemaInvalid(Exception):
    """A schema that is none; the message says where and why, for its author."""


class Breach(NamedTuple):
    """A rule that data does not keep."""

    place: str
    """The JSON pointer in the data."""
    rule: str
    """The rule as the schema has it."""

    def __str__(self) -> str:
        """Give the sentence for people."""
        return f"{self.place or 'the whole'} breaks {self.rule}"


class Validator:
    """One schema, made ready. It follows no reference to another document."""

    def __init__(self, schema: Json) -> None:
        """Make `schema` ready: of the draft that its `$schema` names, or else of 2020-12. Raises SchemaInvalid."""
        if not isinstance(schema, dict | bool):
            raise SchemaInvalid("a schema is an object or a boolean")
        self._schema = schema
        try:
            self._rules = jsonschema_rs.validator_for(schema, offline=True)
        except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError, TypeError) as error:
            raise SchemaInvalid(_reason(error)) from None

    def breaches(self, data: Json) -> list[Breach]:
        """Give the first rules that `data` does not keep."""
        return [self._breach(error) for error in islice(self._rules.iter_errors(data), MOST_BREACHES)]

    def _breach(self, error: Any) -> Breach:
        place, path = _pointer(error.instance_path), list(error.schema_path)
        rule = str(path[-1]) if path else "false"
        required = getattr(error.kind, "property", None) if rule == "required" else None
        value = required if isinstance(required, str) else _value_at(self._schema, path)
        return Breach(place, f"{rule}{'' if value is None else f' {_shortened(to_text(value))}'} ({_pointer(path)})")


def _value_at(schema: Any, path: Sequence[str | int]) -> Any:
    """Give what the schema has at a path, None if that is no short scalar or list."""
    for step in path:
        try:
            schema = schema[step]
        except (KeyError, IndexError, TypeError):
            return None
    return None if isinstance(schema, dict) else schema


def _reason(error: Exception) -> str:
    """Give why a schema is none. What is shown is of the schema, never of data."""
    first = str(getattr(error, "message", None) or error).splitlines()[0]
    path = _pointer(getattr(error, "instance_path", ()))
    return f"{path}: {_shortened(first)}" if path else _shortened(first)


def _pointer(path: Sequence[str | int]) -> str:
    return _shortened("".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path))


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_TEXT else f"{text[: _LONGEST_TEXT - 1]}…"
