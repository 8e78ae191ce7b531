"""Mistakes of ours: what nobody foresaw is logged in full under an id of its own, and that id is all that others hear.

The one place that makes such an id. What an exception says may be confidential: it stays in the log.
"""

from __future__ import annotations

import logging
import uuid

from millwright_runtime.errors import MillwrightError


class Internal(MillwrightError):
    """Something went wrong on our side; the log has it as error {error_id}."""

    @property
    def error_id(self) -> str:
        """Give the id under which the log has it."""
        return self.variables["error_id"]


def record(log: logging.Logger, message: str, error: BaseException, **about: str) -> Internal:
    """Log `error` with its trace, its id and what it is `about`; give what others are told: its text is a sentence."""
    mistake = Internal(error_id=uuid.uuid4())
    log.error(message, extra={**about, "error_id": mistake.error_id}, exc_info=error)
    return mistake
