"""The trace that a call belongs to (W3C Trace Context), and spans where OpenTelemetry is installed.

Without the `otel` extra the trace id still travels: from the caller's `traceparent` into logs, events and calls to
others.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from random import getrandbits
from typing import TYPE_CHECKING

try:
    from opentelemetry import context as otel_context
    from opentelemetry import propagate as otel_propagate
    from opentelemetry import trace as otel_trace
except ImportError:  # the extra is not installed
    otel_trace = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
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


def origin() -> str:
    """Give the `traceparent` to keep with work that goes on after the call: the call's, or that of a new trace."""
    return (_current.get() or _begun()).traceparent


def join(traceparent: str) -> None:
    """Let the rest of the running task belong to the trace that its work was ordered in; it is no span of its own."""
    if trace := parse(traceparent):
        _made_current(_child(trace) if _tracer is None else trace)


def parse(traceparent: str | None) -> Trace | None:
    """Read a `traceparent` header; anything malformed counts as absent, as the standard demands."""
    match = _TRACEPARENT.fullmatch(traceparent or "")
    return Trace(*match.groups()) if match else None


def _child(parent: Trace) -> Trace:
    return Trace(parent.trace_id, f"{getrandbits(64) or 1:016x}", parent.flags)


def _begun() -> Trace:
    return Trace(f"{getrandbits(128) or 1:032x}", f"{getrandbits(64) or 1:016x}")


_tracer: Tracer | None = None


@contextmanager
def serving(method: str, traceparent: str | None) -> Iterator[Trace]:
    """Continue the caller's trace, or start one, for as long as the call is served; it is current within.

    It is a server span where spans are exported.
    """
    if _tracer is None:
        parent = parse(traceparent)
        yield _made_current(_child(parent) if parent else _begun())
        return
    parent_context = otel_propagate.extract({"traceparent": traceparent or ""})
    attributes = {"rpc.system": "grpc", "rpc.method": method}
    span = _tracer.start_span(method, parent_context, otel_trace.SpanKind.SERVER, attributes)
    otel_context.attach(otel_trace.set_span_in_context(span))
    try:
        yield _made_current(_position(span))
    finally:
        span.end()


@contextmanager
def working(name: str, traceparent: str) -> Iterator[None]:
    """Do, within, what was ordered in a trace; it is a span where spans are exported."""
    with _span(name, parse(traceparent), "INTERNAL") as trace:
        token = _current.set(trace)
        try:
            yield
        finally:
            _current.reset(token)


@contextmanager
def calling(name: str) -> Iterator[Trace]:
    """Give the position that a call to another service has in the trace; where spans are exported, it is one."""
    with _span(name, _current.get(), "CLIENT") as trace:
        yield trace


@contextmanager
def _span(name: str, parent: Trace | None, kind: str) -> Iterator[Trace]:
    if _tracer is None:
        yield _child(parent) if parent else _begun()
        return
    parent_context = otel_propagate.extract({"traceparent": parent.traceparent} if parent else {})
    span = _tracer.start_span(name, parent_context, otel_trace.SpanKind[kind])
    try:
        yield _position(span)
    except BaseException as error:  # by its name alone: what it says may be confidential
        span.set_status(otel_trace.StatusCode.ERROR, type(error).__name__)
        raise
    finally:
        span.end()


def _position(span: Span) -> Trace:
    ids = span.get_span_context()
    return Trace(f"{ids.trace_id:032x}", f"{ids.span_id:016x}", f"{ids.trace_flags:02x}")


def fail(error: BaseException) -> None:
    """Mark the current span as failed by `error`. A refusal is the caller's and marks nothing."""
    if _tracer is not None:
        span = otel_trace.get_current_span()
        span.record_exception(error)
        span.set_status(otel_trace.StatusCode.ERROR)


def _made_current(trace: Trace) -> Trace:
    # Never reset, like OpenTelemetry's context above: both end with the task that serves the call, and a stream's
    # generator may be closed in another context than it began in.
    _current.set(trace)
    return trace


def export(service: str) -> Callable[[], None]:
    """Send spans to the collector that the standard OTEL_EXPORTER_OTLP_ENDPOINT names; give what ends that.

    Without the variable, or without the extra, there are no spans.
    """
    global _tracer
    if otel_trace is None or not any(map(os.environ.get, _ENDPOINTS)):
        return lambda: None
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": f"millwright-{service}"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    _tracer = provider.get_tracer("millwright")
    return provider.shutdown
