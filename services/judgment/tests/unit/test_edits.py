"""What differs between two versions, edit by edit."""

import copy

import pytest
from judgment_samples.documents import FIELDS, decision, ruleset, table, weld, weld_rows
from millwright_judgment.domain.difference.edits import Edit, EditKind, diff

WELD = ruleset(weld())


def edits(**changes):
    """The edits from the weld line's ruleset to one with changes."""
    return diff(WELD, ruleset(weld(**changes)))


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        ("> 0.08", "> 0.09", EditKind.CONDITION_TIGHTENED),
        ("> 0.08", "> 0.07", EditKind.CONDITION_LOOSENED),
        ("[0.03..0.08]", "[0.04..0.09]", EditKind.CONDITION_SHIFTED),
    ],
)
def test_a_condition_is_tightened_loosened_or_shifted(before, after, kind):
    old, new = weld_rows(r_critical={"defect_rate": before}), weld_rows(r_critical={"defect_rate": after})
    found = diff(ruleset(weld(old)), ruleset(weld(new)))
    assert found == [Edit(kind, "main", "r-critical", "defect_rate", before, after)]


def test_a_condition_that_is_written_otherwise_is_no_edit():
    assert edits(rows=weld_rows(r_critical={"defect_rate": ">= 0.081"})) == []


def test_dropping_a_condition_loosens_it():
    (edit,) = edits(rows=weld_rows(r_warm={"temperature": ""}))
    assert (edit.kind, edit.before, edit.after) == (EditKind.CONDITION_LOOSENED, "> 70", "")


def test_an_output_is_an_edit_of_its_own():
    (edit,) = edits(rows=weld_rows(r_hot={"confidence": "0.9"}))
    assert (edit.kind, edit.rule, edit.field, edit.before, edit.after) == (
        EditKind.OUTPUT_CHANGED,
        "r-hot",
        "confidence",
        "0.85",
        "0.9",
    )


def test_rules_come_and_go_by_their_ids():
    rows = weld_rows()
    renamed = [{**row, "_id": "r-boiling"} if row["_id"] == "r-hot" else row for row in rows]
    assert [(edit.kind, edit.rule) for edit in edits(rows=renamed)] == [
        (EditKind.RULE_ADDED, "r-boiling"),
        (EditKind.RULE_REMOVED, "r-hot"),
    ]


def test_a_rule_that_moved_is_one_edit():
    first, second, *others = weld_rows()
    (edit,) = edits(rows=[second, first, *others])
    assert edit.kind is EditKind.ORDER_CHANGED


def test_a_field_of_the_schema_is_an_edit():
    finer = copy.deepcopy(FIELDS)
    finer[0]["resolution"] = 0.0001
    found = edits(inputs=finer)
    assert (EditKind.SCHEMA_CHANGED, "defect_rate") in [(edit.kind, edit.field) for edit in found]


def test_what_is_put_out_by_default_is_a_setting():
    (edit,) = edits(default={"outcome": "warning"})
    assert (edit.kind, edit.field) == (EditKind.SETTING_CHANGED, "default")


def test_a_hit_policy_is_a_change_of_its_table():
    def changed(hit):
        rows = [{"_id": "r-1", "temperature": "> 70", "outcome": '"warning"'}]
        return ruleset(weld(decision=decision(table(["temperature"], ["outcome"], rows, hit=hit))))

    (edit,) = diff(changed("first"), changed("collect"))
    assert (edit.kind, edit.table) == (EditKind.TABLE_CHANGED, "main")


def test_the_same_content_has_no_edits():
    assert diff(WELD, WELD) == []
