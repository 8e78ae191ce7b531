"""The trace of the caller goes on in us, with OpenTelemetry and without."""

from contextvars import Context

import pytest
from millwright_runtime import tracing
from millwright_runtime.api import status
from millwright_runtime.errors import NotFound
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE_ID}-b7ad6b7169203331-01"
UNSAMPLED = f"00-{TRACE_ID}-b7ad6b7169203331-00"


def run_alone(function, *arguments):
    """Call a function as a task of its own would, which no call has begun."""
    return Context().run(function, *arguments)


@pytest.fixture
def exported(monkeypatch):
    """The spans that ended, where a collector is there."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(tracing, "_tracer", provider.get_tracer("test"))
    yield exporter
    provider.shutdown()


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "x",
        PARENT[:-1],
        PARENT.upper(),
        PARENT + "\n",
        f"00-{'0' * 32}-b7ad6b7169203331-01",
        PARENT.replace("00-", "ff-", 1),
    ],
)
def test_a_malformed_header_counts_as_absent(header):
    assert tracing.parse(header) is None


def test_a_header_is_read_and_written_alike():
    assert tracing.parse(PARENT).traceparent == PARENT


def test_the_callers_trace_goes_on_under_a_span_of_ours():
    with tracing.serving("test", PARENT) as trace:
        assert trace.trace_id == TRACE_ID
        assert trace.span_id != "b7ad6b7169203331"
        assert tracing.current() == trace


def test_the_caller_decides_whether_the_trace_is_sampled():
    with tracing.serving("test", UNSAMPLED) as trace:
        assert trace.flags == "00"


def test_without_a_caller_a_trace_begins():
    with tracing.serving("test", None) as one, tracing.serving("test", None) as two:
        assert tracing.parse(one.traceparent) == one
        assert one.trace_id != two.trace_id


def test_work_that_goes_on_after_a_call_joins_the_calls_trace():
    with tracing.serving("test", PARENT):
        kept = tracing.origin()
    assert tracing.parse(kept).trace_id == TRACE_ID


def test_what_joined_a_trace_is_another_span_of_it_and_calls_on_under_a_third():
    def spans():
        tracing.join(PARENT)
        with tracing.calling("other.Service/Get") as call:
            return tracing.current(), call

    joined, call = run_alone(spans)
    assert joined.trace_id == call.trace_id == TRACE_ID
    assert len({joined.span_id, call.span_id, tracing.parse(PARENT).span_id}) == 3


def test_work_belongs_to_the_trace_that_it_was_ordered_in_and_to_none_afterwards():
    def work():
        with tracing.working("window", PARENT):
            during = tracing.current()
        return during, tracing.current()

    during, afterwards = run_alone(work)
    assert (during.trace_id, afterwards) == (TRACE_ID, None)


def test_without_a_call_an_origin_is_a_new_trace_each_time():
    assert tracing.parse(run_alone(tracing.origin)).trace_id != tracing.parse(run_alone(tracing.origin)).trace_id


def test_nothing_is_joined_by_what_is_no_position_in_a_trace():
    def joined():
        tracing.join("x")
        return tracing.current()

    assert run_alone(joined) is None


def test_a_collector_gets_a_span_below_the_callers(exported):
    with tracing.serving("test.Shapes.Get", PARENT) as trace:
        assert trace.trace_id == TRACE_ID
    (span,) = exported.get_finished_spans()
    assert (span.name, span.kind, span.status.status_code) == ("test.Shapes.Get", SpanKind.SERVER, StatusCode.UNSET)
    assert f"{span.parent.span_id:016x}" == "b7ad6b7169203331"
    assert f"{span.context.span_id:016x}" == trace.span_id


def test_an_unexpected_error_marks_the_span_and_a_refusal_does_not(exported):
    for error in (NotFound(), RuntimeError("unexpected")):
        with tracing.serving("test", None):
            status.refusal(error, "test")
    refused, failed = exported.get_finished_spans()
    assert (refused.status.status_code, refused.events) == (StatusCode.UNSET, ())
    assert failed.status.status_code == StatusCode.ERROR
    assert failed.events[0].name == "exception"


def test_a_collector_gets_the_way_from_a_call_over_work_to_another_service(exported):
    def work(kept):
        with tracing.working("window", kept), tracing.calling("other.Service/Get") as call:
            return call

    def instance(kept):
        tracing.join(kept)
        with pytest.raises(ValueError, match="secret"), tracing.calling("HTTP POST"):
            raise ValueError("a secret")

    with tracing.serving("test.Runs.Run", PARENT):
        kept = tracing.origin()
    call = run_alone(work, kept)
    run_alone(instance, kept)
    serving, calling, working, failed = exported.get_finished_spans()
    assert [span.parent.span_id for span in (working, calling, failed)] == [
        serving.context.span_id,
        working.context.span_id,
        serving.context.span_id,
    ]
    assert f"{calling.context.span_id:016x}" == call.span_id
    assert (working.kind, calling.kind, failed.kind) == (SpanKind.INTERNAL, SpanKind.CLIENT, SpanKind.CLIENT)
    assert (failed.status.description, failed.events) == ("ValueError", ())


def test_nothing_is_exported_where_no_collector_is_named(monkeypatch):
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    tracing.export("test")()
    assert tracing._tracer is None


def test_nothing_is_exported_without_the_extra(monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317")
    monkeypatch.setattr(tracing, "otel_trace", None)
    tracing.export("test")()
    assert tracing._tracer is None
    with tracing.serving("test", PARENT) as trace:
        assert trace.trace_id == TRACE_ID


def test_spans_are_exported_where_a_collector_is_named(monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317")
    monkeypatch.setattr(tracing, "_tracer", None)
    close = tracing.export("test")
    assert tracing._tracer is not None
    close()
