"""Edits: the atomic differences of two versions of a ruleset.

Tables are matched by their names, rules by their ids: a rule that moved is one edit, and one that was renamed is two.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from millwright_runtime.json import to_text

from millwright_judgment.domain.ruleset import canonical, predicates
from millwright_judgment.domain.ruleset.model import Rule, Ruleset, Table
from millwright_judgment.domain.ruleset.outputs import Output, Reference
from millwright_judgment.domain.ruleset.predicates import Predicate


class EditKind(StrEnum):
    """What kind of edit it is."""

    CONDITION_TIGHTENED = "CONDITION_TIGHTENED"
    CONDITION_LOOSENED = "CONDITION_LOOSENED"
    CONDITION_SHIFTED = "CONDITION_SHIFTED"
    OUTPUT_CHANGED = "OUTPUT_CHANGED"
    RULE_ADDED = "RULE_ADDED"
    RULE_REMOVED = "RULE_REMOVED"
    ORDER_CHANGED = "ORDER_CHANGED"
    SCHEMA_CHANGED = "SCHEMA_CHANGED"
    TABLE_CHANGED = "TABLE_CHANGED"
    SETTING_CHANGED = "SETTING_CHANGED"


@dataclass(frozen=True, slots=True)
class Edit:
    """One atomic difference."""

    kind: EditKind
    table: str = ""
    """The table's name; empty for what is about none."""
    rule: str = ""
    field: str = ""
    before: str = ""
    """As it was: a cell, or JSON."""
    after: str = ""


_SETTINGS = ("levels", "outputs", "actions", "default", "acknowledge", "blocking")
"""The keys of a document, beside schema and tables, that decide about judgments or about how they are made."""


def diff(before: Ruleset, after: Ruleset) -> list[Edit]:
    """Give the edits that lead to the later version, in its order; what was removed comes last."""
    return [
        *_of_schema(before, after),
        *_of_settings(before, after),
        *_of_tables(before, after),
    ]


def _of_schema(before: Ruleset, after: Ruleset) -> Iterator[Edit]:
    old, new = _fields(before), _fields(after)
    for name in [*new, *(name for name in old if name not in new)]:
        if old.get(name) != new.get(name):
            yield Edit(EditKind.SCHEMA_CHANGED, field=name, before=old.get(name, ""), after=new.get(name, ""))


def _fields(ruleset: Ruleset) -> dict[str, str]:
    inputs: Any = canonical.to_document(ruleset)["inputs"]
    return {field["field"]: to_text(field) for field in inputs}


def _of_settings(before: Ruleset, after: Ruleset) -> Iterator[Edit]:
    old, new = canonical.to_document(before), canonical.to_document(after)
    for key in _SETTINGS:
        if old.get(key) != new.get(key):
            yield Edit(EditKind.SETTING_CHANGED, field=key, before=_json(old, key), after=_json(new, key))


def _json(document: Mapping[str, Any], key: str) -> str:
    return to_text(document[key]) if key in document else ""


def _of_tables(before: Ruleset, after: Ruleset) -> Iterator[Edit]:
    old = {table.name: place for place, table in enumerate(before.tables)}
    new = {table.name: place for place, table in enumerate(after.tables)}
    if list(old) != list(new):
        yield Edit(EditKind.TABLE_CHANGED, before=to_text(list(old)), after=to_text(list(new)))
    for name, place in new.items():
        if name in old:
            yield from _TablePair(before, old[name], after, place).edits()
        else:
            yield from (_added(name, rule) for rule in after.tables[place].rules)
    for name, place in old.items():
        if name not in new:
            yield from (_removed(name, rule) for rule in before.tables[place].rules)


