"""Python's values as messages: instants are those that protobuf's own way gives."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from millwright_runtime.api.messages import timestamp


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
