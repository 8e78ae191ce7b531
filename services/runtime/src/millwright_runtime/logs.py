"""Logs as JSON, one object a line on standard error, with the trace they belong to."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

import orjson

from millwright_runtime import tracing

_PLAIN_ATTRIBUTES = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """Write a record as one JSON object; whatever `extra` holds becomes keys of it."""

    def format(self, record: logging.LogRecord) -> str:
        """Give the line, without its end."""
        entry: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if trace := tracing.current():
            entry["trace_id"] = trace.trace_id
        entry |= {key: value for key, value in record.__dict__.items() if key not in _PLAIN_ATTRIBUTES}
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        try:
            return orjson.dumps(entry, default=str).decode()
        except TypeError:  # text or numbers that orjson is too strict for: half a surrogate pair, 65 bits
            return json.dumps(entry, default=str)


def configure(level: str) -> None:
    """Send everything from `level` on to standard error as JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("alembic.runtime.plugins").setLevel(logging.WARNING)  # it lists its parts whenever it is loaded
