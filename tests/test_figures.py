"""Figures are counted, compared and printed as the bench says."""

import json

import pytest

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
