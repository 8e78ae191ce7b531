"""Values of a definition that may hold expressions.

Owns how a written value becomes the template that an `Evaluate` carries. Never evaluates one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from millwright_runtime.json import Json

from millwright_workflow.domain.definition import Duration, Expression, unwrap


@dataclass(frozen=True, slots=True)
class Template:
    """A value, and whether an expression stands anywhere in it: if none does, nobody needs to be asked."""

    value: Json
    is_dynamic: bool


Length: TypeAlias = float | Template
"""A duration: seconds, or an expression that gives ISO 8601 text."""


def plan_template(written: Json) -> Template:
    """Take a value as it is written. Text that is an `Expression` is one even without its `${ }`."""
    if isinstance(written, Expression):
        return Template(f"${{ {written.code} }}", is_dynamic=True)
    return Template(written, _holds_expression(written))


def plan_transformation(written: Any) -> Template | None:
    """Take a transformation that may be absent. The identity counts as absent: it changes nothing."""
    if written is None or (isinstance(written, Expression) and written.code == "."):
        return None
    return plan_template(written)


def plan_condition(written: Expression | None) -> Template | None:
    """Take a condition that may be absent."""
    return None if written is None else plan_template(written)


def plan_length(written: Duration | Expression) -> Length:
    """Take a duration."""
    return written.seconds if isinstance(written, Duration) else plan_template(written)


def plan_limit(written: Duration | Expression | None) -> Length | None:
    """Take a duration that may be absent."""
    return None if written is None else plan_length(written)


def is_true(value: Json) -> bool:
    """Tell truth as jq does: all but `false` and `null` is true."""
    return value is not None and value is not False


def _holds_expression(value: Json) -> bool:
    if isinstance(value, str):
        return unwrap(value) is not None
    if isinstance(value, dict):
        return any(map(_holds_expression, value.values()))
    return isinstance(value, list) and any(map(_holds_expression, value))
