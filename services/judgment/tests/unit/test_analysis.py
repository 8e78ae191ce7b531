"""What the analysis finds is what trying every input of a small grid finds, no more and no less."""

import itertools
import json
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from judgment_samples.documents import decision, reading, table, weld, weld_rows
from millwright_judgment.domain.analysis.findings import Limits, analyse
from millwright_judgment.domain.evaluation.rows import Evaluator

LEVELS = ["normal", "warning", "critical"]
VALUES = {
    "a": [0, 1, 2, 3],
    "b": [0.0, 0.5, 1.0],
    "c": ["u", "v", "other"],
    "d": [False, True],
}
FIELDS = [
    {"field": "a", "type": "integer", "min": 0, "max": 3},
    {"field": "b", "type": "number", "resolution": 0.5, "min": 0, "max": 1},
    {"field": "c", "type": "string"},
    {"field": "d", "type": "boolean"},
]


def cell(random, name, *, is_optional):
    if random.random() < 0.4:
        return ""
    null = ["null", "!= null"] if is_optional else []
    match name:
        case "c":
            return random.choice(['"u"', '"v"', '"u", "v"', 'not in ["u"]', '!= "v"', *null])
        case "d":
            return random.choice(["true", "false", *null])
    low, high = sorted(random.choices([-1, 0, 0.25, 0.5, 1, 1.5, 2, 3, 4], k=2))
    bracket, end = random.choice("[("), random.choice("])")
    forms = [f"> {low}", f"<= {high}", f"{bracket}{low}..{high}{end}", f"not in [{low}..{high}]", f"{low}, {high}"]
    return random.choice([*forms, *null, *([f"< {low}, null"] if is_optional else [])])


def small(random, tables):
    """Give a document of so many tables on a grid of at most a few hundred inputs."""
    names = random.sample(sorted(VALUES), random.randint(1, 4))
    optional = {name: random.random() < 0.3 for name in VALUES}
    fields = [{**field, **({"missing": "allow"} if optional[field["field"]] else {})} for field in FIELDS]
    made, seen = [], []
    for number in range(tables):
        is_last = number == tables - 1
        rows = []
        for place in range(random.randint(1, 6)):
            row = {name: cell(random, name, is_optional=optional[name]) for name in names}
            row |= {grade: random.choice(["", "> 0", "1", "null", "[0..1]"]) for grade in seen}
            put_out = {"outcome": f'"{random.choice(LEVELS)}"'} if is_last else {f"g{number}": random.choice("012")}
            rows.append({"_id": f"t{number}r{place}", **row, **put_out})
        output = "outcome" if is_last else f"g{number}"
        hit = random.choice(["first", "collect"]) if is_last else "first"
        made.append(table([*names, *seen], [output], rows, name=f"t{number}", hit=hit, passes=True))
        seen.append(output)
    default = {"default": {"outcome": "normal"}} if random.random() < 0.2 else {}
    return weld(inputs=fields, decision=decision(*made), **default)


def every_input(rules):
    names = [field.name for field in rules.fields]
    choices = [[*VALUES[field.name], *([None] if field.is_nullable else [])] for field in rules.fields]
    return [dict(zip(names, values, strict=True)) for values in itertools.product(*choices)]


def matches(rules):
    """Give for every input which rules of each table match it, as places in the table."""
    evaluator = Evaluator(rules)
    tried = []
    for values in every_input(rules):
        matched = set(evaluator.matched_rules(evaluator.judge(values).matched))
        tried.append([[i for i, rule in enumerate(each.rules) if rule.id in matched] for each in rules.tables])
    return tried


def rule_of(found):
    return found.table, found.rule


