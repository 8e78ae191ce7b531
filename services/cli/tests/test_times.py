"""Instants and spans, as they are said."""

from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from millwright_cli.arguments import duration
from millwright_cli.times import moment, relative, span
from millwright_cli.words import Language, Words

EN, KO = Words(Language.EN), Words(Language.KO)
NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 ms"), (0.0123, "12 ms"), (1, "1.0 s"), (61, "1 min 1 s"), (3_725, "1 h 2 min"), (180_000, "2 d 2 h")],
)
def test_a_span_is_said_in_units_that_fit(seconds, said):
    assert span(seconds, EN) == said


def test_an_instant_is_said_by_how_long_ago_or_ahead_it_is():
    assert relative(NOW - timedelta(minutes=3, seconds=50), EN, now=NOW) == "3 min ago"
    assert relative(NOW + timedelta(hours=1), EN, now=NOW) == "in 1 h"
    assert relative(NOW - timedelta(days=2), KO, now=NOW) == "2일 전"
    assert relative(NOW, EN, now=NOW) == "just now"


def test_a_moment_has_its_date_unless_it_is_today():
    today, before = Timestamp(), Timestamp()
    today.FromDatetime(NOW - timedelta(seconds=5))
    before.FromDatetime(NOW - timedelta(days=40))
    assert "-" not in moment(today, EN, now=NOW)
    assert moment(before, EN, now=NOW).startswith("2026-05-2")
    assert moment(Timestamp(), EN, now=NOW) == "–"


def test_a_duration_is_read_as_it_is_written():
    assert duration("90") == duration("90s") == duration("1m30s") == timedelta(seconds=90)
    assert duration("2d1h") == timedelta(days=2, hours=1)
