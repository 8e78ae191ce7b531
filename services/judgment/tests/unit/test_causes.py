"""Why two versions judge an input differently: hybrids, the fewest edits, and how deep a change goes."""

import json
from itertools import combinations
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from judgment_samples.chance import mutated, random_document, random_inputs
from judgment_samples.documents import FIELDS, decision, reading, ruleset, table, weld, weld_rows
from millwright_judgment.domain.difference.causes import CauseKind, Causes
from millwright_judgment.domain.difference.comparison import Change, change_of, is_alike
from millwright_judgment.domain.difference.edits import EditKind
from millwright_judgment.domain.difference.hybrids import Hybrids, compose
from millwright_judgment.domain.evaluation.rows import Evaluator
from millwright_judgment.domain.input.changes import InputChange, Operation, change_input

SOUND = {"defect_rate": 0.05, "temperature": 85.5, "product": "widget"}


def evaluator(rows=None, **more):
    return Evaluator(ruleset(weld(rows, **more)))


def cause(before, after, changes=(), **values):
    """The cause of what becomes of an input, and how deep the change goes."""
    given_input = {**SOUND, **values}
    old = before.judge(given_input).decision
    new = after.judge(change_input(given_input, changes)).decision
    change = change_of(old, new)
    assert change is not Change.NONE
    return Causes(Hybrids(before, after), changes).find(given_input, change), change


@pytest.mark.parametrize(
    ("rows", "values", "kind", "change"),
    [
        (weld_rows(r_critical={"defect_rate": "> 0.04"}), {}, CauseKind.RULE_STARTED_MATCHING, Change.OUTCOME),
        (weld_rows(r_warm={"temperature": "> 90"}), {}, CauseKind.RULE_STOPPED_MATCHING, Change.OUTCOME),
        (weld_rows(r_warm={"outcome": '"critical"'}), {}, CauseKind.OUTPUT_CHANGED, Change.OUTCOME),
        (weld_rows(r_warm={"confidence": "0.7"}), {}, CauseKind.OUTPUT_CHANGED, Change.DETAIL),
        ([*weld_rows()[:1], *weld_rows()[2:]], {}, CauseKind.RULE_REMOVED, Change.OUTCOME),
        (
            [{"_id": "r-new", "product": '"widget"', "outcome": '"critical"'}, *weld_rows()],
            {},
            CauseKind.RULE_ADDED,
            Change.OUTCOME,
        ),
        ([*weld_rows()[::-1]], {}, CauseKind.PRIORITY_CHANGED, Change.OUTCOME),
    ],
)
def test_one_edit_is_the_cause(rows, values, kind, change):
    found, depth = cause(evaluator(), evaluator(rows), **values)
    assert (found.kind, depth, len(found.minimal_edits)) == (kind, change, 1)
    assert found.necessary_edits == found.minimal_edits


def test_edits_beside_the_cause_are_left_out():
    rows = weld_rows(
        r_critical={"defect_rate": "> 0.04"}, r_hot={"temperature": ">= 130"}, r_normal={"confidence": "0.9"}
    )
    found, _ = cause(evaluator(), evaluator(rows))
    assert [(edit.rule, edit.field) for edit in found.minimal_edits] == [("r-critical", "defect_rate")]


def test_two_edits_that_lead_there_together_are_an_interaction():
    rows = weld_rows(r_warm={"temperature": "> 90"}, r_hot={"temperature": ">= 80", "confidence": "0.6"})
    found, change = cause(evaluator(), evaluator(rows))
    assert (found.kind, change) == (CauseKind.INTERACTION, Change.DETAIL)
    assert {(edit.rule, edit.field) for edit in found.minimal_edits} == {
        ("r-warm", "temperature"),
        ("r-hot", "temperature"),
        ("r-hot", "confidence"),
    }


def test_a_flip_tells_the_value_the_cells_and_the_margins():
    found, _ = cause(evaluator(), evaluator(weld_rows(r_critical={"defect_rate": "> 0.04"})))
    (flip,) = found.flips
    assert (flip.table, flip.rule, flip.field, flip.value) == ("main", "r-critical", "defect_rate", 0.05)
    assert (flip.cell_before, flip.held_before) == ("> 0.08", False)
    assert (flip.cell_after, flip.held_after) == ("> 0.04", True)
    assert (flip.margin_before, flip.margin_after) == (pytest.approx(-0.031), pytest.approx(0.010))


