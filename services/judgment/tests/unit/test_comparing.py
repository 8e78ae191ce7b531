"""Pages judged again: what is counted is what judging them one by one gives."""

import dataclasses
import json
from collections import Counter
from random import Random

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from judgment_samples.chance import mutated, random_document, random_inputs
from judgment_samples.documents import FIELDS, reading, ruleset, weld, weld_rows
from judgment_samples.pages import ids, page
from millwright_judgment.domain.difference.causes import CauseKind, Causes
from millwright_judgment.domain.difference.comparison import Change, change_of, label_of
from millwright_judgment.domain.difference.hybrids import Hybrids
from millwright_judgment.domain.evaluation.columns import ColumnEvaluator
from millwright_judgment.domain.evaluation.rows import Evaluator
from millwright_judgment.domain.input.changes import InputChange, Operation, change_columns, change_input
from millwright_judgment.domain.input.decoding import decode, text_column, to_columns
from millwright_judgment.domain.replays.comparing import Aim, Comparer, Difference, NotReproducible
from millwright_judgment.domain.replays.page import Texts
from millwright_judgment.domain.replays.tally import Tally, TargetTally

RECORDED = Aim(None)
WELD = Evaluator(ruleset(weld()))
STRICT = Evaluator(ruleset(weld(weld_rows(r_critical={"defect_rate": "> 0.04"}))))


def inputs(count):
    random = Random(7)
    return [
        {
            "defect_rate": random.randint(0, 100) / 1000,
            "temperature": random.randint(600, 1300) / 10,
            "product": random.choice(["widget", "gear"]),
        }
        for _ in range(count)
    ]


def compared(pages, targets, recorded, changes=(), baseline=RECORDED):
    """The tally of pages, and by target the differences."""
    tally = Tally([TargetTally() for _ in targets])
    comparer = Comparer(baseline, targets, changes)
    differences = {target: [] for target in range(len(targets))}
    for found in (found for one in pages for found in comparer.compare(one, recorded, tally)):
        for execution, move, cause in zip(found.executions, found.move, found.cause, strict=True):
            differences[found.target].append(Difference(execution, found.moves[move], int(cause)))
    return tally, differences


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32))
def test_a_page_is_compared_as_its_inputs_one_by_one_are(seed):
    random = Random(seed)
    document = random_document(random)
    before, after = reading(document), reading(json.loads(json.dumps(mutated(random, document))))
    if before.ruleset is None or after.ruleset is None:
        return
    old, new = Evaluator(before.ruleset), Evaluator(after.ruleset)
    whole = page([(1, old, each) for each in random_inputs(random, old.ruleset, 120)])
    tally, differences = compared([whole], [Aim(new)], {1: old})
    found = {each.execution: each for each in differences[0]}
    hybrids = Hybrids(old, new)
    has_one_table = len(old.ruleset.tables) == 1
    transitions = Counter()
    for execution, given_input in zip(ids(whole), decode(whole.inputs.texts), strict=True):
        first, second = old.judge(given_input).decision, new.judge(given_input).decision
        transitions[(label_of(first), label_of(second))] += 1
        change = change_of(first, second)
        difference = found.get(execution)
        assert (difference.move.change if difference else Change.NONE) is change
        if difference and has_one_table:
            cause = Causes(hybrids).find(given_input, change)
            assert tally.targets[0].causes[difference.cause].cause.key == cause.key
    assert tally.targets[0].transitions == transitions


def test_causes_are_counted_with_those_nearest_to_the_threshold():
    whole = page([(1, WELD, each) for each in inputs(2_000)])
    tally, differences = compared([whole], [Aim(STRICT)], {1: WELD})
    (cause,) = tally.targets[0].causes
    assert cause.cause.kind is CauseKind.RULE_STARTED_MATCHING
    assert cause.count == len(differences[0]) == sum(cause.transitions.values())
    by_id = dict(zip(ids(whole), decode(whole.inputs.texts), strict=True))
    assert [by_id[execution]["defect_rate"] for _, execution in cause.examples] == [0.041] * 5


def test_what_a_tally_counts_does_not_depend_on_how_pages_are_cut():
    given_inputs = inputs(600)
    lines = [f"L{number % 3}" for number in range(600)]
    whole = page([(1, WELD, each) for each in given_inputs], line=lines)
    parts = [_cut(whole, slice(begin, begin + 150)) for begin in range(0, 600, 150)]
    one, _ = compared([whole], [Aim(STRICT)], {1: WELD})
    many, _ = compared(parts, [Aim(STRICT)], {1: WELD})
    assert one.to_json() == many.to_json()


