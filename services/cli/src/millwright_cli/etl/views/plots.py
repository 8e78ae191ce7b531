"""Plots as SVG: columns, bars and a grid, drawn by hand so that a page needs no script and no network.

Colours are classes, which the page's style sheet sets for light and dark. All text is escaped here. What there is no
room for, such as the end of a long label, is in the title of what it belongs to.
"""

import math
from collections.abc import Mapping, Sequence
from html import escape

from rich.cells import cell_len, set_cell_size

_WIDTH = 720
_LEFT = 90
_RIGHT = 140
_CELL = 8.6
"""How wide a letter is, half as wide as one of Hangul."""
_MOST_CELLS = 24
_LABEL = 48
"""How much room a day below or above a column takes."""
_SHARE = 32


def columns(labels: Sequence[str], series: Sequence[tuple[str, str, Sequence[float]]]) -> str:
    """Draw stacked columns: a label a column; of each series its name, its class and its values."""
    height, base, top = 260, 220, 20
    most = max((sum(values) for values in zip(*(each for _, _, each in series), strict=True)), default=0) or 1
    step = (_WIDTH - _LEFT - 10) / max(len(labels), 1)
    drawn = [_axis(base, top, most)]
    for place, label in enumerate(labels):
        x, y = _LEFT + place * step + step * 0.12, float(base)
        for name, style, values in series:
            tall = values[place] / most * (base - top)
            y -= tall
            told = f"{label} · {name}: {values[place]:,.0f}"
            drawn.append(_rectangle(x, y, step * 0.76, tall, style, told))
        if place % math.ceil(_LABEL / step) == 0:
            drawn.append(_text(x + step * 0.38, base + 18, label, "middle"))
    return _svg(height, drawn)


def bars(rows: Sequence[tuple[str, float, str]], style: str, most: float = 0.0) -> str:
    """Draw a bar a row: its label, its value, and what is written behind it."""
    most = max([most, *(value for _, value, _ in rows)]) or 1
    left = _room([label for label, _, _ in rows])
    span, drawn = _WIDTH - left - _RIGHT, []
    for place, (label, value, told) in enumerate(rows):
        y = 8 + place * 28
        drawn.append(_text(left - 8, y + 15, _cut(label), "end"))
        drawn.append(_rectangle(left, y, value / most * span, 20, style, f"{label}: {told}"))
        drawn.append(_text(left + value / most * span + 8, y + 15, told, "start"))
    return _svg(len(rows) * 28 + 16, drawn)


def groups(rows: Sequence[tuple[str, Sequence[tuple[str, str, float | None]]]]) -> str:
    """Draw a group of bars a row, from 0 to 100 percent: of each its name, its class and its share."""
    left = _room([label for label, _ in rows])
    span, drawn, y = _WIDTH - left - _RIGHT, [], 8.0
    for label, parts in rows:
        drawn.append(_text(left - 8, y + len(parts) * 9, _cut(label), "end"))
        for name, style, share in parts:
            told = f"{name} {share:.1%}" if share is not None else f"{name} –"
            drawn.append(_rectangle(left, y, min(share or 0, 1.2) / 1.2 * span, 13, style, f"{label} · {told}"))
            drawn.append(_text(left + min(share or 0, 1.2) / 1.2 * span + 8, y + 11, told, "start", "small"))
            y += 16
        y += 12
    return _svg(int(y) + 4, drawn)


def grid(columns: Sequence[str], rows: Sequence[str], shares: Mapping[tuple[str, str], float | None]) -> str:
    """Draw a share a cell, the deeper the higher: by (row, column). It is written there too, if there is room."""
    left = _room(rows)
    step = min((_WIDTH - left - 10) / max(len(columns), 1), 90)
    drawn = [
        _text(left + (place + 0.5) * step, 14, label, "middle", "small")
        for place, label in enumerate(columns)
        if place % math.ceil(_LABEL / step) == 0
    ]
    for down, row in enumerate(rows):
        y = 22 + down * 30
        drawn.append(_text(left - 8, y + 18, _cut(row), "end"))
        for across, column in enumerate(columns):
            share = shares.get((row, column))
            told = f"{share:.0%}" if share is not None else "–"
            x, depth = left + across * step, f"{min(max(share or 0.0, 0.05), 1.0):.2f}"
            cell = _rectangle(x + 1, y, step - 2, 27, "oee", f"{row} · {column}: {told}")
            drawn.append(cell.replace("<rect", f'<rect fill-opacity="{depth}"', 1))
            if step >= _SHARE:
                drawn.append(_text(x + step / 2, y + 18, told, "middle", "small"))
    return _svg(len(rows) * 30 + 30, drawn)


def _room(labels: Sequence[str]) -> float:
    """Give how much room labels take at the left."""
    return max(_LEFT, max((cell_len(_cut(label)) for label in labels), default=0) * _CELL + 8)


def _cut(label: str) -> str:
    return label if cell_len(label) <= _MOST_CELLS else set_cell_size(label, _MOST_CELLS - 1).rstrip() + "…"


def _axis(base: float, top: float, most: float) -> str:
    drawn = []
    for share in (0.0, 0.5, 1.0):
        y = base - share * (base - top)
        drawn.append(f'<line class="rule" x1="{_LEFT}" x2="{_WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>')
        drawn.append(_text(_LEFT - 8, y + 4, f"{most * share:,.0f}", "end", "small"))
    return "".join(drawn)


def _rectangle(x: float, y: float, width: float, height: float, style: str, told: str) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" width="{max(width, 0):.1f}" height="{max(height, 0):.1f}"'
    return f'<rect class="{style}" {place}><title>{escape(told)}</title></rect>'


def _text(x: float, y: float, text: str, anchor: str, style: str = "") -> str:
    return f'<text class="{style}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _svg(height: int, drawn: Sequence[str]) -> str:
    return f'<div class="wide"><svg viewBox="0 0 {_WIDTH} {height}" role="img">{"".join(drawn)}</svg></div>'
