"""What is written down of an event is, sign for sign, what the contract's own types print."""

import uuid
from datetime import UTC, datetime, timedelta, timezone

import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st
from millwright.workflow.v1 import instance_pb2, release_pb2
from millwright_runtime.events import bodies
from millwright_runtime.events.log import LoggedEvent
from millwright_workflow.api import responses
from millwright_workflow.domain.instances import Happening, InstanceEvent
from millwright_workflow.domain.interpreter import WorkflowError
from millwright_workflow.domain.releases import Operation, Release, RunPolicy
from millwright_workflow.store import events

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
texts = st.text(st.characters(codec="utf-8"), max_size=20)
times = st.integers(0, 10**10 * 10**6).map(lambda microseconds: EPOCH + timedelta(microseconds=microseconds))
rows = st.builds(
    Release,
    revision=st.integers(1, 2**62),
    operation=st.sampled_from(Operation),
    channel=st.none() | st.just("prod"),
    from_version=st.none() | st.integers(1, 2**31 - 1),
    to_version=st.integers(1, 2**31 - 1),
    marked_bad=st.booleans(),
    run_policy=st.none() | st.sampled_from(RunPolicy),
    reason=texts,
    actor=texts,
    automatic=st.booleans(),
    create_time=times,
)
happenings = st.builds(
    InstanceEvent,
    tenant=st.just("plant-1"),
    instance=st.uuids(),
    sequence=st.integers(1, 2**62),
    happening=st.sampled_from(Happening),
    workflow=st.just("plant.line"),
    version=st.none() | st.integers(1, 2**31 - 1),
    event_time=times,
    task=st.none() | texts,
    error=st.none()
    | st.builds(
        WorkflowError,
        type=texts,
        status=st.integers(-(2**31), 2**31 - 1),
        title=st.none() | texts,
        detail=st.none() | texts,
        instance=st.none() | texts,
    ),
)


@given(rows)
def test_the_event_of_a_release_is_the_release(row):
    body = events.of_release("plant-1", "plant.line", row).data
    message = responses.release("plant.line", row)
    assert json_format.ParseDict(body, release_pb2.Release()) == message
    assert json_format.MessageToDict(message) == body


@given(happenings)
def test_the_event_of_an_instance_prints_as_the_contract_prints_it(happening):
    event = events.of_instance(happening)
    message = json_format.ParseDict(event.data, instance_pb2.InstanceEvent())
    assert json_format.MessageToDict(message) == event.data


@given(happenings)
def test_a_watch_gives_the_event_as_it_was_logged(happening):
    event = events.of_instance(happening)
    logged = LoggedEvent(event.sequence, event.type, event.data, event.event_time)
    message = responses.instance_event(logged)
    assert (message.instance, message.sequence) == (f"instances/{happening.instance}", happening.sequence)
    assert message.event_time.ToDatetime(UTC) == happening.event_time


@pytest.mark.parametrize(
    ("microseconds", "digits"), [(0, ""), (120_000, ".120"), (1_000, ".001"), (1, ".000001"), (123_456, ".123456")]
)
def test_a_time_has_no_three_or_six_digits_of_a_second(microseconds, digits):
    time = datetime(2026, 3, 2, 17, 0, 0, microseconds, tzinfo=timezone(timedelta(hours=9)))
    assert bodies.timestamp(time) == f"2026-03-02T08:00:00{digits}Z"


def test_every_operation_and_every_happening_has_its_type():
    assert set(events.RELEASE_TYPES) == set(Operation)
    assert set(events.INSTANCE_TYPES) == set(Happening)
    types = [*events.RELEASE_TYPES.values(), *events.INSTANCE_TYPES.values()]
    assert len(set(types)) == len(types)


def test_a_rollback_is_of_its_own_kind():
    row = Release(1, Operation.ROLLBACK, "prod", 2, 1, True, RunPolicy.DRAIN, "it leaks", "kim", False, EPOCH)
    assert events.of_release("plant-1", "plant.line", row).kind == "rollback"


def test_finished_tasks_are_checkpoints():
    event = InstanceEvent(
        "plant-1", uuid.UUID(int=1), 3, Happening.TASK_COMPLETED, "plant.line", 1, EPOCH, EPOCH.date(), task="/do/0/a"
    )
    assert events.of_instance(event).kind == "checkpoint"


@given(rows, happenings)
def test_all_events_of_a_workflow_go_before_those_of_instances(row, happened):
    assert events.of_release("plant-1", "plant.line", row).is_urgent
    assert not events.of_instance(happened).is_urgent
