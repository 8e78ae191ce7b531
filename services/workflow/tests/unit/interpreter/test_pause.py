"""The `wait` task."""

import pytest


@pytest.mark.parametrize(
    ("length", "seconds"),
    [("{minutes: 1, milliseconds: 500}", 60.5), ("PT1H", 3600), ("'${ .pause }'", 90)],
)
def test_a_wait_lets_its_time_pass_and_its_input_through(plan, engine, length, seconds):
    one = engine()
    assert one.run(plan(f"do: [{{w: {{wait: {length}}}}}]"), {"pause": "PT1M30S"}) == {"pause": "PT1M30S"}
    assert [(str(each.reference), each.seconds) for each in one.waits] == [("/do/0/w", seconds)]


@pytest.mark.parametrize("value", ["soon", 5, None])
def test_a_wait_for_what_is_no_duration_faults(fault_of, value):
    error = fault_of("do: [{w: {wait: '${ .pause }'}}]", {"pause": value})
    assert (error.type.rsplit("/", 1)[1], error.instance) == ("expression", "/do/0/w")
