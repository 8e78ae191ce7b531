"""Reads decision tables: their columns, rules and cells, each fault with the cell's address."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from millwright_judgment.domain.findings import Code
from millwright_judgment.domain.ruleset import cells, outputs
from millwright_judgment.domain.ruleset.cells import CellFault
from millwright_judgment.domain.ruleset.conditions import ANYTHING, ConditionMismatch, resolve
from millwright_judgment.domain.ruleset.derivation import derived_field
from millwright_judgment.domain.ruleset.fields import Field
from millwright_judgment.domain.ruleset.graph import TableNode
from millwright_judgment.domain.ruleset.limits import CELL_CHARACTERS, COLUMNS, ROWS
from millwright_judgment.domain.ruleset.model import Cell, Column, HitPolicy, Rule, Table
from millwright_judgment.domain.ruleset.outputs import Output, Reference
from millwright_judgment.domain.ruleset.predicates import Texts
from millwright_judgment.domain.ruleset.reader import IDENTIFIER, Reader, Steps

RULE_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,63}", re.ASCII)
_ID_HINT = "Name a rule by at most 64 letters, digits and any of _ . : - here."
_FIELD_HINT = "Name one field by letters, digits and underscores: paths and expressions as columns cannot be analysed."


@dataclass(frozen=True, slots=True)
class Place:
    """Where a cell stands, for findings."""

    at: Steps
    table: str
    rule: str
    field: str


def read_tables(
    reader: Reader, nodes: Sequence[TableNode], fields: Sequence[Field]
) -> tuple[tuple[Table, ...], Mapping[str, Steps]]:
    """Read the tables in the order they judge, and where each rule stands, by its id."""
    places: dict[str, Steps] = {}
    scope: Mapping[str, Field] = {field.name: field for field in fields}
    inputs = frozenset(scope)
    taken = set(scope)
    tables = []
    rows = 0
    for node in nodes:
        reading = _TableReading(reader, node, scope, inputs, frozenset(taken), places)
        table = reading.read(is_last=node is nodes[-1])
        tables.append(table)
        taken |= {column.field for column in table.outputs}
        rows += len(table.rules)
        put_out = {column.field: derived_field(column.field, table.rules) for column in table.outputs}
        kept = scope if table.passes_through else {}
        scope = {
            **{name: field for name, field in kept.items() if name not in put_out},
            **{name: field for name, field in put_out.items() if field is not None},
        }
        inputs = frozenset(name for name in inputs if table.passes_through and name not in put_out)
    if rows > ROWS:
        reader.note(
            Code.TOO_MANY, nodes[0].at, f"Keep at most {ROWS:,} rules in all tables together; there are {rows:,}."
        )
    return tuple(tables), places


class _TableReading:
    """Reads one table."""

    def __init__(
        self,
        reader: Reader,
        node: TableNode,
        scope: Mapping[str, Field],
        inputs: frozenset[str],
        taken: frozenset[str],
        places: dict[str, Steps],
    ) -> None:
        self._reader = reader
        self._node = node
        self._at: Steps = (*node.at, "content")
        self._scope = scope
        self._inputs = inputs
        self._taken = taken
        self._places = places

    def read(self, *, is_last: bool) -> Table:
        content = self._node.content
        policy = self._hit_policy(content.get("hitPolicy"), is_last=is_last)
        for key, allowed in (
            ("inputField", (None, "")),
            ("outputPath", (None, "")),
            ("executionMode", (None, "single")),
        ):
            if content.get(key) not in allowed:
                self._note(Code.INVALID_VALUE, key, f"Leave {key} empty: a table judges one whole input.")
        passes = content.get("passThrough", False)
        if not isinstance(passes, bool):
            self._note(Code.WRONG_TYPE, "passThrough", "Write true or false here.")
        inputs = self._columns("inputs")
        for index, column in enumerate(inputs):
            if column.field not in self._scope:
                message = f"The field {column.field} is not in the schema, and no table before puts it out in one form."
                self._note(Code.UNKNOWN_FIELD, "inputs", message, index, "field", field=column.field)
        put_out = self._columns("outputs")
        for index, column in enumerate(put_out):
            if column.field in self._taken:
                # Also one that this table no longer sees: a name has one meaning in all of a ruleset's tables.
                message = f"The name {column.field} is taken by the input or an earlier table: put out another one."
                self._note(Code.DUPLICATE_FIELD, "outputs", message, index, "field", field=column.field)
        if not put_out:
            self._note(Code.OUTCOME_MISSING, "outputs", "Add at least one output column.")
        rules = self._rules(inputs, put_out)
        return Table(self._node.id, self._node.name, policy, passes is True, inputs, put_out, rules)

    def _hit_policy(self, value: Any, *, is_last: bool) -> HitPolicy:
        if value not in list(HitPolicy):
            message = "Write `first` or `collect` here; no other hit policy is known."
            self._note(Code.INVALID_HIT_POLICY, "hitPolicy", message)
            return HitPolicy.FIRST
        if value == HitPolicy.COLLECT and not is_last:
            message = "Only the last table can collect: the next one judges one result, not many."
            self._note(Code.INVALID_HIT_POLICY, "hitPolicy", message)
        return HitPolicy(value)

    def _columns(self, key: str) -> tuple[Column, ...]:
        columns: list[Column] = []
        at = (*self._at, key)
        for place, item in self._reader.list(self._node.content.get(key, []), at, COLUMNS):
            read = self._reader.object(item, place, required=("id", "field"))
            id_, field = read.get("id"), read.get("field")
            if isinstance(field, str) and field.endswith("[]"):
                message = f"The column {field[:60]} collects while the table's hit policy is its own: leave `[]` out."
                self._reader.note(Code.INVALID_HIT_POLICY, (*place, "field"), message, table=self._node.name)
                continue
            name = (
                self._reader.matching(field, (*place, "field"), IDENTIFIER, _FIELD_HINT) if field is not None else None
            )
            id_ = self._reader.text(id_, (*place, "id")) if id_ is not None else None
            if id_ is None or name is None:
                continue
            if any(name == column.field or id_ == column.id for column in columns):
                message = f"The column {name} stands twice: put both conditions into one cell."
                self._reader.note(Code.DUPLICATE_COLUMN, place, message, table=self._node.name, field=name)
                continue
            label = read.get("name")
            columns.append(Column(id_, label if isinstance(label, str) else "", name))
        return tuple(columns)

    def _rules(self, inputs: Sequence[Column], put_out: Sequence[Column]) -> tuple[Rule, ...]:
        known = {column.id for column in (*inputs, *put_out)}
        if len(known) < len(inputs) + len(put_out):
            self._note(Code.DUPLICATE_COLUMN, "outputs", "An input and an output column have one id: change one.")
        if any(finding.code is Code.INVALID_HIT_POLICY for finding in self._reader.findings):
            columns = self._node.content.get("outputs")
            listed = columns if isinstance(columns, list) else []
            known |= {str(column.get("id")) for column in listed if isinstance(column, dict)}
        rules = []
        for place, item in self._reader.list(self._node.content.get("rules", []), (*self._at, "rules"), ROWS):
            row = self._reader.object(item, place)
            rule = self._rule_id(row, place)
            for key in row:
                if key not in known and not key.startswith("_"):
                    message = f"The table has no column '{key[:60]}': remove the cell, or add the column."
                    self._reader.note(
                        Code.UNKNOWN_COLUMN, (*place, key), message, table=self._node.name, rule=rule, field=key[:60]
                    )
            description = row.get("_description") or ""
            rules.append(
                Rule(
                    rule,
                    description if isinstance(description, str) else "",
                    self._input_cells(row, place, rule, inputs),
                    self._output_cells(row, place, rule, put_out),
                )
            )
        if not rules:
            self._note(Code.OUTCOME_MISSING, "rules", "Add at least one rule.")
        return tuple(rules)

    def _rule_id(self, row: Mapping[str, Any], at: Steps) -> str:
        if not row.get("_id"):
            self._reader.note(Code.MISSING_KEY, at, "Give the rule an _id, and keep it when the rule is edited.")
            return ""
        rule = self._reader.matching(row["_id"], (*at, "_id"), RULE_ID, _ID_HINT) or ""
        if rule in self._places:
            message = f"Two rules have the id {rule}: an id names one rule of the whole ruleset, in all its versions."
            self._reader.note(Code.DUPLICATE_RULE, (*at, "_id"), message, table=self._node.name, rule=rule)
        elif rule:
            self._places[rule] = at
        return rule

    def _input_cells(self, row: Mapping[str, Any], at: Steps, rule: str, columns: Sequence[Column]) -> dict[str, Cell]:
        read = {}
        for column in columns:
            place = Place((*at, column.id), self._node.name, rule, column.field)
            text = self._cell_text(row.get(column.id), place)
            cell = self._input_cell(text, place) if text is not None else None
            if cell is not None and cell.condition != ANYTHING:
                read[column.field] = cell
        return read

    def _input_cell(self, text: str, place: Place) -> Cell | None:
        try:
            condition = cells.parse(text)
        except CellFault as fault:
            self._note_cell(Code.CELL_SYNTAX, place, str(fault))
            return None
        field = self._scope.get(place.field)
        if field is None:
            return None
        try:
            predicate = resolve(condition, field)
        except ConditionMismatch as fault:
            self._note_cell(Code.CELL_TYPE, place, str(fault))
            return None
        if field.values and isinstance(predicate.values, Texts):
            strange = sorted(predicate.values.values - set(field.values))
            if strange:
                known = ", ".join(field.values[:10])
                message = f"The field {field.name} has no value '{strange[0][:60]}'; it has {known}."
                self._note_cell(Code.CELL_OUT_OF_RANGE, place, message)
        return Cell(text.strip(), condition)

    def _output_cells(
        self, row: Mapping[str, Any], at: Steps, rule: str, columns: Sequence[Column]
    ) -> dict[str, Output]:
        read: dict[str, Output] = {}
        for column in columns:
            place = Place((*at, column.id), self._node.name, rule, column.field)
            text = self._cell_text(row.get(column.id), place)
            if text is None:
                continue
            try:
                output = outputs.parse(text)
            except CellFault as fault:
                self._note_cell(Code.CELL_SYNTAX, place, str(fault))
                continue
            if isinstance(output, Reference) and output.field not in self._inputs:
                message = f"'{output.field}' is no field of the input: put a text in quotes."
                self._note_cell(Code.UNKNOWN_FIELD, place, message)
            elif output is not None:
                read[column.field] = output
        return read

    def _cell_text(self, value: Any, place: Place) -> str | None:
        if value is None:
            return ""
        if not isinstance(value, str):
            self._note_cell(Code.WRONG_TYPE, place, "Write the cell as a text.")
            return None
        if len(value) > CELL_CHARACTERS:
            self._note_cell(Code.CELL_TOO_LONG, place, f"Shorten the cell to at most {CELL_CHARACTERS:,} characters.")
            return None
        return value

    def _note_cell(self, code: Code, place: Place, message: str) -> None:
        self._reader.note(code, place.at, message, table=place.table, rule=place.rule, field=place.field)

    def _note(self, code: Code, key: str, message: str, *more: str | int, field: str = "") -> None:
        self._reader.note(code, (*self._at, key, *more), message, table=self._node.name, field=field)
