"""Resource names, as callers write them and as they are taken apart."""

from __future__ import annotations

import uuid
from datetime import date

from millwright_runtime.names import NameForm

_RUN = NameForm("runs/{uuid}")
_QUARANTINED = NameForm("quarantinedRecords/{uuid}")


def run(run: uuid.UUID) -> str:
    """Give the resource name of a run."""
    return f"runs/{run}"


def window(run: uuid.UUID, day: date) -> str:
    """Give the resource name of a window of a run."""
    return f"runs/{run}/windows/{day}"


def parse_run(name: str, field: str) -> uuid.UUID:
    """Give the id in a run's name; raise InvalidFields for `field` if it is malformed."""
    return _RUN.parse_uuid(name, field)


def quarantined(record: uuid.UUID) -> str:
    """Give the resource name of a quarantined row."""
    return f"quarantinedRecords/{record}"


def parse_quarantined(name: str, field: str) -> uuid.UUID:
    """Give the id in a quarantined row's name; raise InvalidFields for `field` if it is malformed."""
    return _QUARANTINED.parse_uuid(name, field)
