"""Inputs: checked and rounded once."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from judgment_samples.documents import ruleset, weld
from millwright_judgment.domain.input.check import Checked, Checker, Indeterminate, Refused

SOUND = {"defect_rate": 0.05, "temperature": 85.5, "product": "widget"}


def checker(*fields):
    everything = [{"field": name, "type": "number"} for name in ("defect_rate", "temperature")]
    named = {field["field"] for field in fields}
    product = [{"field": "product", "type": "string"}] if "product" not in named else []
    return Checker(
        ruleset(weld(inputs=[*fields, *(each for each in everything if each["field"] not in named), *product])).fields
    )


def weld_checker():
    return Checker(ruleset(weld()).fields)


def test_a_sound_input_is_given_in_the_order_of_the_schema():
    assert weld_checker().check(dict(reversed(SOUND.items()))) == Checked((0.05, 85.5, "widget"))


@pytest.mark.parametrize(
    ("given_rate", "kept"),
    [
        (0.08000000000000002, 0.08),
        (0.07999999999999999, 0.08),
        (0.0804999, 0.08),
        (0.0806, 0.081),
        (0, 0.0),
        (1, 1.0),
        (0.1 + 0.2, 0.3),
        (1.0004, 1.0),
        (-0.0004, 0.0),
    ],
)
def test_numbers_are_rounded_to_the_resolution(given_rate, kept):
    checked = weld_checker().check({**SOUND, "defect_rate": given_rate})
    assert checked == Checked((kept, 85.5, "widget"))
    assert math.copysign(1, checked.values[0]) == 1


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        ({"defect_rate": None}, "defect_rate", "MISSING"),
        ({"defect_rate": "0.05"}, "defect_rate", "WRONG_TYPE"),
        ({"defect_rate": True}, "defect_rate", "WRONG_TYPE"),
        ({"defect_rate": [1]}, "defect_rate", "WRONG_TYPE"),
        ({"defect_rate": math.nan}, "defect_rate", "NOT_FINITE"),
        ({"defect_rate": math.inf}, "defect_rate", "NOT_FINITE"),
        ({"defect_rate": -math.inf}, "defect_rate", "NOT_FINITE"),
        ({"defect_rate": 1.001}, "defect_rate", "OUT_OF_RANGE"),
        ({"defect_rate": -0.001}, "defect_rate", "OUT_OF_RANGE"),
        ({"defect_rate": 1e308}, "defect_rate", "OUT_OF_RANGE"),
        ({"temperature": 10**400}, "temperature", "OUT_OF_RANGE"),
        ({"product": 5}, "product", "WRONG_TYPE"),
        ({"product": "wheel"}, "product", "UNKNOWN_VALUE"),
        ({"product": "x" * 1_000_000}, "product", "TEXT_TOO_LONG"),
        ({"product": "\ud800"}, "product", "UNSTORABLE_TEXT"),
        ({"colour": "red"}, "colour", "UNKNOWN_FIELD"),
        ({f"f{index}": 1 for index in range(300)}, "", "TOO_MANY_FIELDS"),
    ],
)
def test_what_is_wrong_is_refused_by_field(changes, field, reason):
    refused = weld_checker().check({**SOUND, **changes})
    assert isinstance(refused, Refused)
    assert (field, reason) in [(violation.field, violation.reason) for violation in refused.violations]


def test_everything_that_is_wrong_is_said_at_once():
    refused = weld_checker().check({"defect_rate": "a", "temperature": math.nan, "colour": 1})
    assert [(violation.field, violation.reason) for violation in refused.violations] == [
        ("colour", "UNKNOWN_FIELD"),
        ("defect_rate", "WRONG_TYPE"),
        ("temperature", "NOT_FINITE"),
        ("product", "MISSING"),
    ]


def test_a_missing_value_means_what_the_schema_says():
    field = {"field": "defect_rate", "type": "number"}
    rest = {"temperature": 1, "product": "x"}
    indeterminate = checker({**field, "missing": "indeterminate"}).check(rest)
    assert isinstance(indeterminate, Indeterminate)
    assert indeterminate.values == (None, 1.0, "x")
    assert [(problem.field, problem.code) for problem in indeterminate.problems] == [("defect_rate", "MISSING")]
    assert checker({**field, "missing": "default", "default": 0.5}).check(rest) == Checked((0.5, 1.0, "x"))
    assert checker({**field, "missing": "allow"}).check(rest) == Checked((None, 1.0, "x"))
    assert isinstance(checker({**field, "missing": "allow"}).check({**rest, "colour": 1}), Refused)


def test_a_value_outside_can_make_the_input_indeterminate():
    field = {"field": "defect_rate", "type": "number", "max": 1, "outside": "indeterminate"}
    checked = checker(field).check({"defect_rate": 1.5, "temperature": 1, "product": "x"})
    assert isinstance(checked, Indeterminate)
    assert checked.values == (1.5, 1.0, "x")
    assert checked.problems[0].code == "OUT_OF_RANGE"
    assert isinstance(checker(field).check({"defect_rate": "a", "temperature": 1, "product": "x"}), Refused)


@pytest.mark.parametrize("kind", ["number", "integer"])
@pytest.mark.parametrize("far", [1e30, -1e30, 1e308])
@pytest.mark.parametrize("missing", [{"missing": "error"}, {"missing": "default", "default": 0}, {"missing": "allow"}])
def test_a_number_far_outside_is_kept_as_one_that_is_outside_again(kind, far, missing):
    """Kept as null, it would be missing, not outside, when the judgment is recomputed."""
    check = checker({"field": "defect_rate", "type": kind, "outside": "indeterminate", **missing})
    first = check.check({"defect_rate": far, "temperature": 1, "product": "x"})
    assert isinstance(first, Indeterminate)
    again = check.check(dict(zip(("defect_rate", "temperature", "product"), first.values, strict=True)))
    assert (again.values, again.problems[0].code) == (first.values, "OUT_OF_RANGE")
    assert math.copysign(1, first.values[0]) == math.copysign(1, far)


def test_texts_are_taken_up_to_their_limit_in_bytes():
    free = checker({"field": "product", "type": "string"})
    rest = {"defect_rate": 1, "temperature": 1}
    assert isinstance(free.check({**rest, "product": "가" * 1_365}), Checked)
    assert isinstance(free.check({**rest, "product": "가" * 1_366}), Refused)
    assert isinstance(free.check({**rest, "product": "x" * 4_096}), Checked)
    assert isinstance(free.check({**rest, "product": "x" * 4_097}), Refused)
    assert isinstance(free.check({**rest, "product": "a\0b"}), Refused)


def test_whole_numbers_are_whole():
    counter = checker({"field": "defect_rate", "type": "integer", "resolution": 5})
    assert counter.check({"defect_rate": 12.0, "temperature": 1, "product": "x"}) == Checked((10, 1.0, "x"))
    assert isinstance(counter.check({"defect_rate": 12.5, "temperature": 1, "product": "x"}), Refused)


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.floats(min_value=-1, max_value=2),
    st.text("a\0가", max_size=3),
    st.sampled_from(["widget", "gear"]),
)


@given(st.dictionaries(st.sampled_from(["defect_rate", "temperature", "product", "other"]), VALUES))
def test_the_short_way_gives_what_the_close_look_gives(value):
    check = weld_checker()
    assert check.check(value) == check.look_closely(value)


@given(st.floats(min_value=-1e9, max_value=1e9), st.sampled_from([0.001, 0.25, 5, 0.000001, 0.3, 0.1]))
def test_rounding_twice_is_rounding_once(value, resolution):
    check = checker({"field": "defect_rate", "type": "number", "resolution": resolution})
    once = check.check({"defect_rate": value, "temperature": 1, "product": "x"})
    assert isinstance(once, Checked)
    assert check.check({"defect_rate": once.values[0], "temperature": 1, "product": "x"}) == once
    assert abs(once.values[0] - value) <= resolution / 2 + 2 * math.ulp(value)
