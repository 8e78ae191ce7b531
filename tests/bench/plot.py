"""Draws the figures that have a peer: one mark each, on a logarithmic scale of ratios, with the target's line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure as Drawing

from tests.bench.figures import Figure

MET, MISSED, FREE = "#1a7f37", "#cf222e", "#57606a"


def draw(figures: Sequence[Figure], target: Path) -> None:
    """Write the picture of all figures that have a peer."""
    shown = [(it, ratio) for it in reversed(figures) if (ratio := it.ratio)]
    with mpl.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        drawing = Drawing(figsize=(9, 1 + 0.24 * len(shown)), layout="constrained")
        axes = drawing.subplots()
        axes.axvline(1, color="#afb8c1", linewidth=1)
        for row, (it, ratio) in enumerate(shown):
            aim = it.least_ratio or it.most_ratio
            colour = FREE if aim is None else MET if it.is_met else MISSED
            axes.hlines(row, 1, ratio, color=colour, linewidth=1)
            axes.plot(ratio, row, "o", color=colour, markersize=5)
            side = {"xytext": (7, -3)} if ratio >= 1 else {"xytext": (-7, -3), "ha": "right"}
            axes.annotate(_times(ratio), (ratio, row), textcoords="offset points", color=colour, **side)
            if aim is not None:
                axes.plot(aim, row, "|", color="black", markersize=9)
        axes.set_yticks(range(len(shown)), [f"{it.bench}: {it.metric}" for it, _ in shown])
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(lambda ratio, _: f"{ratio:g}")
        axes.set_ylim(-0.6, len(shown) - 0.4)
        axes.margins(x=0.12)
        axes.grid(axis="x", color="#eaeef2")
        axes.set_axisbelow(True)
        axes.set_xlabel("times the peer's; short line: target; green: met, red: missed, grey: none", loc="right")
        drawing.savefig(target, dpi=110)


def _times(ratio: float) -> str:
    return f"{ratio:.0f}" if ratio >= 100 else f"{ratio:.2g}"