def test_a_tally_is_what_it_was_after_it_was_kept():
    whole = page([(1, WELD, each) for each in inputs(500)], line=["L1"] * 500)
    tally, _ = compared([whole], [Aim(STRICT)], {1: WELD}, (InputChange("temperature", Operation.ADD, 3.0),))
    kept = orjson.dumps(tally.to_json())
    assert orjson.dumps(Tally.from_json(orjson.loads(kept)).to_json()) == kept


def test_executions_of_several_versions_are_each_held_against_their_own():
    both = [each for one in inputs(100) for each in ((1, WELD, one), (2, STRICT, one))]
    tally, differences = compared([page(both)], [Aim(STRICT), RECORDED], {1: WELD, 2: STRICT})
    assert differences[0]
    assert not differences[1]
    assert tally.targets[1].changes == Counter({Change.NONE: 200})


def test_a_baseline_stands_in_for_what_was_recorded():
    whole = page([(1, WELD, each) for each in inputs(300)])
    tally, _ = compared([whole], [Aim(STRICT)], {1: WELD}, baseline=Aim(STRICT))
    assert tally.targets[0].changes == Counter({Change.NONE: 300})


@pytest.mark.parametrize("fault", ["outcome", "confidence", "rule", "matched"])
def test_what_does_not_come_out_as_recorded_ends_it_before_anything_is_counted(fault):
    whole = page([(1, WELD, each) for each in inputs(50)])
    recorded = whole.recorded
    changed = {
        "outcome": text_column(["critical"] * 50),
        "confidence": recorded.confidence + 0.001,
        "rule": text_column(["r-hot"] * 50),
        "matched": bytes(len(recorded.matched)),
    }
    broken = dataclasses.replace(whole, recorded=dataclasses.replace(recorded, **{fault: changed[fault]}))
    tally = Tally([TargetTally()])
    with pytest.raises(NotReproducible) as caught:
        Comparer(RECORDED, [Aim(STRICT)]).compare(broken, {1: WELD}, tally)
    assert caught.value.count > 0
    assert set(caught.value.executions) <= set(ids(whole))
    assert tally.to_json() == Tally([TargetTally()]).to_json()


def test_an_input_that_a_target_refuses_is_an_error_of_its_own():
    narrow = Evaluator(ruleset(weld(inputs=[{**FIELDS[0], "max": 0.05}, *FIELDS[1:]])))
    whole = page([(1, WELD, each) for each in inputs(200)])
    tally, differences = compared([whole], [Aim(narrow)], {1: WELD})
    refused = {each.execution for each in differences[0] if each.move.change is Change.ERROR}
    rates = dict(zip(ids(whole), (each["defect_rate"] for each in decode(whole.inputs.texts)), strict=True))
    assert refused == {execution for execution, rate in rates.items() if rate > 0.05}
    assert tally.targets[0].causes[0].cause.kind is CauseKind.SCHEMA_CHANGED


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["rate", "heat", "count", "label", "flag"]),
    st.sampled_from(list(Operation)),
    st.sampled_from([None, 2, 0.5, -3.25, "a", True]),
    st.integers(0, 2**32),
)
def test_columns_are_changed_as_inputs_are(field, operation, operand, seed):
    if operation in (Operation.ADD, Operation.MULTIPLY) and (isinstance(operand, bool | str) or operand is None):
        return
    random = Random(seed)
    evaluator = Evaluator(reading(random_document(random)).require())
    change = InputChange(field, operation, operand)
    given_inputs = random_inputs(random, evaluator.ruleset, 20)
    columns = change_columns(to_columns(evaluator.ruleset.fields, given_inputs), [change], 20)
    judged = ColumnEvaluator(evaluator).judge(columns, 20)
    for row, each in enumerate(given_inputs):
        alone = evaluator.judge(change_input(each, [change]))
        assert judged.decision_at(row) == getattr(alone, "decision", None)


def _cut(whole, rows):
    at = np.arange(whole.rows)[rows]
    size = WELD.matched_bytes
    recorded = whole.recorded
    return dataclasses.replace(
        whole,
        executions=whole.executions[rows],
        versions=whole.versions[rows],
        inputs=Texts(whole.inputs.texts[rows]),
        segments={name: dataclasses.replace(it, codes=it.codes[rows]) for name, it in whole.segments.items()},
        recorded=dataclasses.replace(
            recorded,
            status=recorded.status[rows],
            outcome=dataclasses.replace(recorded.outcome, codes=recorded.outcome.codes[rows]),
            rule=dataclasses.replace(recorded.rule, codes=recorded.rule.codes[rows]),
            confidence=recorded.confidence[rows],
            matched=recorded.matched[at[0] * size : (at[-1] + 1) * size],
        ),
    )
