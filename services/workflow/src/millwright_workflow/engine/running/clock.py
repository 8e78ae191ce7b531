"""Clocks: what time it is for the engine. A simulation hands it clocks of its own."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

_DRIFT = 0.001
"""How much the rates of two clocks may differ: more than quartz does, and less than would let a wrong answer stay."""


class Clock:
    """The time of the database, carried on by the monotonic clock of this machine.

    So an instance waits as long wherever it runs, and the wall clock of a replica may be wrong or jump.
    """

    def __init__(self) -> None:
        self._set_time: datetime | None = None
        self._set_at = 0.0
        self._doubt_seconds = float("inf")

    def set(self, now: datetime, asked_at: float) -> None:
        """Take over the time of the database, which was asked for at `asked_at` of the monotonic clock.

        It was told at some moment between then and now: an answer that took long is worth less than one before it
        that did not, for as long as clocks have not had the time to drift apart as much.
        """
        at = self.monotonic()
        doubt = (at - asked_at) / 2
        if doubt <= self._doubt_seconds + (at - self._set_at) * _DRIFT:
            self._set_time, self._set_at, self._doubt_seconds = now, at - doubt, doubt

    def now(self) -> datetime:
        """Give the time in UTC; until the database has told it, that of this machine's wall clock."""
        if self._set_time is None:
            return self.wall()
        return self._set_time + timedelta(seconds=self.monotonic() - self._set_at)

    def wall(self) -> datetime:
        """Give what this machine's wall clock says."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Give seconds that only grow, and grow while the process is frozen too: for what must not be overstayed.

        The event loop's own time will not do: it stands still within a turn, and a process can be frozen in one.
        """
        return time.monotonic()