def test_a_schema_that_refuses_is_the_cause_of_an_error():
    narrow = [{**FIELDS[0], "max": 0.04}, *FIELDS[1:]]
    before, after = evaluator(), evaluator(inputs=narrow, rows=weld_rows(r_hot={"confidence": "0.6"}))
    found = Causes(Hybrids(before, after)).find(SOUND, Change.ERROR)
    assert (found.kind, [edit.field for edit in found.minimal_edits]) == (CauseKind.SCHEMA_CHANGED, ["defect_rate"])


def test_a_changed_input_on_the_same_version_is_its_own_cause():
    hotter = InputChange("defect_rate", Operation.ADD, 0.05)
    same = evaluator()
    found, _ = cause(same, same, (hotter,))
    assert (found.kind, found.minimal_edits, found.input_changes) == (CauseKind.INPUT_CHANGED, (), (hotter,))
    assert ("r-critical", 0.1, False, True) in [
        (it.rule, it.value, it.held_before, it.held_after) for it in found.flips
    ]


def test_a_changed_input_and_an_edit_may_be_needed_together():
    hotter = InputChange("defect_rate", Operation.MULTIPLY, 1.2)
    found, _ = cause(evaluator(), evaluator(weld_rows(r_critical={"defect_rate": "> 0.055"})), (hotter,))
    assert (found.kind, len(found.minimal_edits), found.input_changes) == (CauseKind.INTERACTION, 1, (hotter,))


def test_a_hybrid_that_is_no_ruleset_is_none():
    """A rule cannot put out an outcome that is no level yet; both edits together can."""
    after = ruleset(weld(weld_rows(r_warm={"outcome": '"alert"'}), levels=["normal", "warning", "alert", "critical"]))
    hybrids = Hybrids(evaluator(), Evaluator(after))
    output = next(edit for edit in hybrids.edits if edit.kind is EditKind.OUTPUT_CHANGED)
    assert hybrids.evaluator(frozenset({output})) is None
    found, _ = cause(evaluator(), Evaluator(after))
    assert len(found.minimal_edits) == 2


def test_a_chain_that_changed_is_one_edit():
    first = table(
        ["product"], ["grade"], [{"_id": "p", "product": '"widget"', "grade": "1"}], name="first", passes=True
    )
    last = table(["grade"], ["outcome"], [{"_id": "g", "grade": "1", "outcome": '"critical"'}], name="last")
    found, _ = cause(evaluator(), evaluator(decision=decision(first, last)))
    assert [(edit.kind, edit.table) for edit in found.minimal_edits] == [(EditKind.TABLE_CHANGED, "")]


def pair(seed, changes=3):
    """Two versions at random, and inputs."""
    random = Random(seed)
    document = random_document(random)
    before, after = reading(document), reading(json.loads(json.dumps(mutated(random, document, changes))))
    if before.ruleset is None or after.ruleset is None:
        return None
    return Evaluator(before.ruleset), Evaluator(after.ruleset), random_inputs(random, before.ruleset, 25)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32))
def test_all_edits_together_give_the_later_version(seed):
    versions = pair(seed, changes=6)
    if versions is None:
        return
    before, after, inputs = versions
    whole = compose(before.ruleset, after.ruleset, Hybrids(before, after).edits)
    none = compose(before.ruleset, after.ruleset, ())
    for given_input in inputs:
        assert Evaluator(whole).judge(given_input).decision == after.judge(given_input).decision
        assert Evaluator(none).judge(given_input).decision == before.judge(given_input).decision


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32))
def test_what_is_named_as_the_cause_leads_there_and_nothing_smaller_does(seed):
    versions = pair(seed)
    if versions is None:
        return
    before, after, inputs = versions
    hybrids = Hybrids(before, after)
    causes = Causes(hybrids)
    for given_input in inputs:
        new = after.judge(given_input).decision
        change = change_of(before.judge(given_input).decision, new)
        if change is Change.NONE:
            continue
        found = causes.find(given_input, change)
        assert _gives(hybrids, found.minimal_edits, given_input, change, new)
        for size in range(len(found.minimal_edits)):
            for fewer in combinations(hybrids.edits, size):
                assert not _gives(hybrids, fewer, given_input, change, new)


def _gives(hybrids, edits, given_input, change, new):
    hybrid = hybrids.evaluator(frozenset(edits))
    return hybrid is not None and is_alike(change, hybrid.judge(given_input).decision, new)
