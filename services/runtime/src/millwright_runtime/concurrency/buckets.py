"""Token buckets: how often each of many may do something, with room for a burst."""

from __future__ import annotations

from collections.abc import Callable, Hashable

_REMEMBERED = 10_000


class Buckets:
    """A bucket a key: it holds `burst` tokens at most and fills by `per_second`. Each use takes one."""

    def __init__(self, per_second: float, burst: float, clock: Callable[[], float]) -> None:
        self._per_second = per_second
        self._burst = burst
        self._clock = clock
        self._levels: dict[Hashable, tuple[float, float]] = {}
        """Of each key the level at an instant; those that are full again need not be known."""

    def take(self, key: Hashable) -> float:
        """Take a token and give 0, or take none and give the seconds until there is one."""
        now = self._clock()
        level, then = self._levels.get(key, (self._burst, now))
        level = min(self._burst, level + (now - then) * self._per_second)
        if level < 1:
            return (1 - level) / self._per_second
        if len(self._levels) >= _REMEMBERED:
            self._forget(now)
        self._levels[key] = (level - 1, now)
        return 0.0

    def _forget(self, now: float) -> None:
        refill = self._burst / self._per_second
        self._levels = {key: place for key, place in self._levels.items() if now - place[1] < refill}
        if len(self._levels) >= _REMEMBERED:  # so many at once: each begins with a full bucket
            self._levels.clear()