@settings(max_examples=400, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([1, 1, 2, 3]))
def test_the_findings_are_those_of_trying_every_input(seed, tables):
    read = reading(small(Random(seed), tables))
    rules = read.require()
    found = analyse(rules, read.rule_places)
    tried = matches(rules)
    expected = {"UNREACHABLE_ROW": set(), "SHADOWED_ROW": set(), "GAP": set(), "OVERLAP": set()}
    for number, each in enumerate(rules.tables):
        of_table = [matched[number] for matched in tried]
        for place, rule in enumerate(each.rules):
            if not any(place in matched for matched in of_table):
                expected["UNREACHABLE_ROW"].add((each.name, rule.id))
            elif each.hit_policy == "first" and not any(matched[:1] == [place] for matched in of_table):
                expected["SHADOWED_ROW"].add((each.name, rule.id))
        if not all(of_table) and not (number == tables - 1 and rules.default):
            expected["GAP"].add((each.name, ""))
    for code in ("UNREACHABLE_ROW", "SHADOWED_ROW", "GAP"):
        assert {rule_of(it) for it in found if it.code == code} == expected[code], code
    assert not [it for it in found if it.code == "UNDECIDED"]


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32))
def test_overlaps_are_those_of_trying_every_input(seed):
    read = reading(small(Random(seed), 1))
    rules = read.require()
    (only,) = rules.tables
    tried = [matched for (matched,) in matches(rules)]

    def is_exception(rule, later):
        return all(later in matched for matched in tried if rule in matched)

    pairs = {
        (matched[0], later)
        for matched in tried
        for later in matched[1:]
        if only.rules[matched[0]].outputs != only.rules[later].outputs
    }
    speaking = {matched[0] for matched in tried if matched}
    expected = {only.rules[j].id for i, j in pairs if j in speaking and not is_exception(i, j)}
    found = [it for it in analyse(rules, read.rule_places) if it.code == "OVERLAP"]
    assert {it.rule for it in found} == (expected if only.hit_policy == "first" else set())


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([1, 2, 3]))
def test_examples_show_what_they_are_given_for(seed, tables):
    read = reading(small(Random(seed), tables))
    rules = read.require()
    evaluator = Evaluator(rules)
    for it in analyse(rules, read.rule_places):
        if it.code not in ("GAP", "OVERLAP"):
            assert it.example == ""
            continue
        matched = evaluator.matched_rules(evaluator.judge(json.loads(it.example)).matched)
        each = next(each for each in rules.tables if each.name == it.table)
        of_table = [rule.id for rule in each.rules if rule.id in matched]
        assert of_table == [] if it.code == "GAP" else it.rule in of_table[1:]


def findings(document, code, **limits):
    read = reading(document)
    found = analyse(read.require(), read.rule_places, Limits(**limits))
    return [it for it in found if it.code == code]


def test_a_gap_is_said_in_the_words_of_cells():
    rows = [
        {"_id": "low", "defect_rate": "< 0.08", "outcome": '"normal"'},
        {"_id": "high", "defect_rate": "> 0.08", "product": '"gear"', "outcome": '"critical"'},
    ]
    (limit, high) = findings(weld(rows), "GAP")
    assert limit.message == "No rule matches where defect_rate is 0.080: the judgment is NO_MATCH."
    assert high.message == (
        'No rule matches where defect_rate >= 0.080 and product is "widget": the judgment is NO_MATCH.'
    )
    assert json.loads(limit.example) == {"defect_rate": 0.08, "temperature": 0.0, "product": "gear"}
    assert limit.pointer == "/decision/nodes/1/content/rules"


def test_a_default_closes_the_gaps_of_the_last_table():
    rows = [{"_id": "low", "defect_rate": "< 0.08", "outcome": '"normal"'}]
    assert findings(weld(rows, default={"outcome": "critical"}), "GAP") == []


def test_a_shadowed_row_names_those_that_shadow_it():
    rows = [
        {"_id": "low", "defect_rate": "<= 0.04", "outcome": '"normal"'},
        {"_id": "hot", "temperature": "> 150", "outcome": '"warning"'},
        {"_id": "high", "defect_rate": "> 0.04", "outcome": '"critical"'},
        {"_id": "rest", "temperature": "< 0", "outcome": '"warning"'},
    ]
    (it,) = findings(weld(rows), "SHADOWED_ROW")
    assert (it.rule, it.pointer) == ("rest", "/decision/nodes/1/content/rules/3")
    assert it.message == "It never speaks: all that it matches goes to low and high before."


