"""Python's values as messages: they are those that protobuf's own way gives."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from google.protobuf import json_format
from google.protobuf.struct_pb2 import Value
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st
from millwright_runtime.api.messages import timestamp, value

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@pytest.mark.parametrize(
    "time",
    [
        datetime(1969, 12, 31, 23, 59, 59, 999_999, UTC),
        datetime(2026, 11, 25, 8, 30, 0, 1, timezone(timedelta(hours=9))),
        datetime.min.replace(tzinfo=UTC),
        datetime.max.replace(tzinfo=UTC),
    ],
)
def test_an_instant_is_to_the_microsecond_what_protobuf_makes_of_it(time):
    known = Timestamp()
    known.FromDatetime(time)
    assert timestamp(time) == known


@given(JSON)
def test_json_is_what_protobuf_makes_of_it(json):
    assert value(json) == json_format.ParseDict(json, Value())


@pytest.mark.timeout(30)
def test_a_long_name_is_not_copied_for_each_entry_of_what_it_names():
    (entries,) = value({"x" * 2_000_000: [1] * 200_000}).struct_value.fields.values()
    assert len(entries.list_value.values) == 200_000
