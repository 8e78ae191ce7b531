"""Pages of executions come out of Parquet as they went in."""

import uuid
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from judgment_samples.chance import random_inputs, random_ruleset
from judgment_samples.documents import decision, ruleset, table, weld
from judgment_samples.pages import page
from millwright_judgment.domain.evaluation.columns import ColumnEvaluator
from millwright_judgment.domain.evaluation.rows import Evaluator
from millwright_judgment.domain.input.decoding import text_column
from millwright_judgment.store import parquet
from millwright_judgment.store.parquet import CopyDamaged


def mixed(seed, rows=40):
    """Give a page of two random versions, and the versions."""
    random = Random(seed)
    known = {number: Evaluator(random_ruleset(random)) for number in (1, 2)}
    judged = []
    for _ in range(rows):
        number = random.choice([1, 1, 1, 2])
        judged.append((number, known[number], random_inputs(random, known[number].ruleset, 1)[0]))
    names = {
        name: [random.choice([None, "L1", "라인"]) for _ in judged] for name in ("line", "product", "shift", "unit")
    }
    return page(judged, **names), known


def texts(column):
    return [None if code < 0 else column.texts[code] for code in column.codes]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_a_page_comes_back_as_it_was(seed):
    made, known = mixed(seed)
    back = parquet.to_page(parquet.decode(parquet.encode(made, known)))
    assert [back.execution(row) for row in range(back.rows)] == [made.execution(row) for row in range(made.rows)]
    assert back.versions.tolist() == made.versions.tolist()
    assert back.recorded.matched == made.recorded.matched
    assert back.recorded.confidence.tolist() == made.recorded.confidence.tolist()
    assert texts(back.recorded.rule) == texts(made.recorded.rule)
    assert {name: texts(it) for name, it in back.segments.items()} == {
        name: texts(it) for name, it in made.segments.items()
    }
    for row in range(made.rows):
        given_input = {name: value for name, value in made.inputs.at(row).items() if value is not None}
        assert back.inputs.at(row) == given_input


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_a_copy_is_judged_as_the_original_is(seed):
    made, known = mixed(seed)
    back = parquet.to_page(parquet.decode(parquet.encode(made, known)))
    for number in np.unique(made.versions).tolist():
        rows = np.flatnonzero(made.versions == number)
        evaluator = ColumnEvaluator(known[number])
        fields = known[number].ruleset.fields
        one = evaluator.judge(made.inputs.columns(fields, rows), len(rows))
        other = evaluator.judge(back.inputs.columns(fields, rows), len(rows))
        assert (one.decision == other.decision).all()
        assert (one.matched == other.matched).all()


def test_versions_that_differ_in_a_fields_type_lie_beside_one_another():
    def version(kind, cell):
        rows = [{"_id": "r", "x": cell, "outcome": '"critical"'}, {"_id": "rest", "outcome": '"normal"'}]
        main = table(["x"], ["outcome"], rows)
        return Evaluator(ruleset(weld(inputs=[{"field": "x", "type": kind}], decision=decision(main))))

    known = {1: version("number", "> 5"), 2: version("string", '"high"'), 3: version("boolean", "true")}
    judged = [
        (1, known[1], {"x": 7}),
        (2, known[2], {"x": "high"}),
        (3, known[3], {"x": False}),
        (1, known[1], {"x": 1}),
    ]
    made = page(judged)
    decoded = parquet.decode(parquet.encode(made, known))
    assert {"number.x", "text.x", "flag.x"} <= set(decoded.column_names)
    back = parquet.to_page(decoded)
    assert [back.inputs.at(row) for row in range(4)] == [{"x": 7.0}, {"x": "high"}, {"x": False}, {"x": 1.0}]


def test_a_page_that_does_not_belong_to_its_versions_is_not_written():
    made, known = mixed(1)
    short = replace(made, recorded=replace(made.recorded, matched=made.recorded.matched[:-1]))
    with pytest.raises(CopyDamaged):
        parquet.encode(short, known)


def test_a_few_rows_of_a_file_are_a_page_of_their_own():
    made, known = mixed(7)
    table_ = parquet.decode(parquet.encode(made, known)).take([3, 5])
    few = parquet.to_page(table_)
    assert [few.execution(row) for row in range(2)] == [made.execution(3), made.execution(5)]
    size = [known[number].matched_bytes for number in made.versions.tolist()]
    assert len(few.recorded.matched) == size[3] + size[5]
    assert isinstance(few.execution(0), uuid.UUID)
    assert parquet.to_page(table_.slice(1, 1)).recorded.matched == few.recorded.matched[size[3] :]
    assert parquet.to_page(table_.slice(2)).recorded.matched == b""


def test_texts_that_are_all_absent_come_back():
    made, known = mixed(3)
    empty = text_column([None] * made.rows)
    back = parquet.to_page(
        parquet.decode(parquet.encode(replace(made, segments=dict.fromkeys(made.segments, empty)), known))
    )
    assert texts(back.segments["line"]) == [None] * made.rows
