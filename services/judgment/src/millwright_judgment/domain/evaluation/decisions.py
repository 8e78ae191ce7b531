"""Decisions: what follows once it is known which rules matched.

A decision is made from constants alone, so that it is made once for each way in which rules can match, and shared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from millwright_runtime.json import Json

from millwright_judgment.domain.input.check import Values
from millwright_judgment.domain.ruleset.model import Action, HitPolicy, Rule, Ruleset
from millwright_judgment.domain.ruleset.outputs import Constant, Output, Reference
from millwright_judgment.domain.ruleset.promises import PLACEHOLDER


class Status(StrEnum):
    """How a judgment came out."""

    DECIDED = "DECIDED"
    """A rule, or the default, gave an outcome."""
    INDETERMINATE = "INDETERMINATE"
    """Nothing can be said of the input."""
    NO_MATCH = "NO_MATCH"
    """No rule of the last table matched, and there is no default."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What a ruleset says. Two are equal if a caller sees the same."""

    status: Status
    outcome: str = ""
    level: int = -1
    """The outcome's place in the order of levels; -1 without one."""
    confidence: float = 0.0
    rule: str = ""
    """The id of the rule that decided; empty for the default, and for none."""
    rule_index: int = -1
    """Its bit in the matched mask."""
    actions: tuple[Action, ...] = ()
    """The most urgent first."""
    outputs: tuple[tuple[str, Output], ...] = ()
    """Further outputs, by field."""
    templates: Mapping[str, str] = field(default_factory=dict, compare=False)
    """Of the explanation, by language."""

    @property
    def detail(self) -> tuple[object, ...]:
        """Give all that a caller acts on beside the outcome."""
        return (self.confidence, tuple((action.code, action.priority) for action in self.actions), self.outputs)

    @property
    def label(self) -> str:
        """Give the outcome, or the status where there is none: what transitions are counted by."""
        return self.outcome or str(self.status)


Passed = tuple[tuple[str, Output], ...]
"""What tables before the last put out, by field."""

INDETERMINATE = Decision(Status.INDETERMINATE)
NO_MATCH = Decision(Status.NO_MATCH)


class DecisionTable:
    """Makes the decisions of one ruleset."""

    def __init__(self, ruleset: Ruleset) -> None:
        self._ruleset = ruleset
        self._first_bits = [0]
        for table in ruleset.tables:
            self._first_bits.append(self._first_bits[-1] + len(table.rules))
        last = ruleset.tables[-1]
        self.is_collecting = last.hit_policy is HitPolicy.COLLECT
        roles = ruleset.roles
        self._severity = [ruleset.level(str(_constant(rule.outputs.get(roles.outcome)))) for rule in last.rules]
        self.earlier_tables = tuple(self._seen_at_the_end())
        """The tables before the last whose outputs are part of the result."""
        self._default = self._decide_default()

    def decide(self, mask: int, winners: Sequence[int]) -> Decision:
        """Give the decision for the last table's matched mask and the winners of the tables before, -1 for none."""
        passed = self._passed_on(winners)
        if not mask:
            return _with(self._default, passed) if passed else self._default
        matched = _bits(mask) if self.is_collecting else [(mask & -mask).bit_length() - 1]
        winner = max(matched, key=lambda rule: (self._severity[rule], -rule))
        last = self._ruleset.tables[-1]
        return self._decided(last.rules[winner].outputs, [last.rules[rule] for rule in matched], winner, passed)

    def _decided(
        self,
        put_out: Mapping[str, Output],
        matched: Sequence[Rule],
        winner: int,
        passed: tuple[tuple[str, Output], ...],
    ) -> Decision:
        roles = self._ruleset.roles
        outcome = str(_constant(put_out.get(roles.outcome)))
        confidence = _constant(put_out.get(roles.confidence))
        given = [rule.outputs.get(roles.actions) for rule in matched] if matched else [put_out.get(roles.actions)]
        own = tuple((name, output) for name, output in sorted(put_out.items()) if name not in roles.fields)
        return Decision(
            Status.DECIDED,
            outcome,
            self._ruleset.level(outcome),
            1.0 if not isinstance(confidence, int | float) else float(confidence),
            self._ruleset.tables[-1].rules[winner].id if winner >= 0 else "",
            self._first_bits[-2] + winner if winner >= 0 else -1,
            self._actions(given),
            (*own, *passed),
            {
                language: str(_constant(put_out[name]))
                for language, name in roles.explanations.items()
                if name in put_out
            },
        )

    def _actions(self, given: Sequence[Output | None]) -> tuple[Action, ...]:
        codes: dict[str, None] = {}
        for output in given:
            value = _constant(output)
            listed = value if isinstance(value, list) else [value] if value is not None else []
            codes.update({str(code): None for code in listed})
        found = [self._ruleset.actions[code] for code in codes]
        return tuple(sorted(found, key=lambda action: action.priority))

    def _decide_default(self) -> Decision:
        return self._decided(self._ruleset.default, [], -1, ()) if self._ruleset.default else NO_MATCH

    def _seen_at_the_end(self) -> Sequence[int]:
        seen: list[int] = []
        for index, table in enumerate(self._ruleset.tables):
            seen = ([*seen] if table.passes_through else []) + [index]
        return seen[:-1]

    def _passed_on(self, winners: Sequence[int]) -> Passed:
        passed: dict[str, Output] = {}
        for index in self.earlier_tables:
            if winners[index] >= 0:
                passed.update(self._ruleset.tables[index].rules[winners[index]].outputs)
        return tuple(sorted(passed.items()))


def outputs_of(decision: Decision, names: Sequence[str], values: Values) -> dict[str, Json]:
    """Give a decision's further outputs for the input it was made on; `names` are those of the input's fields."""
    found: dict[str, Json] = {}
    for name, output in decision.outputs:
        found[name] = values[names.index(output.field)] if isinstance(output, Reference) else output.value
    return found


def explanations_of(decision: Decision, ruleset: Ruleset, values: Values) -> dict[str, str]:
    """Fill in a decision's templates, by language: `{field}` is the value judged, or what an earlier table put out."""
    known: dict[str, Json] = {field.name: value for field, value in zip(ruleset.fields, values, strict=True)}
    known |= outputs_of(decision, tuple(field.name for field in ruleset.fields), values)
    return {
        language: PLACEHOLDER.sub(lambda found: _written(known.get(found[1])), template)
        for language, template in decision.templates.items()
    }


def _written(value: Json) -> str:
    return "-" if value is None else f"{value:.15g}" if isinstance(value, float) else str(value)


def _with(decision: Decision, passed: Passed) -> Decision:
    return replace(decision, outputs=(*decision.outputs, *passed))


def _constant(output: Output | None) -> Json:
    return output.value if isinstance(output, Constant) else None


def _bits(mask: int) -> list[int]:
    bits = []
    while mask:
        lowest = mask & -mask
        bits.append(lowest.bit_length() - 1)
        mask ^= lowest
    return bits
