"""What a bench gives: figures, each with its unit, its peer where there is one, and its target where it has one."""

from __future__ import annotations

import json
import math
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass

from rich import box
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value. A peer was measured in the same run, by turns, so that noise hit both."""

    bench: str
    metric: str
    value: float
    unit: str
    peer: str | None = None
    peer_value: float | None = None
    most: float | None = None
    """The target: the value is to be at most this."""
    least: float | None = None
    """The target: the value is to be at least this."""
    most_ratio: float | None = None
    """The target: the value is to be at most so many times the peer's."""
    least_ratio: float | None = None
    """The target: the value is to be at least so many times the peer's."""

    @property
    def ratio(self) -> float | None:
        """The value as a part of the peer's."""
        return self.value / self.peer_value if self.peer_value else None

    @property
    def is_met(self) -> bool:
        """Tell whether the target is met; a figure without one always meets it."""
        ratio = self.ratio or 0.0
        return (
            (self.most is None or self.value <= self.most)
            and (self.least is None or self.value >= self.least)
            and (self.most_ratio is None or 0 < ratio <= self.most_ratio)
            and (self.least_ratio is None or ratio >= self.least_ratio)
        )

    @property
    def target(self) -> str:
        """The target, for people; empty if there is none."""
        targets = (
            ("≤", self.most, self.unit),
            ("≥", self.least, self.unit),
            ("≤", self.most_ratio, "× peer"),
            ("≥", self.least_ratio, "× peer"),
        )
        return ", ".join(f"{sign} {text(aim, unit)}" for sign, aim, unit in targets if aim is not None)

    def line(self) -> str:
        """Return the figure as one JSON object."""
        values: dict[str, object] = {
            "bench": self.bench,
            "metric": self.metric,
            "value": _rounded(self.value),
            "unit": self.unit,
        }
        if self.peer is not None and self.peer_value is not None and self.ratio is not None:
            values |= {"peer": self.peer, "peer_value": _rounded(self.peer_value), "ratio": _rounded(self.ratio)}
        return json.dumps(values)


Bench = Callable[[], AsyncIterator[Figure]]
"""Starts what it needs, gives its figures as they are known, and stops what it started."""


def percentile(values: Iterable[float], percent: float) -> float:
    """Return the smallest value that at least `percent` of the values do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def latencies(
    bench: str, what: str, seconds: Sequence[float], *, most_milliseconds: float | None = None
) -> Iterable[Figure]:
    """Give the median and the 99th percentile of some times; a target is the latter's."""
    yield Figure(bench, f"{what} p50", percentile(seconds, 50) * 1000, "ms")
    yield Figure(bench, f"{what} p99", percentile(seconds, 99) * 1000, "ms", most=most_milliseconds)


def table(figures: Sequence[Figure]) -> Table:
    """Show figures to people."""
    shown = Table("bench", "metric", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("value", "peer", "ratio", "target"):
        shown.add_column(column, justify="right")
    for it in figures:
        peer = "" if it.peer_value is None else text(it.peer_value, it.unit)
        ratio = "" if it.ratio is None else f"{it.ratio:.2f}"
        target = it.target and f"{it.target} {'✓' if it.is_met else '✗'}"
        shown.add_row(it.bench, it.metric, text(it.value, it.unit), peer, ratio, target)
    shown.caption = "\n".join(sorted({f"peer of {it.bench}: {it.peer}" for it in figures if it.peer}))
    shown.caption_justify = "left"
    return shown


def text(value: float, unit: str) -> str:
    """Show a value to people, with four digits that mean something."""
    rounded = _rounded(value)
    return f"{rounded:,.0f} {unit}".strip() if abs(rounded) >= 1000 else f"{rounded:g} {unit}".strip()


def _rounded(value: float) -> float:
    """Keep four digits that mean something."""
    return float(f"{value:.4g}")
