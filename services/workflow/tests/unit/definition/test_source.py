import contextlib
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from millwright_workflow.domain.definition.faults import InvalidDefinition
from millwright_workflow.domain.definition.source import read


def refusal(source):
    with pytest.raises(InvalidDefinition) as caught:
        read(source)
    (fault,) = caught.value.faults
    return fault


def noted(source):
    return [(fault.reason.value, fault.pointer) for fault in read(source).faults]


@pytest.mark.parametrize(
    ("scalar", "value"),
    [
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("12", 12),
        ("-3", -3),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("yes", "yes"),
        ("No", "No"),
        ("on", "on"),
        ("012", "012"),
        ("0o14", "0o14"),
        ("0x1F", "0x1F"),
        ("12:30:45", "12:30:45"),
        ("1_000", "1_000"),
        ("2026-01-31", "2026-01-31"),
        ("'12'", "12"),
    ],
)
def test_a_scalar_has_the_one_reading_that_cannot_surprise(scalar, value):
    read_value = read(f"a: {scalar}").value["a"]
    assert (read_value, type(read_value)) == (value, type(value))


def test_the_words_of_yaml_1_1_are_keys_like_any_other():
    assert read("on: 1\nno: 2\nyes: 3").value == {"on": 1, "no": 2, "yes": 3}


def test_an_alias_repeats_what_its_anchor_named():
    assert read("a: &x {b: [1]}\nc: *x").value == {"a": {"b": [1]}, "c": {"b": [1]}}


def test_json_escapes_of_characters_beyond_the_basic_plane_are_understood():
    assert read(json.dumps({"a": "🏭"})).value == {"a": "🏭"}


def test_a_key_that_stands_twice_is_noted_in_yaml_and_in_json():
    assert noted("a:\n  b/c: 1\n  b/c: 2") == [("DUPLICATE_KEY", "/a/b~1c")]
    assert noted('{"a": [{"b": 1, "b": 1}]}') == [("DUPLICATE_KEY", "/a/0/b")]


@pytest.mark.parametrize("key", ["1", "true", "null", "1.5", "[a]", "{a: b}", "? - a\n"])
def test_a_key_that_is_no_string_is_noted(key):
    assert ("WRONG_TYPE", "") in noted(f"{key}: x")


@pytest.mark.parametrize("number", [".nan", ".inf", "-.INF", "1e999", "9" * 25, "9" * 100_000, "9223372036854775808"])
def test_a_number_that_cannot_be_stored_is_noted(number):
    assert noted(f"a: {number}") == [("INVALID_VALUE", "/a")]


def test_json_has_no_nan_and_no_infinity():
    assert noted('{"a": NaN, "b": -Infinity, "c": 1e999}') == [
        ("INVALID_VALUE", "/a"),
        ("INVALID_VALUE", "/b"),
        ("INVALID_VALUE", "/c"),
    ]


def test_text_that_the_database_cannot_hold_is_noted():
    assert noted('{"a": "\\u0000", "b": "\\ud800"}') == [("INVALID_VALUE", "/a"), ("INVALID_VALUE", "/b")]
    assert noted('{"a\\u0000": 1}') == [("INVALID_VALUE", "")]


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("a: [1", "line 2"),
        ("a: b: c", "line 1, column 5"),
        ("a: !thing 1", "remove the tag"),
        ("a: ! 1", "remove the tag"),
        ("a: !!python/object:os.system {}", "remove the tag"),
        ("a: 1\n---\nb: 2", "one document"),
        ("a: &x [*x]", "alias"),
        ("a: *x", "alias"),
        ("a: \x07", "not allow"),
        ("%YAML 1.1\n" * 11, "directives"),
        ("\ud800", "not allow"),
    ],
)
def test_malformed_yaml_is_refused_with_the_place(source, problem):
    fault = refusal(source)
    assert fault.reason == "MALFORMED_YAML"
    assert problem in fault.message


def test_more_than_a_mebibyte_is_too_large():
    assert refusal("a" * (1024 * 1024 + 1)).reason == "DEFINITION_TOO_LARGE"
    assert refusal("에" * (400 * 1024)).reason == "DEFINITION_TOO_LARGE"


DEEP = {
    "lists": lambda levels: "[" * levels,
    "closed lists": lambda levels: "[" * levels + "]" * levels,
    "flow mappings": lambda levels: "{a: " * levels,
    "json": lambda levels: '{"a":' * levels + "1" + "}" * levels,
    "block lists": lambda levels: "- " * levels + "a",
    "complex keys": lambda levels: "? " * levels + "a",
}


@pytest.mark.parametrize("levels", [65, 10_000, 170_000])
@pytest.mark.parametrize("form", DEEP)
def test_deep_nesting_is_refused_at_once(form, levels):
    began = time.perf_counter()
    assert refusal(DEEP[form](levels)).reason == "DEFINITION_TOO_DEEP"
    assert time.perf_counter() - began < 1


def test_deep_block_mappings_are_refused():
    assert refusal("\n".join(" " * level + "a:" for level in range(1_000))).reason == "DEFINITION_TOO_DEEP"


@pytest.mark.parametrize("form", ["lists", "json", "block lists"])
def test_sixty_four_levels_are_not_too_deep(form):
    closing = "]" * 64 if form == "lists" else ""
    read(DEEP[form](64) + closing)


def test_an_alias_counts_as_deep_as_what_it_repeats():
    assert (
        refusal("a: &a " + "[" * 40 + "]" * 40 + "\nb: " + "[" * 40 + "*a" + "]" * 40).reason == "DEFINITION_TOO_DEEP"
    )


def test_a_billion_laughs_are_refused_in_milliseconds():
    laughs = "a0: &a0 [ha]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10))
    began = time.perf_counter()
    assert refusal(laughs).reason == "DEFINITION_TOO_BIG"
    assert time.perf_counter() - began < 0.1


def test_repeating_a_long_text_is_refused():
    assert refusal(f"a: &a {'x' * 600_000}\nb: [*a, *a]").reason == "DEFINITION_TOO_BIG"


@pytest.mark.parametrize("source", ["[" + "1," * 21_000 + "1]", "- 1\n" * 50_000])
def test_more_than_twenty_thousand_values_are_too_big(source):
    assert refusal(source).reason == "DEFINITION_TOO_BIG"


@given(
    st.text() | st.binary().map(lambda data: data.decode("latin-1")) | st.text(alphabet="{}[]:,-?&*!|>'\"#%@ \n\ta1.")
)
def test_reading_refuses_or_reads_but_never_fails(source):
    with contextlib.suppress(InvalidDefinition):
        json.dumps(read(source).value, allow_nan=False).encode()


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**63), 2**63 - 1)
        | st.text(alphabet='aé🏭\n"\\ ')
        | st.floats(allow_nan=False, allow_infinity=False),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(alphabet="abon"), inner, max_size=4),
        max_leaves=20,
    )
)
def test_json_reads_as_itself(value):
    assert read(json.dumps({"a": value})).value == {"a": value}
