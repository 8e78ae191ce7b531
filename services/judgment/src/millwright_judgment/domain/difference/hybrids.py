"""Hybrids: an earlier version of a ruleset with some of the edits that lead to the later one.

What an edit does is learned by making it. A hybrid that would be no sound ruleset, such as one whose rule puts out an
outcome that is not among its levels yet, is none.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import TypeVar

from millwright_judgment.domain.difference.edits import Edit, EditKind, diff
from millwright_judgment.domain.evaluation.rows import Evaluator
from millwright_judgment.domain.ruleset.conditions import ConditionMismatch, resolve
from millwright_judgment.domain.ruleset.fields import Field
from millwright_judgment.domain.ruleset.model import Column, Rule, Ruleset, Table, constant_value
from millwright_judgment.domain.ruleset.outputs import Output

CONDITIONS = frozenset({EditKind.CONDITION_TIGHTENED, EditKind.CONDITION_LOOSENED, EditKind.CONDITION_SHIFTED})
_ATTRIBUTES = {"levels": "levels", "outputs": "roles", "actions": "actions", "default": "default"}
"""The settings that decide about judgments, and where a ruleset has them."""
_KEPT = 2_000
"""How many hybrids of two versions are made; of a thousand rules each, that takes a minute."""


ChosenT = TypeVar("ChosenT")


class Hybrids:
    """The rulesets between two versions, made when they are asked for."""

    def __init__(self, before: Evaluator, after: Evaluator) -> None:
        self.before = before
        self.after = after
        self.edits = tuple(_that_decide(before.ruleset, after.ruleset))
        """Those that can change a judgment."""
        self._made: dict[AbstractSet[Edit], Evaluator | None] = {frozenset(): before, frozenset(self.edits): after}

    def evaluator(self, edits: AbstractSet[Edit]) -> Evaluator | None:
        """Give the earlier version with some of the edits; None if there is no such ruleset, or too many were made."""
        if edits not in self._made:
            if len(self._made) >= _KEPT:
                return None
            ruleset = compose(self.before.ruleset, self.after.ruleset, edits)
            self._made[frozenset(edits)] = Evaluator(ruleset) if ruleset else None
        return self._made[edits]


def compose(before: Ruleset, after: Ruleset, edits: Collection[Edit]) -> Ruleset | None:
    """Give the earlier version with some of the edits; None if that is no sound ruleset."""
    settings = {edit.field for edit in edits if edit.kind is EditKind.SETTING_CHANGED}
    chosen = {
        attribute: getattr(after if key in settings else before, attribute) for key, attribute in _ATTRIBUTES.items()
    }
    changed_fields = {edit.field for edit in edits if edit.kind is EditKind.SCHEMA_CHANGED}
    ruleset = replace(
        before,
        fields=_fields(before, after, changed_fields),
        tables=tuple(_tables(before, after, edits)),
        examples=(),
        **chosen,
    )
    return ruleset if _is_sound(ruleset) else None


def _that_decide(before: Ruleset, after: Ruleset) -> Iterable[Edit]:
    """Give the edits that can change a judgment; what a change of the chain brings and takes away goes with it."""
    kept = {table.name for table in before.tables} & {table.name for table in after.tables}
    for edit in diff(before, after):
        if edit.kind is EditKind.SETTING_CHANGED and edit.field not in _ATTRIBUTES:
            continue
        if edit.table and edit.table not in kept:
            continue
        yield edit


def _fields(before: Ruleset, after: Ruleset, changed: AbstractSet[str]) -> tuple[Field, ...]:
    new = {field.name: field for field in after.fields}
    kept = [new.get(field.name) if field.name in changed else field for field in before.fields]
    known = {field.name for field in before.fields}
    added = [field for field in after.fields if field.name in changed and field.name not in known]
    return (*(field for field in kept if field is not None), *added)


def _tables(before: Ruleset, after: Ruleset, edits: Collection[Edit]) -> Iterable[Table]:
    old, new = {table.name: table for table in before.tables}, {table.name: table for table in after.tables}
    is_rechained = any(edit.kind is EditKind.TABLE_CHANGED and not edit.table for edit in edits)
    for table in (after if is_rechained else before).tables:
        if table.name in old and table.name in new:
            yield _table(old[table.name], new[table.name], [edit for edit in edits if edit.table == table.name])
        else:
            yield table


def _table(old: Table, new: Table, edits: Sequence[Edit]) -> Table:
    if not edits:
        return old
    kinds = {edit.kind for edit in edits}
    shape = new if EditKind.TABLE_CHANGED in kinds else old
    return replace(
        shape,
        inputs=_columns(shape.inputs, old.inputs, new.inputs),
        outputs=_columns(shape.outputs, old.outputs, new.outputs),
        rules=tuple(_rules(old, new, edits, is_reordered=EditKind.ORDER_CHANGED in kinds)),
    )


def _columns(first: Sequence[Column], *others: Sequence[Column]) -> tuple[Column, ...]:
    """Give the columns of both versions: one that no rule speaks of does nothing."""
    columns = {column.field: column for column in first}
    for column in (column for columns_ in others for column in columns_):
        columns.setdefault(column.field, column)
    return tuple(columns.values())


def _rules(old: Table, new: Table, edits: Sequence[Edit], *, is_reordered: bool) -> list[Rule]:
    added = {edit.rule for edit in edits if edit.kind is EditKind.RULE_ADDED}
    removed = {edit.rule for edit in edits if edit.kind is EditKind.RULE_REMOVED}
    old_rules, new_rules = {rule.id: rule for rule in old.rules}, {rule.id: rule for rule in new.rules}
    rules = [
        _rule(rule, new_rules[rule.id], edits) if rule.id in new_rules else rule
        for rule in old.rules
        if rule.id not in removed
    ]
    if is_reordered:
        places = {rule.id: place for place, rule in enumerate(new.rules)}
        moved = iter(sorted((rule for rule in rules if rule.id in places), key=lambda rule: places[rule.id]))
        rules = [next(moved) if rule.id in places else rule for rule in rules]
    return _with_added(rules, new.rules, added - old_rules.keys())


def _with_added(rules: list[Rule], new: Sequence[Rule], added: AbstractSet[str]) -> list[Rule]:
    """Put each added rule after the one that is before it in the later version, as far as that is there."""
    result, place = list(rules), 0
    for rule in new:
        if rule.id in added:
            result.insert(place, rule)
            place += 1
        else:
            place = next((at + 1 for at, each in enumerate(result) if each.id == rule.id), place)
    return result


def _rule(old: Rule, new: Rule, edits: Sequence[Edit]) -> Rule:
    conditions = {edit.field for edit in edits if edit.rule == old.id and edit.kind in CONDITIONS}
    outputs = {edit.field for edit in edits if edit.rule == old.id and edit.kind is EditKind.OUTPUT_CHANGED}
    if not conditions and not outputs:
        return old
    return replace(
        old, cells=_chosen(old.cells, new.cells, conditions), outputs=_chosen(old.outputs, new.outputs, outputs)
    )


def _chosen(old: Mapping[str, ChosenT], new: Mapping[str, ChosenT], changed: AbstractSet[str]) -> dict[str, ChosenT]:
    kept = {name: value for name, value in old.items() if name not in changed}
    return {**kept, **{name: new[name] for name in changed if name in new}}


def _is_sound(ruleset: Ruleset) -> bool:
    return _has_sound_cells(ruleset) and _has_sound_outputs(ruleset)


def _has_sound_cells(ruleset: Ruleset) -> bool:
    try:
        for table, scope in zip(ruleset.tables, ruleset.scopes, strict=True):
            for rule in table.rules:
                for name, cell in rule.cells.items():
                    if name not in scope:
                        return False
                    resolve(cell.condition, scope[name])
    except ConditionMismatch:
        return False
    return True


def _has_sound_outputs(ruleset: Ruleset) -> bool:
    put_out: list[Mapping[str, Output]] = [rule.outputs for rule in ruleset.tables[-1].rules]
    put_out += [ruleset.default] if ruleset.default else []
    return all(
        constant_value(outputs.get(ruleset.roles.outcome)) in ruleset.levels
        and _codes(outputs.get(ruleset.roles.actions)) <= ruleset.actions.keys()
        for outputs in put_out
    )


def _codes(output: Output | None) -> set[str]:
    value = constant_value(output)
    return {str(code) for code in value} if isinstance(value, list) else set() if value is None else {str(value)}
