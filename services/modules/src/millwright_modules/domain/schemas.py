"""JSON Schemas that others wrote. What checking by them may cost is bounded before the library sees them.

The library holds the interpreter while it checks, and a small schema may ask for work without end: in a chain of parts
that each apply the next one twice, each doubles it. So each part is counted as often as it is applied, references
followed; what leads elsewhere or in a circle is refused, and patterns run on an engine whose time is linear.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

import jsonschema_rs
from millwright_runtime.json import Json, JsonObject

from millwright_modules.domain.problem import refusal, shown
from millwright_modules.domain.words import Reason

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_MOST_APPLIED = 10_000
"""How many parts of a schema may be applied to one value."""
_MOST_WORK = 2_000_000
"""How often parts may be applied to all values: half a second, at worst."""
_MOST_TOLD = 20_000
"""Up to here all faults are looked for: the library makes each of them before it gives the first."""
_MOST_FOLLOWED = 32
"""How many references may be followed from one to the next."""
_PATTERN_WEIGHT = 100
_UNEVALUATED_WEIGHT = 4
"""`unevaluated…` checks what lies beside it again, and what that left open once more."""
_LETTERS_A_STEP = 16
_PATTERNS = jsonschema_rs.RegexOptions(size_limit=256 << 10)
_REFERENCE = re.compile(r"#(/[\w$.-]+)*")
_OF_ROOT = frozenset({"$id", "$schema"})
_ELSEWHERE = _OF_ROOT | {
    "$anchor",
    "$dynamicAnchor",
    "$dynamicRef",
    "$recursiveAnchor",
    "$recursiveRef",
    "$vocabulary",
}
"""Words with which a reference may mean another place than its path says; two are harmless at the root."""
_META = "https://json-schema.org/"
_KEPT_FAULTS = 50


class Fault(NamedTuple):
    """What does not fit."""

    pointer: str
    text: str


class Rules:
    """A schema, ready to check by."""

    def __init__(self, schema: JsonObject, place: str = "") -> None:
        """Take a schema in; raise Refused, with JSON pointers below `place`, if it is none that may be used here."""
        self._applied = _Counting(schema, place).all()
        try:
            self._rules = jsonschema_rs.validator_for(schema, offline=True, pattern_options=_PATTERNS)
        except jsonschema_rs.ValidationError as error:
            at = place + pointer(error.instance_path)
            raise refusal(Reason.INVALID_SETTINGS_SCHEMA, at, "a JSON Schema", error.message) from None
        except (jsonschema_rs.ReferencingError, ValueError, TypeError) as error:
            raise refusal(Reason.INVALID_SETTINGS_SCHEMA, place, "a JSON Schema", error) from None

    def faults(self, values: JsonObject) -> Iterator[Fault]:
        """Give the first faults of values: only one if there is much to check, unchecked if there is too much."""
        work = self._applied * _weight(values)
        if work > _MOST_WORK:
            yield Fault("", f"checking them would take {work} steps; at most {_MOST_WORK} are taken")
        elif work > _MOST_TOLD:
            try:
                self._rules.validate(values)
            except jsonschema_rs.ValidationError as error:
                yield _fault(error)
        else:
            yield from map(_fault, islice(self._rules.iter_errors(values), _KEPT_FAULTS))


def _fault(error: jsonschema_rs.ValidationError) -> Fault:
    return Fault(pointer(error.instance_path), error.message)


def pointer(steps: Iterable[str | int]) -> str:
    """Give the JSON pointer of a place."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)