class _TablePair:
    """One table in both versions."""

    def __init__(self, before: Ruleset, old_place: int, after: Ruleset, new_place: int) -> None:
        self._before, self._old_place = before, old_place
        self._after, self._new_place = after, new_place
        self._old, self._new = before.tables[old_place], after.tables[new_place]
        self._old_rules = {rule.id: rule for rule in self._old.rules}
        self._new_rules = {rule.id: rule for rule in self._new.rules}

    def edits(self) -> Iterator[Edit]:
        """Give the edits of the table."""
        name = self._new.name
        old_shape, new_shape = _shape(self._old), _shape(self._new)
        if old_shape != new_shape:
            yield Edit(EditKind.TABLE_CHANGED, table=name, before=old_shape, after=new_shape)
        kept_old = [rule for rule in self._old_rules if rule in self._new_rules]
        kept_new = [rule for rule in self._new_rules if rule in self._old_rules]
        if kept_old != kept_new:
            yield Edit(EditKind.ORDER_CHANGED, table=name, before=to_text(kept_old), after=to_text(kept_new))
        for rule in self._new.rules:
            if rule.id in self._old_rules:
                yield from self._of_rule(self._old_rules[rule.id], rule)
            else:
                yield _added(name, rule)
        for rule in self._old.rules:
            if rule.id not in self._new_rules:
                yield _removed(name, rule)

    def _of_rule(self, old: Rule, new: Rule) -> Iterator[Edit]:
        for field in [*new.cells, *(field for field in old.cells if field not in new.cells)]:
            kind = self._kind_of_cell(old, new, field)
            if kind is not None:
                yield Edit(kind, self._new.name, new.id, field, _cell(old, field), _cell(new, field))
        for field in [*new.outputs, *(field for field in old.outputs if field not in new.outputs)]:
            before, after = old.outputs.get(field), new.outputs.get(field)
            if before != after:
                kind = EditKind.OUTPUT_CHANGED
                yield Edit(kind, self._new.name, new.id, field, _output(before), _output(after))

    def _kind_of_cell(self, old: Rule, new: Rule, field: str) -> EditKind | None:
        """Give how a condition changed; None if it lets through what it did, however it is written."""
        before, after = self._predicate_before(old, field), self._predicate_after(new, field)
        if before == after:
            return None
        if before is None or after is None or type(before.values) is not type(after.values):
            return EditKind.CONDITION_SHIFTED  # the field changed its type, or is there in one version alone
        if predicates.is_within(after, before):
            return EditKind.CONDITION_TIGHTENED
        return EditKind.CONDITION_LOOSENED if predicates.is_within(before, after) else EditKind.CONDITION_SHIFTED

    def _predicate_before(self, rule: Rule, field: str) -> Predicate | None:
        is_known = field in self._before.scopes[self._old_place]
        return self._before.predicate(self._old_place, rule, field) if is_known else None

    def _predicate_after(self, rule: Rule, field: str) -> Predicate | None:
        is_known = field in self._after.scopes[self._new_place]
        return self._after.predicate(self._new_place, rule, field) if is_known else None


def _shape(table: Table) -> str:
    """Give what a table is besides its rules, as JSON."""
    return to_text(
        {
            "hitPolicy": str(table.hit_policy),
            "passThrough": table.passes_through,
            "inputs": [column.field for column in table.inputs],
            "outputs": [column.field for column in table.outputs],
        }
    )


def _added(table: str, rule: Rule) -> Edit:
    return Edit(EditKind.RULE_ADDED, table, rule.id, after=_written(rule))


def _removed(table: str, rule: Rule) -> Edit:
    return Edit(EditKind.RULE_REMOVED, table, rule.id, before=_written(rule))


def _written(rule: Rule) -> str:
    """Give a whole rule as JSON."""
    cells = {field: cell.text for field, cell in rule.cells.items()}
    return to_text({"conditions": cells, "outputs": {field: _output(put) for field, put in rule.outputs.items()}})


def _cell(rule: Rule, field: str) -> str:
    return rule.cells[field].text if field in rule.cells else ""


def _output(value: Output | None) -> str:
    if value is None:
        return ""
    return value.field if isinstance(value, Reference) else value.json
