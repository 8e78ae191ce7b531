import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from millwright_workflow.domain.definition import is_bounded


@pytest.mark.parametrize(
    "expression",
    [
        ".",
        ".a.b",
        '.["x"][0]?',
        '."a b".c',
        ".[-1]",
        "$task.input.a",
        ".a + 1",
        ".a - 1",
        "100 - .scrap",
        ".good / .total",
        ".n % 2 == 0",
        '.a == "x" and (.c | length) > 3 or (.d | not)',
        '.a // "none"',
        "if .a then .b elif .c then 1 else null end",
        "if . then 1 end",
        "[.a, .b]",
        "[]",
        '{a: .a, b, $x, "c": (.d // 1), (.e): 2, "k\\(.f)": 3}',
        "{a: .b | length}",
        '"lot \\(.lot) on \\(.line | ascii_upcase)"',
        '.a | has("x")',
        '.name | ltrimstr("a") | startswith("b")',
        ".a | tostring | tonumber",
        "[.,.] | [.,.] | [.,.]",
        ".a # why",
    ],
)
def test_a_program_of_plain_parts_is_bounded(expression):
    assert is_bounded(expression)


@pytest.mark.parametrize(
    "expression",
    [
        ".[]",
        "..",
        ".[1:]",
        ".[.a]",
        ".[[1]]",
        '.["\\(.a)"]',
        "map(.)",
        "select(.a)",
        "range(1e12)",
        "[range(1e12)]",
        "repeat(.)",
        "recurse",
        ". as $x | $x",
        "reduce .a as $x (0; 1)",
        "foreach .a as $x (0; 1)",
        "def f: f; f",
        "label $a | 1",
        "try .a",
        ".a * 1000000",
        '"a" * 1000000000',
        ". - .",
        "[.] - [.]",
        "-.",
        ".a = 1",
        ".a |= 1",
        'test("(a+)+")',
        "1, 2",
        "[(1, 2)]",
        "[., . | .]",
        "tojson",
        "@json",
        '@sh "\\(.)"',
        "explode",
        "keys_unsorted",
        "until(. > 1; .)",
        "limit(1; .)",
        "error",
        "unknown",
        "",
        ". .",
        "(",
        '"',
        "{a: 1",
    ],
)
def test_anything_else_is_not(expression):
    assert not is_bounded(expression)


@pytest.mark.parametrize(
    "stage", ["[.,.]", ". + .", "{a: ., b: .}", '"\\(.)\\(.)"', "tostring", "if .a then [., .] else . end", "[.] + [.]"]
)
def test_stages_that_multiply_their_input_are_bounded_only_in_small_numbers(stage):
    assert is_bounded(stage)
    assert not is_bounded(" | ".join([stage] * 20))


def test_nesting_multiplies_as_well():
    expression = "."
    for _ in range(10):
        expression = f"({expression}) | [.,.]"
    assert not is_bounded(expression)


@pytest.mark.parametrize("part", ["(", "[", "{a:", '"\\(', "-", "if ", ".a", "1+", ". == . and "])
def test_long_programs_are_judged_quickly_and_without_recursion(part):
    began = time.perf_counter()
    is_bounded(part * 5_000)
    is_bounded(part * 500 + ".")
    assert time.perf_counter() - began < 1


@given(st.text(alphabet='.[]{}()|,"\\+-/% a1$?:#', max_size=40))
def test_judging_never_fails(expression):
    assert is_bounded(expression) in {True, False}
