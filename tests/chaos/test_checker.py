"""The chaos suite's checker finds what is wrong, and nothing where all is well."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.chaos import checker
from tests.chaos.book import Call, Harm, Stream, Work
from tests.chaos.recovery import Recovery, recoveries

NOON = datetime(2025, 11, 14, 12, tzinfo=UTC)
TASKS = {"instance": ("press", "weld")}


def work(state="COMPLETED", steps=TASKS["instance"], end: float | None = 2.0) -> Work:
    """An instance that ended."""
    return Work("workflow", "instance", "instances/1", 1.0, end, state, list(steps))


def stream(*sequences: int, has_ended: bool = True) -> Stream:
    """A watch to which these events came."""
    return Stream("workflow", "WatchInstance", "instances/1", list(sequences), 1, has_ended)


def test_what_was_told_and_is_there_once_is_well() -> None:
    assert checker.check_told({"run": Counter(["a", "b"])}, {"run": ["b", "a"]}) == []


@pytest.mark.parametrize(
    ("told", "held", "violation"),
    [
        (["a", "b"], ["a"], "run was acknowledged and is lost: 1, such as b"),
        (["a"], ["a", "b"], "run is there and was told to nobody: 1, such as b"),
        (["a"], ["a", "a"], "run is there twice: 1, such as a"),
        (["a", "a"], ["a"], "run is the answer to two calls: 1, such as a"),
    ],
)
def test_what_is_lost_doubled_or_unasked_for_is_found(told, held, violation) -> None:
    assert checker.check_told({"run": Counter(told)}, {"run": held}) == [violation]


CANCELLATION = checker.Cancellation("instances/1", "why", NOON)


@pytest.mark.parametrize(
    ("held", "violation"),
    [
        (checker.Cancelled("why", "CANCELLED", NOON + timedelta(minutes=5)), None),
        (checker.Cancelled("why", "COMPLETED", NOON + timedelta(seconds=1)), None),
        (
            checker.Cancelled("why", "COMPLETED", NOON + timedelta(minutes=1)),
            "is COMPLETED 60 s after its cancellation",
        ),
        (checker.Cancelled("another", "CANCELLED", NOON), "is lost"),
        (None, "is lost"),
    ],
)
def test_a_cancellation_that_is_lost_or_that_nothing_comes_of_is_found(held, violation) -> None:
    found = checker.check_cancellations([CANCELLATION], {"instances/1": held} if held else {})
    assert [violation in it for it in found] == [True] * bool(violation)


def test_a_kind_of_which_nobody_was_told_is_looked_at_too() -> None:
    assert checker.check_told({}, {"run": ["a"]}) == ["run is there and was told to nobody: 1, such as a"]


def test_a_watch_from_its_first_event_to_its_end_is_well() -> None:
    assert checker.check_streams([stream(1, 2, 3)]) == []


@pytest.mark.parametrize(
    ("watch", "fault"),
    [
        (stream(1, 3), "goes from 1 to 3"),
        (stream(1, 1), "goes from 1 to 1"),
        (stream(2, 1), "begins at 2"),
        (stream(2, 3), "begins at 2"),
        (stream(1, 2, has_ended=False), "did not come to its end; it came to [2]"),
        (stream(has_ended=False), "did not come to its end; it came to []"),
    ],
)
def test_a_watch_with_a_gap_a_repeat_or_no_end_is_found(watch, fault) -> None:
    assert f"WatchInstance of instances/1 {fault}" in checker.check_streams([watch])


def test_an_instance_that_did_its_tasks_or_was_cancelled_among_them_is_well() -> None:
    assert checker.check_works([work(), work("CANCELLED", steps=["press"]), work("CANCELLED", steps=[])], TASKS) == []


@pytest.mark.parametrize(
    "bad",
    [
        work(end=None),
        work("FAULTED"),
        work(steps=["press"]),
        work(steps=["press", "press"]),
        work(steps=["press", "press", "weld"]),
        work("CANCELLED", steps=["weld"]),
        Work("judgment", "replay", "replays/1", 1.0, 2.0, "NOT_REPRODUCIBLE"),
        Work("modules", "install", "operations/1", 1.0, 2.0, "FAILED"),
    ],
)
def test_a_work_that_does_not_end_well_is_found(bad) -> None:
    assert len(checker.check_works([bad], TASKS)) == 1


@pytest.mark.parametrize(
    ("answered", "violation"),
    [
        ({}, None),
        ({"pieces": 0.0}, None),
        ({"run": "runs/2"}, "instances/1 was told of runs/2, which instances/2 asked for"),
        ({"run": "runs/9"}, "instances/1 was told of runs/9, which is lost"),
        ({"operation": "operations/9"}, "instances/1 was told of operations/9, which is lost"),
        ({"pieces": 5.0}, "instances/1 read 5.0 pieces, of 40.0"),
        ({"pieces": 50.0}, "instances/1 read 50.0 pieces, of 40.0"),
    ],
)
def test_what_an_instance_was_told_by_other_services_has_to_be_so(answered, violation) -> None:
    requesters = {"runs/1": "instances/1", "runs/2": "instances/2", "operations/1": "instances/1"}
    crossing = replace(checker.Crossing("instances/1", "runs/1", "operations/1", 20.0), **answered)
    assert checker.check_crossings([crossing], requesters, 10, 40.0) == ([violation] if violation else [])


def test_a_call_that_is_repeated_before_its_result_under_one_key_is_well() -> None:
    requests = [checker.Request("p1-press", NOON + timedelta(seconds=second), "k") for second in (0, 1)]
    assert checker.check_outside(requests, [checker.Result("p1-press", NOON + timedelta(seconds=2))]) == []


@pytest.mark.parametrize(
    ("later", "key", "violation"),
    [
        (3, "k", "p1-press was called after it had a result"),
        (1, "other", "p1-press was called with two keys"),
    ],
)
def test_a_call_after_its_result_or_under_another_key_is_found(later, key, violation) -> None:
    requests = [
        checker.Request("p1-press", NOON, "k"),
        checker.Request("p1-press", NOON + timedelta(seconds=later), key),
    ]
    result = checker.Result("p1-press", NOON + timedelta(seconds=2))
    assert checker.check_outside(requests, [result]) == [violation]


def test_a_result_without_a_call_is_found() -> None:
    assert checker.check_outside([], [checker.Result("p1-press", NOON)]) == [
        "has a result and was never called: 1, such as p1-press"
    ]


def test_calls_without_an_answer_amounts_that_differ_and_other_versions_are_found() -> None:
    assert len(checker.check_calls([Call("etl", "RunPipeline", 0.0), Call("etl", "RunPipeline", 0.0, end=1.0)])) == 1
    assert checker.check_amount("rows", 20, 20) == []
    assert checker.check_amount("rows", 1020, 20) == ["rows: 1,020 were acknowledged, 20 are there"]
    assert checker.check_live({"lots": "1.1.0"}, {"lots": "1.0.0"}) == ["lots has 1.0.0 live, not 1.1.0"]


def test_recovery_is_counted_from_the_fault_and_of_the_service_harmed() -> None:
    calls = [
        Call("workflow", "StartInstance", 9.0, end=9.5),
        Call("workflow", "StartInstance", 10.5, end=13.0),
        Call("workflow", "StartInstance", 11.0, end=12.0),
        Call("workflow", "StartInstance", 11.0, end=11.5, refusal="ABORTED"),
        Call("etl", "RunPipeline", 10.1, end=10.2),
    ]
    works = [
        Work("workflow", "instance", "1", 8.0, 9.0, "COMPLETED"),
        Work("workflow", "instance", "2", 9.0, 15.0, "COMPLETED"),
        Work("etl", "run", "3", 9.0, 20.0, "COMPLETED"),
    ]
    harms = [Harm("kill", "workflow-2", 10.0, 11.0), Harm("kill server", "postgres", 10.0, 11.0)]
    assert recoveries(harms, calls, works) == [
        Recovery("kill", 2.0, 5.0),
        Recovery("kill server postgres", 2.0, 10.0),
    ]
