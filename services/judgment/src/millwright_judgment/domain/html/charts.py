"""Charts, as SVG that stretches to the width it is given. What they say is said in words beside them, too."""

from __future__ import annotations

from collections.abc import Sequence

from millwright_judgment.domain.html.markup import Markup, tag
from millwright_judgment.domain.statistics import Interval

_WIDTH = 1000
_HEIGHT = 20


def stacked_bar(parts: Sequence[tuple[str, int]], label: str) -> Markup:
    """Give one bar of parts side by side: a class of the style and a count each."""
    total = sum(count for _, count in parts) or 1
    drawn, left = [], 0.0
    for style, count in parts:
        width = _WIDTH * count / total
        drawn.append(tag("rect", class_=style, x=_round(left), y=0, width=_round(width), height=_HEIGHT))
        left += width
    return _picture(drawn, label)


def bar(share: float, label: str) -> Markup:
    """Give one bar as long as a share of the whole width."""
    return _picture(
        [
            tag("rect", class_="track", x=0, y=0, width=_WIDTH, height=_HEIGHT),
            tag("rect", class_="changed", x=0, y=0, width=_round(_WIDTH * share), height=_HEIGHT),
        ],
        label,
    )


def whisker(interval: Interval, highest: float, average: float, label: str) -> Markup:
    """Give a share with its interval, on a line that ends at `highest`; the average of all is marked."""
    low, value, high, mean = (
        _round(_WIDTH * min(1.0, each / highest)) for each in (interval.low, interval.value, interval.high, average)
    )
    middle = _HEIGHT / 2
    return _picture(
        [
            tag("rect", class_="track", x=0, y=middle - 1, width=_WIDTH, height=2),
            tag("rect", class_="average", x=mean, y=0, width=3, height=_HEIGHT),
            tag("rect", class_="reach", x=low, y=middle - 3, width=max(4.0, high - low), height=6),
            tag("rect", class_="changed", x=max(0.0, value - 4), y=2, width=8, height=_HEIGHT - 4),
        ],
        label,
    )


def balance(interval: Interval, farthest: float, label: str) -> Markup:
    """Give a difference with its interval, on a line from `-farthest` to `farthest`; no difference is marked."""
    low, value, high = (
        _round(_WIDTH * (0.5 + max(-0.5, min(0.5, each / farthest / 2))))
        for each in (interval.low, interval.value, interval.high)
    )
    middle = _HEIGHT / 2
    return _picture(
        [
            tag("rect", class_="track", x=0, y=middle - 1, width=_WIDTH, height=2),
            tag("rect", class_="reach", x=low, y=middle - 3, width=max(4.0, _round(high - low)), height=6),
            tag("rect", class_="average", x=_WIDTH / 2 - 1.5, y=0, width=3, height=_HEIGHT),
            tag("rect", class_="changed", x=max(0.0, value - 4), y=2, width=8, height=_HEIGHT - 4),
        ],
        label,
    )


def _picture(drawn: Sequence[Markup], label: str) -> Markup:
    return tag(
        "svg",
        tag("title", label),
        *drawn,
        role="img",
        view_box=f"0 0 {_WIDTH} {_HEIGHT}",
        preserve_aspect_ratio="none",
    )


def _round(number: float) -> float:
    return round(number, 1)