def test_a_cell_that_lets_nothing_through_is_named():
    (it,) = findings(weld(weld_rows(r_hot={"temperature": "> 200"})), "UNREACHABLE_ROW")
    assert (it.rule, it.field, it.pointer) == (
        "r-hot",
        "temperature",
        "/decision/nodes/1/content/rules/2/i_temperature",
    )
    assert "`> 200`" in it.message


def test_what_earlier_tables_never_put_out_together_is_not_reached():
    grade = [
        {"_id": "g1", "defect_rate": "> 0.5", "grade": "2"},
        {"_id": "g2", "grade": "1"},
    ]
    rows = [
        {"_id": "both", "grade": "2", "defect_rate": "<= 0.5", "outcome": '"critical"'},
        {"_id": "rest", "outcome": '"normal"'},
    ]
    first = table(["defect_rate"], ["grade"], grade, name="grades", passes=True)
    last = table(["grade", "defect_rate"], ["outcome"], rows, name="last")
    (it,) = findings(weld(decision=decision(first, last)), "UNREACHABLE_ROW")
    assert (it.table, it.rule, it.field) == ("last", "both", "")


def satisfying(columns, rows, seed):
    """Give a table of booleans that is as hard to see through as such tables get: 3-SAT at its threshold."""
    random = Random(seed)
    names = [f"x{number}" for number in range(columns)]
    fields = [{"field": name, "type": "boolean"} for name in names]
    made = [
        {
            "_id": f"r{number}",
            "outcome": f'"{random.choice(LEVELS)}"',
            **{name: random.choice(["true", "false"]) for name in random.sample(names, 3)},
        }
        for number in range(rows)
    ]
    return weld(inputs=fields, decision=decision(table(names, ["outcome"], made)))


def test_a_table_that_takes_too_long_is_said_to_be_undecided():
    (it,) = findings(satisfying(60, 260, 2), "UNDECIDED", steps=20_000, question_steps=2_000)
    assert it.message.startswith("Undecided, for the table takes too long to look through: whether ")
    assert it.pointer == "/decision/nodes/1/content/rules"


@pytest.mark.timeout(60)
@pytest.mark.parametrize("seed", range(3))
def test_no_table_of_200_rows_and_20_columns_takes_long(seed):
    random = Random(seed)
    names = [f"x{number}" for number in range(20)]
    fields = [{"field": name, "type": "number", "resolution": 0.01, "min": 0, "max": 100} for name in names]
    rows = []
    for number in range(200):
        lows = {name: random.uniform(0, 60) for name in names if random.random() < 0.3}
        cells = {name: f"[{low:.2f}..{low + 40:.2f}]" for name, low in lows.items()}
        rows.append({"_id": f"r{number}", **cells, "outcome": f'"{random.choice(LEVELS)}"'})
    assert findings(weld(inputs=fields, decision=decision(table(names, ["outcome"], rows))), "UNDECIDED") == []


def test_more_ways_than_are_looked_at_leave_a_table_undecided():
    first = [{"_id": f"f{number}", "defect_rate": f"<= 0.{number}", "grade": str(number)} for number in range(1, 9)]
    rows = [{"_id": "high", "grade": "> 3", "outcome": '"critical"'}, {"_id": "rest", "outcome": '"normal"'}]
    document = weld(
        decision=decision(
            table(["defect_rate"], ["grade"], first, name="grades"), table(["grade"], ["outcome"], rows, name="last")
        )
    )
    (it,) = findings(document, "UNDECIDED", ways=3)
    assert it.table == "last"
    assert findings(document, "UNDECIDED") == []
