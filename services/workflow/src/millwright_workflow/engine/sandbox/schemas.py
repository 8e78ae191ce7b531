"""Data held to JSON Schemas. A schema and data that are provably cheap are validated here, any other in the sandbox.

Owns the proof: few keywords, each of which looks at a value once, and the product of both sizes small.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from millwright_runtime.json import Json, to_text

from millwright_workflow.domain.interpreter import errors
from millwright_workflow.domain.interpreter.effects import Validate
from millwright_workflow.engine.running.driver import Caller
from millwright_workflow.engine.sandbox.pool import Sandbox, SandboxFault
from millwright_workflow.engine.sandbox.validators import Breach, SchemaInvalid, Validator

_REMEMBERED = 1024
_MOST_SCHEMA_NODES = 400
_MOST_STEPS = 200_000
_MOST_DEPTH = 32
_CHEAP_KEYWORDS = frozenset(
    {
        *("$schema", "$id", "$comment", "title", "description", "default", "examples", "deprecated"),
        *("readOnly", "writeOnly", "type", "enum", "const", "required", "properties", "additionalProperties"),
        *("minProperties", "maxProperties", "items", "prefixItems", "minItems", "maxItems"),
        *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength"),
        *("allOf", "anyOf", "oneOf", "not", "if", "then", "else"),
    }
)
_PLAIN = frozenset({"enum", "const", "default", "examples"})
"""Keywords whose value is data."""


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A schema as it was last seen."""

    schema: Json
    """Kept, so that no other object takes its identity."""
    text: str
    nodes: int
    validator: Validator | None
    """None if it validates in the sandbox alone."""


class Schemas:
    """Validates."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._prepared: OrderedDict[int, _Prepared] = OrderedDict()

    async def carry_out(self, caller: Caller, effect: Validate) -> None:
        """Hold a task's data to its schema; see `validate`."""
        await self.validate(caller.instance.tenant, effect)

    async def validate(self, tenant: str, effect: Validate) -> None:
        """Return if the data conforms; throw a validation fault, or a configuration fault for what is no schema."""
        try:
            breaches = await self._breaches(tenant, effect)
        except SchemaInvalid as fault:
            raise errors.configuration(effect.instance, f"The schema is none: {fault}") from None
        except SandboxFault as fault:
            raise errors.validation(effect.instance, f"The data cannot be held to the schema: {fault}.") from None
        if breaches:
            raise errors.validation(effect.instance, f"The data does not conform: {'; '.join(map(str, breaches))}.")

    async def _breaches(self, tenant: str, effect: Validate) -> list[Breach]:
        prepared = self._prepare(effect.schema)
        if prepared.validator is not None and _size(effect.data, _MOST_STEPS // prepared.nodes) is not None:
            return prepared.validator.breaches(effect.data)
        try:
            data = to_text(effect.data)
        except ValueError as error:
            raise SandboxFault(str(error)) from None
        return await self._sandbox.validate(prepared.text, data, tenant)

    def _prepare(self, schema: Json) -> _Prepared:
        known = self._prepared.get(id(schema))
        if known is not None and known.schema is schema:
            self._prepared.move_to_end(id(schema))
            return known
        nodes = _size(schema, _MOST_SCHEMA_NODES) or 0
        is_cheap = nodes > 0 and _is_cheap(schema)
        try:
            text = to_text(schema)
        except ValueError as error:
            raise SchemaInvalid(str(error)) from None
        prepared = _Prepared(schema, text, nodes, Validator(schema) if is_cheap else None)
        self._prepared[id(schema)] = prepared
        if len(self._prepared) > _REMEMBERED:
            self._prepared.popitem(last=False)
        return prepared


def _size(value: Json, most: int, depth: int = 0) -> int | None:
    """Count the values in JSON, a text as one more for every 64 characters; None past `most` or too deep."""
    if isinstance(value, str):
        count = 1 + len(value) // 64
        return count if count <= most else None
    if not isinstance(value, dict | list):
        return 1
    if depth >= _MOST_DEPTH or len(value) > most:
        return None
    count = 1
    for part in value.values() if isinstance(value, dict) else value:
        size = _size(part, most - count, depth + 1)
        if size is None:
            return None
        count += size
    return count if count <= most else None


def _is_cheap(schema: Json) -> bool:
    """Tell whether no keyword of a schema refers, matches patterns or compares values of the data with one another.

    Each place of the schema then looks at each value of the data once at most.
    """
    if not isinstance(schema, dict):
        return isinstance(schema, bool)
    return all(_is_cheap_keyword(keyword, value) for keyword, value in schema.items())


def _is_cheap_keyword(keyword: str, value: Json) -> bool:
    if keyword not in _CHEAP_KEYWORDS:
        return False
    if keyword == "properties":
        return isinstance(value, dict) and all(map(_is_cheap, value.values()))
    if keyword in _PLAIN or not isinstance(value, dict | list):
        return True
    if isinstance(value, list):
        return all(_is_cheap(part) for part in value if isinstance(part, dict))
    return _is_cheap(value)
