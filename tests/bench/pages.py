"""The pages that show the figures: docs/benchmarks.md has all of them, the READMEs those that have a target.

Both are made of the record alone, so that no figure in them is typed by hand; a test holds them to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tests.bench.figures import Figure, text
from tests.bench.record import Measured

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/benchmarks.md"
PLOT = ROOT / "docs/benchmarks/ratios.png"
HEAD = ("what", "measured", "beside", "ratio", "target")
READMES = {
    ROOT / "README.md": HEAD,
    ROOT / "README.ko.md": ("항목", "측정값", "비교 대상", "비율", "목표"),
}
QUOTED = re.compile(r"(?<=<!-- figures: begin -->\n).*?(?=<!-- figures: end -->)", re.DOTALL)
PREFACE = """\
`make bench` writes this page: every figure is of its last run. A peer is measured in the same run and by turns with us,
so that other work on the machine hits both: read ratios rather than times. A ✓ or a ✗ says whether that run met the
target.\
"""


def page(measured: Mapping[str, Measured], purposes: Mapping[str, str]) -> str:
    """Give docs/benchmarks.md; `purposes` says by a bench's name what it measures."""
    picture = f"![Each figure that has a peer, as a ratio to it, with its target]({PLOT.relative_to(PAGE.parent)})"
    parts = ["# Benchmarks", PREFACE, picture]
    for bench, each in sorted(measured.items()):
        parts += [f"## {bench}", purposes[bench], _table(HEAD, each.figures), _conditions(bench, each)]
    return "\n\n".join(parts) + "\n"


def quote(readme: str, head: Sequence[str], measured: Mapping[str, Measured]) -> str:
    """Give a README with its figures made anew: of each bench those that have a target."""
    figures = [it for _, each in sorted(measured.items()) for it in each.figures if it.target]
    table = _table(head, figures, is_of_many=True)
    return QUOTED.sub(lambda _: f"{table}\n", readme)


def _table(head: Sequence[str], figures: Iterable[Figure], *, is_of_many: bool = False) -> str:
    lines = [f"| {' | '.join(head)} |", "|---|---:|---|---:|---|"]
    for it in figures:
        what = f"{it.bench}: {it.metric}" if is_of_many else it.metric
        beside = "" if it.peer_value is None else f"{it.peer}: {text(it.peer_value, it.unit)}"
        ratio = "" if it.ratio is None else f"{it.ratio:.2f}"
        target = it.target and f"{it.target} {'✓' if it.is_met else '✗'}"
        lines.append(f"| {what} | {text(it.value, it.unit)} | {beside} | {ratio} | {target} |")
    return "\n".join(lines)


def _conditions(bench: str, each: Measured) -> str:
    machine = ", ".join(f"{name}: {value}" for name, value in each.machine.items())
    return (
        f"`make bench BENCH={bench}` on {each.date} at {each.revision}, in {each.seconds:.0f} s; load of the machine "
        f"when it began: {each.load:.1f}.\n{machine}."
    )
