"""Input cells: what they let through, and what is refused."""

from decimal import Decimal

import pytest
from millwright_judgment.domain.ruleset import cells
from millwright_judgment.domain.ruleset.cells import CellFault
from millwright_judgment.domain.ruleset.conditions import ConditionMismatch, resolve
from millwright_judgment.domain.ruleset.fields import Field, FieldType, Missing
from millwright_judgment.domain.ruleset.grid import WHOLE, grid_of

NUMBER = Field("x", FieldType.NUMBER, grid_of(Decimal("0.5")), missing=Missing.ALLOW)
WHOLE_NUMBER = Field("n", FieldType.INTEGER, WHOLE)
TEXT = Field("t", FieldType.STRING, missing=Missing.ALLOW)
FLAG = Field("f", FieldType.BOOLEAN, missing=Missing.ALLOW)
VALUES = {NUMBER: [-3.0, 4.5, 5.0, 5.5, 10.0, None], TEXT: ["a", "b", "", None], FLAG: [True, False, None]}


@pytest.mark.parametrize(
    ("cell", "let_through"),
    [
        ("", [-3.0, 4.5, 5.0, 5.5, 10.0, None]),
        ("  ", [-3.0, 4.5, 5.0, 5.5, 10.0, None]),
        ("-", [-3.0, 4.5, 5.0, 5.5, 10.0, None]),
        ("> 5", [5.5, 10.0]),
        (">5", [5.5, 10.0]),
        (">= 5", [5.0, 5.5, 10.0]),
        ("< 5", [-3.0, 4.5]),
        ("<= 5", [-3.0, 4.5, 5.0]),
        ("== 5", [5.0]),
        ("5", [5.0]),
        ("5.0", [5.0]),
        ("-3", [-3.0]),
        ("> -3", [4.5, 5.0, 5.5, 10.0]),
        ("> - 3", [4.5, 5.0, 5.5, 10.0]),
        ("!= 5", [-3.0, 4.5, 5.5, 10.0, None]),
        ("5, 10", [5.0, 10.0]),
        ("[5, 10]", [5.0, 10.0]),
        ("in [5, 10]", [5.0, 10.0]),
        ("not in [5, 10]", [-3.0, 4.5, 5.5, None]),
        ("[5..10)", [5.0, 5.5]),
        ("(5..10]", [5.5, 10.0]),
        ("[5 .. 10]", [5.0, 5.5, 10.0]),
        ("(5..10)", [5.5]),
        ("in (5..10)", [5.5]),
        ("not in (5..10)", [-3.0, 4.5, 5.0, 10.0]),
        ("> 5 and < 10", [5.5]),
        ("> 5 or < 0", [-3.0, 5.5, 10.0]),
        ("> 5, < 0", [-3.0, 5.5, 10.0]),
        ("> 5 and < 8 or 10", [5.5, 10.0]),
        ("> 5 and < 10 and != 5.5", []),
        ("null", [None]),
        ("== null", [None]),
        ("!= null", [-3.0, 4.5, 5.0, 5.5, 10.0]),
        ("null, 5", [5.0, None]),
        ("> 5 or null", [5.5, 10.0, None]),
        ("> 4.7", [5.0, 5.5, 10.0]),
        ("[4.7..5.2]", [5.0]),
        ("4.7", []),
    ],
)
def test_a_cell_lets_these_numbers_through(cell, let_through):
    predicate = resolve(cells.parse(cell), NUMBER)
    assert [value for value in VALUES[NUMBER] if predicate.holds(NUMBER.point(value))] == let_through


@pytest.mark.parametrize(
    ("cell", "let_through"),
    [
        ('"a"', ["a"]),
        ("'a'", ["a"]),
        ('"a", "b"', ["a", "b"]),
        ('"a" or "b"', ["a", "b"]),
        ('""', [""]),
        ('!= "a"', ["b", "", None]),
        ('not in ["a", "b"]', ["", None]),
        ('in ["a"]', ["a"]),
        ('"a" and != "b"', ["a"]),
        ('!= "a" and != null', ["b", ""]),
    ],
)
def test_a_cell_lets_these_texts_through(cell, let_through):
    predicate = resolve(cells.parse(cell), TEXT)
    assert [value for value in VALUES[TEXT] if predicate.holds(TEXT.point(value))] == let_through


@pytest.mark.parametrize(
    ("cell", "let_through"),
    [("true", [True]), ("false", [False]), ("true, false", [True, False]), ("!= true", [False, None])],
)
def test_a_cell_lets_these_flags_through(cell, let_through):
    predicate = resolve(cells.parse(cell), FLAG)
    assert [value for value in VALUES[FLAG] if predicate.holds(FLAG.point(value))] == let_through


@pytest.mark.parametrize(
    ("cell", "hint"),
    [
        ("not(5)", "not in"),
        ("not (> 5)", "not in"),
        ("]5..10[", "expected"),
        ("(> 5) or (< 0)", "value"),
        ("(5, 10)", "parentheses"),
        ("> 5 && < 7", "`and`"),
        ("> 5 || < 7", "`or`"),
        ("=5", "`==`"),
        ("<> 5", "expected"),
        ("! (5)", "`!=`"),
        ("$ > 5", "`$`"),
        ("+5", "calculate"),
        ("5 + 5", "calculate"),
        ("1e3", "cannot be read"),
        ("1_000", "cannot be read"),
        ("> x", "expected"),
        ("widget", "quotes"),
        ("len(x) > 3", "quotes"),
        ('"open', "quote"),
        ('"a\\"b"', "quote"),
        ("`a`", "double quotes"),
        ("[5..]", "value"),
        ('["a".."b"]', "two numbers"),
        ("[10..5]", "swap"),
        ("5 5", "expected"),
        (",", "value"),
        ("> 5 and", "value"),
        ("[1,2", "`]`"),
        ("1234567890123456", "at most"),
        ("0.1234567890123456", "decimals"),
        ("> " + "1" * 1_001, "characters"),
    ],
)
def test_what_cannot_be_analysed_is_refused_with_a_hint(cell, hint):
    with pytest.raises(CellFault) as refusal:
        cells.parse(cell)
    assert hint in str(refusal.value)


@pytest.mark.parametrize(
    ("cell", "field"),
    [('"a"', NUMBER), ("> 5", TEXT), ("5", TEXT), ("true", NUMBER), ("1", FLAG), ("[0..1]", FLAG), ("[1, true]", FLAG)],
)
def test_a_cell_of_another_type_is_refused(cell, field):
    with pytest.raises(ConditionMismatch):
        resolve(cells.parse(cell), field)


def test_a_thousand_values_in_one_cell_are_one_list():
    condition = cells.parse(",".join(f"{value}" for value in range(200)))
    assert all(resolve(condition, WHOLE_NUMBER).holds(value) for value in range(200))
    assert not resolve(condition, WHOLE_NUMBER).holds(200)
