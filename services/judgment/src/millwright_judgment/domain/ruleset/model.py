"""A ruleset as it judges: schema, tables and what surrounds them. Frozen, and free of faults once it is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from millwright_runtime.json import Json

from millwright_judgment.domain.findings import Code
from millwright_judgment.domain.ruleset.conditions import ANYTHING, Condition, resolve
from millwright_judgment.domain.ruleset.derivation import derived_field
from millwright_judgment.domain.ruleset.fields import Field
from millwright_judgment.domain.ruleset.outputs import Constant, Output
from millwright_judgment.domain.ruleset.predicates import Predicate

DEFAULT_LEVELS = ("normal", "warning", "critical")
DEFAULT_BLOCKING = frozenset({Code.EXAMPLE_FAILED, Code.SHADOWED_ROW, Code.UNREACHABLE_ROW})


class HitPolicy(StrEnum):
    """Which of the rules that match speaks."""

    FIRST = "first"
    """The first."""
    COLLECT = "collect"
    """All: the outcome is the most severe, decided by the first rule that has it, and the actions are everybody's."""


class Acknowledgement(StrEnum):
    """When a caller is told of a judgment."""

    STORED = "stored"
    """Once it is stored."""
    RECEIVED = "received"
    """At once: faster, and what a crash finds unstored is lost."""


@dataclass(frozen=True, slots=True)
class Cell:
    """An input cell: as it was written, and what it says."""

    text: str
    condition: Condition


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table."""

    id: str
    """What the rules of a GoRules file name their cells by."""
    name: str
    field: str


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of a table."""

    id: str
    description: str
    cells: Mapping[str, Cell]
    """By field; those that let everything through are left out."""
    outputs: Mapping[str, Output]
    """By field; empty cells are left out."""

    def condition(self, name: str) -> Condition:
        """Give what the rule says of a field."""
        cell = self.cells.get(name)
        return cell.condition if cell else ANYTHING


@dataclass(frozen=True, slots=True)
class Table:
    """A decision table."""

    id: str
    """The node's id."""
    name: str
    hit_policy: HitPolicy
    passes_through: bool
    """True if the next table, and the result, see the table's input beside its outputs."""
    inputs: tuple[Column, ...]
    outputs: tuple[Column, ...]
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Roles:
    """Which output fields of the last table are what."""

    outcome: str = "outcome"
    confidence: str = "confidence"
    actions: str = "actions"
    explanations: Mapping[str, str] = field(default_factory=dict, hash=False)
    """The output field of the template, by language."""

    @property
    def fields(self) -> frozenset[str]:
        """Give all fields that have a role."""
        return frozenset({self.outcome, self.confidence, self.actions, *self.explanations.values()})


@dataclass(frozen=True, slots=True)
class Action:
    """Something that is to be done."""

    code: str
    priority: int
    """1 is the most urgent."""
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)
    """In words, by language."""


@dataclass(frozen=True, slots=True)
class Example:
    """An input and what is to come of it: the ruleset's own test."""

    name: str
    input: Mapping[str, Json]
    outcome: str | None
    """The outcome expected; INDETERMINATE, NO_MATCH and ERROR count as such; None for any."""
    rule: str | None
    """The rule that is to decide; None for any."""


@dataclass(frozen=True)
class Ruleset:
    """A ruleset that can be judged with."""

    namespace: str
    name: str
    version: str
    fields: tuple[Field, ...]
    tables: tuple[Table, ...]
    titles: Mapping[str, str] = field(default_factory=dict)
    levels: tuple[str, ...] = DEFAULT_LEVELS
    """The outcomes there are, the least severe first."""
    roles: Roles = Roles()
    actions: Mapping[str, Action] = field(default_factory=dict)
    default: Mapping[str, Output] = field(default_factory=dict)
    """What is put out if no rule of the last table matches; empty for NO_MATCH."""
    examples: tuple[Example, ...] = ()
    blocking: frozenset[Code] = DEFAULT_BLOCKING
    """Which findings of the analysis block publication."""
    acknowledgement: Acknowledgement = Acknowledgement.STORED

    @property
    def id(self) -> str:
        """Give what names the ruleset: `namespace.name`."""
        return f"{self.namespace}.{self.name}"

    @cached_property
    def scopes(self) -> tuple[Mapping[str, Field], ...]:
        """Give for each table the fields that its rules can speak of: of the input, and put out by tables before."""
        scopes: list[Mapping[str, Field]] = []
        scope: Mapping[str, Field] = {each.name: each for each in self.fields}
        for table in self.tables:
            scopes.append(scope)
            put_out = {column.field: derived_field(column.field, table.rules) for column in table.outputs}
            known = {name: derived for name, derived in put_out.items() if derived is not None}
            kept = scope if table.passes_through else {}
            scope = {**{name: each for name, each in kept.items() if name not in put_out}, **known}
        return tuple(scopes)

    @property
    def rules(self) -> Iterator[tuple[Table, Rule]]:
        """Give all rules in the order of the tables: the order of the bits of a matched mask."""
        for table in self.tables:
            for rule in table.rules:
                yield table, rule

    @cached_property
    def rule_ids(self) -> tuple[str, ...]:
        """Give the ids of all rules, in the order of the bits of a matched mask."""
        return tuple(rule.id for _, rule in self.rules)

    def predicate(self, table: int, rule: Rule, name: str) -> Predicate:
        """Give the values of a field that a rule of a table lets through."""
        return resolve(rule.condition(name), self.scopes[table][name])

    def level(self, outcome: str) -> int:
        """Give an outcome's place in the order of levels, from 0."""
        return self.levels.index(outcome)


def constant_value(output: Output | None) -> Json:
    """Give what a cell spells out; None for an empty one."""
    return output.value if isinstance(output, Constant) else None
