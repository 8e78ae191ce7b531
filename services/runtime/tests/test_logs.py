"""Logs are JSON, one object a line, whatever is logged."""

import io
import json
import logging

import pytest
from millwright_runtime import logs, tracing


@pytest.fixture
def logged():
    """Log a record and give its line as JSON."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.JsonFormatter())
    logger = logging.getLogger("test")
    logger.setLevel(logging.DEBUG)
    logger.addHandler(handler)

    def log(message, *args, **options):
        logger.info(message, *args, **options)
        (line,) = stream.getvalue().splitlines()
        return json.loads(line)

    yield log
    logger.removeHandler(handler)


def test_a_line_says_what_and_when(logged):
    line = logged("done %s", "well")
    assert (line["level"], line["logger"], line["message"]) == ("INFO", "test", "done well")
    assert line["time"].endswith("+00:00")


def test_what_is_given_as_extra_becomes_keys(logged):
    assert logged("done", extra={"port": 50051, "what": {1}})["port"] == 50051


def test_a_line_belongs_to_the_trace_of_its_call(logged):
    with tracing.serving("test", None) as trace:
        assert logged("done")["trace_id"] == trace.trace_id


def test_an_exception_stays_on_the_line(logged):
    try:
        raise ValueError("two\nlines")
    except ValueError:
        line = logged("failed", exc_info=True)
    assert "ValueError: two\nlines" in line["exception"]


@pytest.mark.parametrize("strange", ["\ud800", 2**70, {"\ud800": 1}, object])
def test_nothing_is_too_strange_to_be_logged(logged, strange):
    assert logged("done", extra={"strange": strange})["message"] == "done"
