"""Judges one input at a time.

`Evaluator` compiles a ruleset once into two small functions, one that checks an input and one that matches it; both are
put together from numbers and checked names alone, never from the text of a cell. It holds no state but a bounded
store of decisions, and may be shared by threads.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from millwright_runtime.json import Json

from millwright_judgment.domain.evaluation import index
from millwright_judgment.domain.evaluation.decisions import (
    INDETERMINATE,
    Decision,
    DecisionTable,
    explanations_of,
    outputs_of,
)
from millwright_judgment.domain.evaluation.index import ColumnIndex, NumberIndex, TableIndex
from millwright_judgment.domain.input.check import Checked, Checker, InputProblem, Refused, Values
from millwright_judgment.domain.ruleset.fields import FieldType
from millwright_judgment.domain.ruleset.model import Ruleset

_KEPT_DECISIONS = 10_000
"""How many ways of matching are kept where there are more than rules: with `collect`, and through several tables."""


class Judgment(NamedTuple):
    """What a ruleset says of one input."""

    decision: Decision
    matched: int
    """Bit i is rule i of `Ruleset.rule_ids`."""
    values: Values
    """The input as it was judged, in the order of the schema."""
    problems: tuple[InputProblem, ...] = ()
    """Why it is INDETERMINATE."""


class Evaluator:
    """A ruleset that is ready to judge."""

    def __init__(self, ruleset: Ruleset) -> None:
        self.ruleset = ruleset
        self.checker = Checker(ruleset.fields)
        self.names = tuple(field.name for field in ruleset.fields)
        self.indexes = index.build(ruleset)
        self.decisions = DecisionTable(ruleset)
        self.matched_bytes = (len(ruleset.rule_ids) + 7) // 8
        self._kept: dict[tuple[int, ...], Decision] = {}
        self._sound_values = self.checker.sound_values
        self._match = self._compile()

    def judge(self, given: Mapping[str, object]) -> Judgment | Refused:
        """Check an input and judge it; what is wrong with a refused one is in the refusal."""
        values = self._sound_values(given)
        if values is None:
            return self._judge_closely(given)
        decision, matched = self._match(values)
        return Judgment(decision, matched, values)

    def _judge_closely(self, given: Mapping[str, object]) -> Judgment | Refused:
        checked = self.checker.look_closely(given)
        if isinstance(checked, Checked):
            return self.judge_values(checked.values)
        if isinstance(checked, Refused):
            return checked
        return Judgment(INDETERMINATE, 0, checked.values, checked.problems)

    def judge_values(self, values: Values) -> Judgment:
        """Judge an input that was checked already."""
        decision, matched = self._match(values)
        return Judgment(decision, matched, values)

    def matched_rules(self, matched: int) -> tuple[str, ...]:
        """Give the ids of the rules of a matched mask, in the order of the tables."""
        return tuple(rule for bit, rule in enumerate(self.ruleset.rule_ids) if matched >> bit & 1)

    def matched_bits(self, matched: int) -> bytes:
        """Give a matched mask as it is stored: rule 0 is the lowest bit of the first byte."""
        return matched.to_bytes(self.matched_bytes, "little")

    def outputs(self, judgment: Judgment) -> dict[str, Json]:
        """Give a judgment's further outputs, by field."""
        return outputs_of(judgment.decision, self.names, judgment.values)

    def explanations(self, judgment: Judgment) -> dict[str, str]:
        """Give a judgment's explanation, by language."""
        return explanations_of(judgment.decision, self.ruleset, judgment.values)

    def decide(self, mask: int, winners: Sequence[int]) -> Decision:
        """Give the decision for the last table's mask and the winners of the tables before."""
        key = (mask, *(winners[table] for table in self.decisions.earlier_tables))
        found = self._kept.get(key)
        if found is None:
            found = self.decisions.decide(mask, winners)
            if len(self._kept) < _KEPT_DECISIONS:
                self._kept[key] = found
        return found

    def _compile(self) -> Callable[[Values], tuple[Decision, int]]:
        constants: dict[str, Any] = {"bisect": bisect_right, "decide": self.decide}
        lines = ["def match(values):"]
        used = {column.input for table in self.indexes for column in table.columns}
        if self.names:
            lines.append(f" {''.join(f'v{i}, ' if i in used else '_, ' for i in range(len(self.names)))}= values")
        for number, table in enumerate(self.indexes):
            lines.append(f" m{number} = {_matched(number, table, constants)}")
            if number < len(self.indexes) - 1:
                lines.append(f" w{number} = (m{number} & -m{number}).bit_length() - 1")
        lines.append(f" return {self._decided(constants)}, {self._whole_mask()}")
        exec("\n".join(lines), constants)  # noqa: S102 - names and numbers of ours alone
        match: Callable[[Values], tuple[Decision, int]] = constants["match"]
        return match

    def _decided(self, constants: dict[str, Any]) -> str:
        last = len(self.indexes) - 1
        if self.decisions.is_collecting or self.decisions.earlier_tables:
            winners = "".join(f"w{number}, " for number in range(last))
            return f"decide(m{last}, ({winners}))"
        rules = self.indexes[last].rules
        # The first rule's bit, by its number; none is number -1, the last entry.
        constants["decisions"] = [*(self.decisions.decide(1 << rule, (-1,) * last) for rule in range(rules)), None]
        constants["decisions"][-1] = self.decisions.decide(0, (-1,) * last)
        return f"decisions[(m{last} & -m{last}).bit_length() - 1]"

    def _whole_mask(self) -> str:
        shifts, first_bit = [], 0
        for number, table in enumerate(self.indexes):
            shifts.append(f"m{number} << {first_bit}" if first_bit else f"m{number}")
            first_bit += table.rules
        return " | ".join(shifts)


def _matched(number: int, table: TableIndex, constants: dict[str, Any]) -> str:
    """Write the expression of a table's matched mask, and put what it reads into `constants`."""
    terms = [_term(f"{number}_{place}", column, constants) for place, column in enumerate(table.columns)]
    for source, masks in table.derived.items():
        name = f"d{number}_{source}"
        constants[name] = masks
        terms.append(f"{name}[w{source}]")
    return " & ".join(terms) if terms else str(table.all_mask)


def _term(name: str, column: ColumnIndex, constants: dict[str, Any]) -> str:
    value = f"v{column.input}"
    found = column.index
    if isinstance(found, NumberIndex):
        constants[f"m_{name}"] = found.masks
        if column.field.type is FieldType.BOOLEAN:
            constants[f"m_{name}"] = tuple(found.masks[bisect_right(found.bounds, step)] for step in (0, 1))
            term = f"m_{name}[{value}]"
        else:
            constants[f"b_{name}"] = tuple(column.field.scalar(bound) for bound in found.bounds)
            term = f"m_{name}[bisect(b_{name}, {value})]"
    else:
        constants[f"m_{name}"] = found.masks.get
        term = f"m_{name}({value}, {found.other_mask})"
    return f"({found.null_mask} if {value} is None else {term})" if column.field.is_nullable else term
