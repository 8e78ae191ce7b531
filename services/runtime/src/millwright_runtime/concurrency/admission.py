"""Admission: how many calls may be in progress at once, so that those that are let in are served in time.

Owns a limit that gives way while the event loop is late, and comes back. A process that is asked for more than it can
do is late with all that it has let in, each call once for every step that it takes; so the limit follows the loop's
delay and not the calls' durations, which say nothing where some of them wait on purpose.

The limit shrinks by a share and grows by a step (AIMD: Chiu and Jain 1989). As with CoDel (RFC 8289), a delay counts
only if it stands: one late look may be a collection of garbage.
"""

from __future__ import annotations

import asyncio
import time

from millwright_runtime import metrics

_LOOK_SECONDS = 0.05
_FEWEST = 64
"""Calls that are let in however late the loop is: their work may be what it takes to be in time again."""
_SHRINK = 0.8
_GROWTH = 2


class Admission:
    """The limit of one process: between a few calls and `most` of them."""

    name = "admission"

    def __init__(self, most: int, late_seconds: float) -> None:
        """Give way while the loop is late by more than `late_seconds`."""
        self._most = most
        self._late_seconds = late_seconds
        self._was_late = False
        self.limit = most
        """How many calls may be in progress."""
        self.calls = 0
        """How many are."""

    @property
    def is_full(self) -> bool:
        """Whether there are as many as may be."""
        return self.calls >= self.limit

    def look(self, late_seconds: float) -> None:
        """Move the limit by how late the loop is now."""
        is_late = late_seconds > self._late_seconds
        if is_late and self._was_late:
            self.limit = max(min(_FEWEST, self._most), int(min(self.limit, self.calls) * _SHRINK))
        elif not is_late:
            self.limit = min(self._most, self.limit + _GROWTH)
        self._was_late = is_late

    async def run(self) -> None:
        """Look at the loop until cancelled."""
        while True:
            begin = time.monotonic()
            await asyncio.sleep(_LOOK_SECONDS)
            late_seconds = max(0.0, time.monotonic() - begin - _LOOK_SECONDS)
            self.look(late_seconds)
            metrics.LOOP_LATE_SECONDS.set(late_seconds)
            metrics.CALL_LIMIT.set(self.limit)
