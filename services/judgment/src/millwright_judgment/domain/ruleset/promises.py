"""Checks what is put out at the end: an outcome of the levels, a confidence, known actions, templates."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from millwright_judgment.domain.findings import Code
from millwright_judgment.domain.ruleset.graph import TableNode
from millwright_judgment.domain.ruleset.model import Ruleset
from millwright_judgment.domain.ruleset.outputs import Constant, Output
from millwright_judgment.domain.ruleset.reader import Reader, Steps

PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


def check_promises(reader: Reader, ruleset: Ruleset, last: TableNode, places: Mapping[str, Steps]) -> None:
    """Note every rule of the last table whose outputs are not what their roles ask for, and the same of the default."""
    table = ruleset.tables[-1]
    put_out = {column.field: column.id for column in table.outputs}
    if ruleset.roles.outcome not in put_out:
        message = f"Give the last table a column {ruleset.roles.outcome}: it says how an input is judged."
        reader.note(Code.OUTCOME_MISSING, (*last.at, "content", "outputs"), message, table=last.name)
        return
    for rule in table.rules:
        at = places.get(rule.id)
        if at is not None:
            check = _Check(reader, ruleset, {name: (*at, id_) for name, id_ in put_out.items()}, last.name, rule.id)
            check.outputs(rule.outputs)
    if ruleset.default:
        check = _Check(reader, ruleset, {name: ("default", name) for name in (*put_out, *ruleset.default)}, "", "")
        check.outputs(ruleset.default)
        for name in ruleset.default:
            if name not in put_out:
                reader.note(Code.UNKNOWN_COLUMN, ("default", name), f"The last table has no output column {name}.")


class _Check:
    """Checks what one rule puts out."""

    def __init__(self, reader: Reader, ruleset: Ruleset, places: Mapping[str, Steps], table: str, rule: str) -> None:
        self._reader = reader
        self._ruleset = ruleset
        self._places = places
        self._table = table
        self._rule = rule

    def outputs(self, put_out: Mapping[str, Output]) -> None:
        roles = self._ruleset.roles
        if roles.outcome not in put_out:
            self._note(Code.OUTCOME_MISSING, roles.outcome, "Say how the input is judged: the cell is empty or wrong.")
        elif self._constant(put_out, roles.outcome) not in self._ruleset.levels:
            known = ", ".join(f'"{level}"' for level in self._ruleset.levels)
            self._note(Code.CELL_TYPE, roles.outcome, f"Write one of the outcomes {known} here.")
        confidence = self._constant(put_out, roles.confidence) if roles.confidence in put_out else 1
        if isinstance(confidence, bool) or not isinstance(confidence, int | float) or not 0 <= confidence <= 1:
            self._note(Code.CELL_TYPE, roles.confidence, "Write a number from 0 to 1 here.")
        if roles.actions in put_out:
            self._actions(self._constant(put_out, roles.actions))
        for name in roles.explanations.values():
            if name in put_out:
                self._template(name, self._constant(put_out, name))

    def _actions(self, value: Any) -> None:
        codes = [value] if isinstance(value, str) else value
        if not isinstance(codes, list) or not all(isinstance(code, str) for code in codes):
            self._note(
                Code.CELL_TYPE, self._ruleset.roles.actions, 'Write a list of actions such as ["stop-line"] here.'
            )
            return
        for code in codes:
            if code not in self._ruleset.actions:
                message = f"Add the action '{code[:60]}' to the document's `actions`, or correct it."
                self._note(Code.CELL_OUT_OF_RANGE, self._ruleset.roles.actions, message)

    def _template(self, name: str, value: Any) -> None:
        if not isinstance(value, str):
            self._note(Code.CELL_TYPE, name, "Write a text in quotes here.")
            return
        known = self._ruleset.scopes[-1]
        for field in PLACEHOLDER.findall(value):
            if field not in known:
                message = f"The template names {{{field[:60]}}}, which the table does not see."
                self._note(Code.UNKNOWN_FIELD, name, message)

    def _constant(self, put_out: Mapping[str, Output], name: str) -> Any:
        output = put_out[name]
        return output.value if isinstance(output, Constant) else None

    def _note(self, code: Code, name: str, message: str) -> None:
        at = self._places.get(name, ("default", name))
        self._reader.note(code, at, message, table=self._table, rule=self._rule, field=name)
