"""Figures are counted, compared and printed as the bench says."""

import json

import pytest

from tests.bench import pages, record
from tests.bench.__main__ import BENCHES, purpose
from tests.bench.figures import Figure, percentile


@pytest.mark.parametrize(("percent", "value"), [(0, 1), (50, 50), (99, 99), (99.5, 100), (100, 100)])
def test_a_percentile_is_a_value_that_occurred(percent: float, value: float) -> None:
    assert percentile(reversed(range(1, 101)), percent) == value


def test_the_percentile_of_one_value_is_that_value() -> None:
    assert percentile([7.0], 99) == 7.0


def test_a_line_holds_the_peer_and_the_ratio_only_where_there_is_a_peer() -> None:
    assert json.loads(Figure("b", "m", 1.23456, "ms").line()) == {
        "bench": "b",
        "metric": "m",
        "value": 1.235,
        "unit": "ms",
    }
    compared = json.loads(Figure("b", "m", 3.0, "ms", "echo", 4.0).line())
    assert (compared["peer"], compared["peer_value"], compared["ratio"]) == ("echo", 4.0, 0.75)


def test_a_target_is_met_up_to_its_value_and_missed_past_it() -> None:
    assert Figure("b", "m", 50.0, "ms", most=50.0).is_met
    assert not Figure("b", "m", 50.1, "ms", most=50.0).is_met
    assert Figure("b", "m", 50.1, "ms").is_met


def test_a_target_may_be_a_ratio_that_must_not_be_passed() -> None:
    assert Figure("b", "m", 2.0, "s", "unzip", 1.0, most_ratio=2).is_met
    assert not Figure("b", "m", 2.1, "s", "unzip", 1.0, most_ratio=2).is_met
    assert Figure("b", "m", 2.0, "s", "unzip", 1.0, most_ratio=2).target == "≤ 2 × peer"


def test_a_bench_has_a_purpose_in_words() -> None:
    assert all(purpose(bench) for bench in BENCHES.values())


def test_the_pages_show_what_was_measured_and_nothing_else() -> None:
    measured = record.read()
    assert set(measured) == set(BENCHES)
    assert pages.PAGE.read_text() == pages.page(measured, {name: purpose(bench) for name, bench in BENCHES.items()})
    for readme, head in pages.READMES.items():
        assert readme.read_text() == pages.quote(readme.read_text(), head, measured)