class _Counting:
    """Counts how often the parts of a schema are applied to one value, whatever its keywords mean."""

    def __init__(self, schema: JsonObject, place: str) -> None:
        self._schema = schema
        self._place = place
        self._counted: dict[int, int] = {}
        self._open: set[int] = set()
        self._followed = 0

    def all(self) -> int:
        """Count the whole; raise Refused."""
        if self._schema.get("$schema", DIALECT) != DIALECT:
            raise refusal(Reason.INVALID_SETTINGS_SCHEMA, f"{self._place}/$schema", DIALECT, self._schema["$schema"])
        if str(self._schema.get("$id", "")).startswith(_META):
            raise refusal(
                Reason.INVALID_SETTINGS_SCHEMA, f"{self._place}/$id", "a name of your own", self._schema["$id"]
            )
        return self._count(self._schema, ())

    def _count(self, part: Json, path: tuple[str | int, ...]) -> int:
        if not isinstance(part, dict | list):
            return _weight(part)
        known = self._counted.get(id(part))
        if known is not None:
            return known
        self._open.add(id(part))
        count = self._of_object(part, path) if isinstance(part, dict) else self._of_list(part, path)
        if count > _MOST_APPLIED:
            raise refusal(Reason.SCHEMA_TOO_COSTLY, self._at(path), _MOST_APPLIED, count)
        self._open.remove(id(part))
        self._counted[id(part)] = count
        return count

    def _of_list(self, part: list[Json], path: tuple[str | int, ...]) -> int:
        count = 1
        for place, inner in enumerate(part):
            count += self._count(inner, (*path, place))
        return count

    def _of_object(self, part: JsonObject, path: tuple[str | int, ...]) -> int:
        count = 1
        weight = 1
        for key, inner in part.items():
            here = (*path, key)
            count += _weight(key) + self._count(inner, here)
            if key == "$ref" and isinstance(inner, str):
                count += self._follow(inner, here)
            elif key in _ELSEWHERE and not (isinstance(inner, dict) or (key in _OF_ROOT and not path)):
                raise refusal(Reason.INVALID_SETTINGS_SCHEMA, self._at(here), "allowed in settings", key)
            elif key == "pattern" and isinstance(inner, str):
                count += _PATTERN_WEIGHT
            elif key == "patternProperties" and isinstance(inner, dict):
                count += _PATTERN_WEIGHT * len(inner)
            elif key.startswith("unevaluated"):
                weight = _UNEVALUATED_WEIGHT
        return count * weight

    def _follow(self, reference: str, path: tuple[str | int, ...]) -> int:
        target, steps = self._target(reference, path)
        if id(target) in self._open:
            raise refusal(Reason.SCHEMA_RECURSIVE, self._at(path), found=reference)
        if self._followed == _MOST_FOLLOWED:
            raise refusal(Reason.SCHEMA_TOO_COSTLY, self._at(path), _MOST_FOLLOWED, "more")
        self._followed += 1
        count = self._count(target, steps)
        self._followed -= 1
        return count

    def _target(self, reference: str, path: tuple[str | int, ...]) -> tuple[Json, tuple[str | int, ...]]:
        target: Json = self._schema
        steps: tuple[str | int, ...] = ()
        is_known = _REFERENCE.fullmatch(reference) is not None
        for step in reference.split("/")[1:] if is_known else ():
            if isinstance(target, dict) and step in target:
                target, steps = target[step], (*steps, step)
            elif isinstance(target, list) and step in map(str, range(len(target))):
                target, steps = target[int(step)], (*steps, int(step))
            else:
                is_known = False
                break
        if not is_known:
            raise refusal(
                Reason.INVALID_SETTINGS_SCHEMA, self._at(path), "a reference such as #/$defs/limit", reference
            )
        return target, steps

    def _at(self, path: Iterable[str | int]) -> str:
        return shown(self._place + pointer(path))


def _weight(value: Json) -> int:
    """Give how much there is in a value to look at."""
    weight = 0
    pending: list[Json] = [value]
    while pending:
        one = pending.pop()
        weight += 1
        if isinstance(one, str):
            weight += len(one) // _LETTERS_A_STEP
        elif isinstance(one, dict):
            pending += one
            pending += one.values()
        elif isinstance(one, list):
            pending += one
    return weight
