"""The whole explanation of one judgment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from millwright_judgment.domain.evaluation.rows import Evaluator, Judgment
from millwright_judgment.domain.explanation.counterfactuals import Counterfactual, counterfactuals
from millwright_judgment.domain.explanation.traces import NearMiss, RuleTrace, near_misses, trace_rules
from millwright_judgment.domain.explanation.words import in_words


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a judgment is as it is."""

    rules: tuple[RuleTrace, ...]
    """Every rule of every table; none if the input is INDETERMINATE."""
    near_misses: tuple[NearMiss, ...]
    counterfactuals: tuple[Counterfactual, ...]
    texts: Mapping[str, str]
    """In words, by language."""


def explain(evaluator: Evaluator, judgment: Judgment) -> Explanation:
    """Explain a judgment of the evaluator's ruleset."""
    rules = trace_rules(evaluator.ruleset, judgment)
    misses = near_misses(evaluator.ruleset, rules)
    changes = counterfactuals(evaluator, judgment)
    return Explanation(rules, misses, changes, in_words(evaluator.ruleset, judgment, rules, misses, changes))
