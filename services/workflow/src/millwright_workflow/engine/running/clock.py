"""Clocks: what time it is for the engine. A simulation hands it clocks of its own."""

from __future__ import annotations

import time
from datetime import UTC, datetime


class Clock:
    """The clocks of this machine."""

    def now(self) -> datetime:
        """Give the wall clock's time in UTC, which may jump: for what is kept and shown."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Give seconds that only grow, and grow while the process is frozen too: for what must not be overstayed.

        The event loop's own time will not do: it stands still within a turn, and a process can be frozen in one.
        """
        return time.monotonic()
