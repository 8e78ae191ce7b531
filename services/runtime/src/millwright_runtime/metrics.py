"""Prometheus metrics that every service has. Names: `millwright_<thing>_<unit>`; the service is a target label."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import Counter, Gauge, Histogram, start_http_server

from millwright_runtime.settings import PortTaken

CALLS = Counter("millwright_calls_total", "gRPC calls by method and status code.", ["method", "code"])
CALL_SECONDS = Histogram(
    "millwright_call_seconds",
    "Time from a unary call's arrival to its answer.",
    ["method"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
CALLS_SHED = Counter("millwright_calls_shed_total", "Calls refused because too many were in progress.", ["method"])
CALL_LIMIT = Gauge("millwright_call_limit", "Calls that are served at once, at most.")
LOOP_LATE_SECONDS = Gauge("millwright_loop_late_seconds", "How late the event loop is.")
QUEUE_LATE_SECONDS = Gauge("millwright_queue_late_seconds", "How long is waited for a connection to Postgres.")
CALLS_LIMITED = Counter(
    "millwright_calls_limited_total",
    "Calls refused because their tenant asked for too much: by calls or writes a second, or at_once.",
    ["tenant", "limit"],
)
AUDIT_REFUSALS_DROPPED = Counter(
    "millwright_audit_refusals_dropped_total", "Refusals that the audit log has no entry of: too many of one caller."
)
STREAMS = Gauge("millwright_watch_streams", "Streams that are open.")
EVENTS_PUBLISHED = Counter("millwright_events_published_total", "Events acknowledged by JetStream.")
EVENTS_PENDING = Gauge("millwright_events_pending", "Events committed but not yet acknowledged by JetStream.")
EVENT_DELAY_SECONDS = Histogram(
    "millwright_event_delay_seconds",
    "Time from an event's commit to JetStream's acknowledgement.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 300),
)
LOOP_FAILURES = Counter(
    "millwright_loop_failures_total", "Passes of a background loop that ended in an error.", ["loop"]
)
PARTITIONS_MADE = Counter("millwright_partitions_made_total", "Partitions of tables that were made ahead.")
PARTITIONS_DROPPED = Counter(
    "millwright_partitions_dropped_total", "Partitions that were dropped with what was in them."
)
PARTITIONS_HELD = Gauge("millwright_partitions_held", "Partitions past their time that something still needs.")
ROWS_REMOVED = Counter("millwright_rows_removed_total", "Rows removed because they were past their time.", ["table"])
VALKEY_FAILURES = Counter("millwright_valkey_failures_total", "Operations on Valkey that failed and were done without.")
KEY_SET_FAILURES = Counter(
    "millwright_key_set_failures_total", "Times that the keys of tokens were wanted and could not be read."
)
CERTIFICATE_EXPIRY = Gauge(
    "millwright_certificate_expiry_timestamp_seconds", "When the certificate in use expires, as Unix time.", ["use"]
)
CERTIFICATE_FAILURES = Counter(
    "millwright_certificate_failures_total", "Looks at certificates that found others, unfit to be used.", ["use"]
)


def serve(listen: str) -> Callable[[], None]:
    """Answer GET /metrics on `host:port` from a thread, and give what ends that; raise PortTaken."""
    host, _, port = listen.rpartition(":")
    try:
        server, thread = start_http_server(int(port), host.strip("[]"))
    except OSError:
        raise PortTaken(listen) from None

    def close() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return close
