"""Runtime expressions: the `${ … }` of a template replaced by what jq makes of them.

An expression that is provably linear in its input runs here; any other runs in the sandbox. jq gets the variables as
part of its input, so that a program is compiled once and not anew for each value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any

import jq
from millwright_runtime.json import Json, to_text

from millwright_workflow.domain.definition import is_bounded, unwrap, variables
from millwright_workflow.domain.interpreter import Evaluate, errors
from millwright_workflow.engine.running.driver import Caller
from millwright_workflow.engine.sandbox.pool import Sandbox, SandboxFault

_REMEMBERED = 4096


@dataclass(frozen=True, slots=True)
class Program:
    """An expression, made ready."""

    text: str
    names: tuple[str, ...]
    """The variables that it takes from its input, in this order after the data."""
    compiled: Any
    """None if it runs in the sandbox."""

    def input(self, data: Json, known: Mapping[str, Json]) -> str:
        """Give what the program runs on."""
        return to_text([data, *(known[name] for name in self.names)])


class Expressions:
    """Evaluates templates."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def carry_out(self, caller: Caller, effect: Evaluate) -> Json:
        """Evaluate for a task; see `evaluate`."""
        return await self.evaluate(effect, caller.instance.tenant)

    async def evaluate(self, effect: Evaluate, tenant: str = "") -> Json:
        """Give the template with each expression replaced by its value; throw an expression fault."""
        values: dict[str, Json] = {}
        for expression in expressions_in(effect.template):
            if expression not in values:
                values[expression] = await self._value(expression, effect, tenant)
        return _filled(effect.template, values)

    async def _value(self, expression: str, effect: Evaluate, tenant: str) -> Json:
        program = prepare(expression, frozenset(effect.variables))
        try:
            data = program.input(effect.input, effect.variables)
            if program.compiled is None:
                return await self._sandbox.evaluate(program.text, data, tenant)
            value: Json = next(islice(program.compiled.input_text(data), 1), None)
        except (ValueError, SandboxFault) as error:
            raise errors.expression(effect.instance, f"{_shortened(expression)}: {error}") from None
        return value


@lru_cache(maxsize=_REMEMBERED)
def prepare(expression: str, known: frozenset[str]) -> Program:
    """Make an expression ready that may use the variables `known`; raise ValueError if it does not compile.

    One that uses another, such as `$ENV`, does not run here: this process has an environment.
    """
    used = variables(expression)
    names = tuple(sorted(known & used))
    text = wrap(expression, names)
    return Program(text, names, jq.compile(text) if used <= known and is_bounded(expression) else None)


def wrap(expression: str, names: tuple[str, ...]) -> str:
    """Give the program that takes its data and its variables from one array."""
    return f". as [$__data{''.join(f', ${name}' for name in names)}] | $__data | (\n{expression}\n)"


def expressions_in(template: Json) -> Iterator[str]:
    """Give the expressions in a template, depth first."""
    match template:
        case str():
            if (expression := unwrap(template)) is not None:
                yield expression
        case dict():
            for value in template.values():
                yield from expressions_in(value)
        case list():
            for value in template:
                yield from expressions_in(value)


def _filled(template: Json, values: Mapping[str, Json]) -> Json:
    match template:
        case str():
            expression = unwrap(template)
            return template if expression is None else values[expression]
        case dict():
            return {key: _filled(value, values) for key, value in template.items()}
        case list():
            return [_filled(value, values) for value in template]
        case _:
            return template


def _shortened(expression: str) -> str:
    return expression if len(expression) <= 80 else f"{expression[:79]}…"
