"""The trace that a call belongs to (W3C Trace Context), and spans where OpenTelemetry is installed.

Without the `otel` extra the trace id still travels: from the caller's `traceparent` into logs, events and calls to
others.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

try:
    from opentelemetry import propagate as otel_propagate
    from opentelemetry import trace as otel_trace
except ImportError:  # the extra is not installed
    otel_trace = None  # type: ignore[assignment]

_TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})")


@dataclass(frozen=True, slots=True)
class Trace:
    """One position in a trace, in the hexadecimal of `traceparent`."""

    trace_id: str
    span_id: str
    flags: str = "01"

    @property
    def traceparent(self) -> str:
        """Give the header to send on."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags}"


_current: ContextVar[Trace | None] = ContextVar("millwright_trace", default=None)


def current() -> Trace | None:
    """Give the trace of the running call, if there is one."""
    return _current.get()


def parse(traceparent: str | None) -> Trace | None:
    """Read a `traceparent` header; anything malformed counts as absent, as the standard demands."""
    match = _TRACEPARENT.fullmatch(traceparent or "")
    return Trace(*match.groups()) if match else None


@contextmanager
def serving(method: str, traceparent: str | None) -> Iterator[Trace]:
    """Continue the caller's trace, or start one, for as long as the call is served; it is current within.

    With OpenTelemetry it is a server span, marked as an error only if an exception passes through: a refusal is the
    caller's, not ours.
    """
    if otel_trace is None:
        parent = parse(traceparent)
        trace = Trace(parent.trace_id if parent else secrets.token_hex(16), secrets.token_hex(8))
        with _made_current(trace):
            yield trace
        return
    context = otel_propagate.extract({"traceparent": traceparent or ""})
    tracer = otel_trace.get_tracer("millwright")
    attributes = {"rpc.system": "grpc", "rpc.method": method}
    with tracer.start_as_current_span(method, context, otel_trace.SpanKind.SERVER, attributes) as span:
        ids = span.get_span_context()
        with _made_current(Trace(f"{ids.trace_id:032x}", f"{ids.span_id:016x}", f"{ids.trace_flags:02x}")) as trace:
            yield trace


@contextmanager
def _made_current(trace: Trace) -> Iterator[Trace]:
    _current.set(trace)  # never reset: a stream's generator may be closed in another context than it began in
    yield trace


def export(service: str) -> None:
    """Send spans to the collector that the standard OTEL_EXPORTER_OTLP_* variables name; without the extra, nothing."""
    if otel_trace is None:
        return
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": f"millwright-{service}"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    otel_trace.set_tracer_provider(provider)
