"""Fields that every service has are taken as they are, or refused with their path."""

import math
import time
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.struct_pb2 import Value
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st
from millwright.workflow.v1.release_service_pb2 import RollbackVersionRequest
from millwright_runtime.api import calls, fields, messages
from millwright_runtime.api.calls import Call, Principal
from millwright_runtime.errors import InvalidFields, Violation

HOUR = timedelta(hours=1)

scalars = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(st.characters(codec="utf-8"))
jsons = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text("ab/~"), inner), max_leaves=10)


def refused(check, *given, **options):
    with pytest.raises(InvalidFields) as caught:
        check(*given, **options)
    (violation,) = caught.value.violations
    return violation.field, violation.reason


@given(jsons)
def test_json_comes_back_as_it_went(data):
    assert fields.json(messages.value(data), "input") == data


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_json_has_no_nan_and_no_infinity(number):
    value = Value()
    value.struct_value.fields["readings"].list_value.values.add().number_value = number
    assert refused(fields.json, value, "input") == ("input.readings[0]", "NOT_A_NUMBER")


@given(st.datetimes(timezones=st.just(UTC)))
def test_an_instant_comes_back_as_it_went(instant):
    assert fields.time(messages.timestamp(instant), "time") == instant


def test_no_instant_stays_unset():
    assert messages.timestamp(None) is None


@given(st.timedeltas(timedelta(days=-30), timedelta(days=30)))
def test_a_duration_comes_back_as_it_went(span):
    assert fields.duration(messages.duration(span), "span") == span


@pytest.mark.parametrize("check", [(fields.time, Timestamp(seconds=2**62)), (fields.duration, Duration(seconds=2**62))])
def test_what_python_cannot_hold_is_refused(check):
    function, message = check
    assert refused(function, message, "the_field") == ("the_field", "OUT_OF_RANGE")


def test_a_reason_may_be_missing_unless_it_is_required():
    assert fields.reason("") == ""
    assert refused(fields.reason, " ", required=True) == ("reason", "REQUIRED")


def test_a_text_has_a_limit_and_no_nul():
    assert fields.text("x" * 5, "note", 5) == "x" * 5
    assert refused(fields.text, "x" * 6, "note", 5) == ("note", "TOO_LONG")
    assert refused(fields.text, "\0", "note", 5) == ("note", "INVALID_CHARACTER")


def test_a_revision_may_be_missing_where_a_person_decides():
    assert list(fields.revision_faults(None)) == []
    assert list(fields.revision_faults(0, automatic=True)) == []
    assert [fault.reason for fault in fields.revision_faults(None, automatic=True)] == ["REQUIRED"]
    assert [fault.reason for fault in fields.revision_faults(-1)] == ["OUT_OF_RANGE"]


def test_a_rollback_that_says_nothing_asks_for_the_last_good_version_and_freezes_as_the_service_does():
    assert fields.rollback(RollbackVersionRequest(), HOUR) == {
        "target_version": None,
        "source_version": None,
        "expected_revision": None,
        "keep_source_good": False,
        "allow_bad_target": False,
        "freeze": HOUR,
    }


def test_a_rollback_is_what_was_asked_for():
    request = RollbackVersionRequest(
        target_version=2, source_version=3, expected_revision=0, keep_source_good=True, allow_bad_target=True, freeze={}
    )
    assert fields.rollback(request, HOUR) == {
        "target_version": 2,
        "source_version": 3,
        "expected_revision": 0,
        "keep_source_good": True,
        "allow_bad_target": True,
        "freeze": timedelta(0),
    }


def test_everything_that_is_wrong_with_a_rollback_is_told_at_once():
    request = RollbackVersionRequest(
        target_version=0, source_version=-1, expected_revision=-1, freeze=messages.duration(timedelta(days=31))
    )
    with pytest.raises(InvalidFields) as caught:
        fields.rollback(request, HOUR, [Violation("run_policy", "UNKNOWN_VALUE", "must be a value of RunPolicy")])
    named = [violation.field for violation in caught.value.violations]
    assert named == ["expected_revision", "target_version", "source_version", "freeze", "run_policy"]


def test_an_identifier_is_a_uuid():
    known = uuid.uuid4()
    assert fields.identifier(str(known), "id") == known
    assert refused(fields.identifier, "7", "id") == ("id", "NOT_A_UUID")


def test_a_watch_starts_nowhere_before_the_first():
    assert fields.from_sequence(0) == 0
    assert refused(fields.from_sequence, -1) == ("from_sequence", "OUT_OF_RANGE")


@pytest.mark.parametrize("asked", [timedelta(seconds=-1), timedelta(seconds=31)])
def test_a_wait_is_up_to_half_a_minute(asked):
    assert refused(fields.wait_seconds, messages.duration(asked)) == ("wait", "OUT_OF_RANGE")


def test_a_wait_leaves_time_to_answer():
    principal = Principal("somebody", "north", frozenset())
    calls.enter(Call("/test/List", principal, time.monotonic() + 5))
    assert 0 < fields.wait_seconds(messages.duration(timedelta(seconds=30))) < 5
    calls.enter(Call("/test/List", principal, time.monotonic() + 0.1))
    assert fields.wait_seconds(messages.duration(timedelta(seconds=30))) == 0


def test_now_is_now():
    assert abs(messages.now().ToDatetime(UTC) - datetime.now(UTC)) < timedelta(seconds=5)
