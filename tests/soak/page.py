"""The page about a soak, and its plots. Every figure is measured."""

from __future__ import annotations

import os
import platform
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import matplotlib as mpl

from tests.soak.flood import REFUSED
from tests.soak.growth import Series
from tests.soak.mix import RARE_WEIGHTS, WEIGHTS, Outcome
from tests.soak.overload import LEAST_TIMES, TIMES, Overload, percentile
from tests.soak.samples import Samples

mpl.use("agg")
from matplotlib import pyplot

INTRODUCTION = """# What hours of work leave

Written by `make soak`; change nothing here by hand.

One replica of each service, Postgres, Valkey and NATS ran on one machine, with every flush to disk and retention on. A
mix of calls came at half the rate that the machine can serve: judgments, instances, reads, landed rows and runs, and
seldom an install, a replay, a rollback, a watched instance and work for a worker. What grows under that would end a
service after weeks. Instances, replays, runs and operations that had ended five minutes before were made old enough for
retention, and NATS kept events for ten minutes instead of seven days, so that all had work. What is kept by the day,
judgments and logs, goes with its day, which no hour shows; ended runs are looked at once an hour.

Tables and indexes are given by call: that there are more rows after more calls is no leak, that a call takes more is.
"""
OVERLOAD = """# {times:.1f} times as much as can be served

Written by `make overload`; change nothing here by hand.

One replica of each service, Postgres, Valkey and NATS ran on one machine, with every flush to disk. Processes of their
own called all services, without waiting for answers. What is let in must be served in time, what is not must be told
when to come again, what ends or mends work must go through, and afterwards it must be as before, without anybody's
help.

Services, servers and those who called them shared the CPUs; those who called too much had them first (a niceness of
-10), so what they took was missing to the services. Each service had twice as many connections to Postgres as Postgres
has cores, 10 at most, as [How to size](runbook.md#how-to-size) says.

{reached}
"""
REACHED = "{times:.2f} times as many calls as can be served were begun; {wanted:g} times as many were to be."
MISSED = """There were to be {wanted:g} times as many calls as can be served, and {times:.1f} times as many were begun.
So nothing here tells what more calls would do."""


@dataclass(frozen=True, slots=True)
class Soak:
    """What a soak gave."""

    seconds: float
    capacity: float
    outcomes: list[Outcome]
    samples: Samples

    @property
    def violations(self) -> list[str]:
        """What should not have been."""
        grown = [f"{it.name} grows: by {it.growth:.1f} {it.unit}".rstrip() for it in self.samples.all if it.grows]
        failed = [f"{count:,} calls failed at half of capacity: {what}" for what, count in self.failures.most_common()]
        return [*grown, *failed, *self.missing]

    @property
    def kinds(self) -> Counter[str]:
        """How many calls of which kind there were."""
        return Counter(it.kind for it in self.outcomes)

    @property
    def missing(self) -> list[str]:
        """The kinds of which there was none."""
        return [f"there was no call of the kind {kind}" for kind in (*WEIGHTS, *RARE_WEIGHTS) if not self.kinds[kind]]

    @property
    def failures(self) -> Counter[str]:
        """How many calls of which kind ended how, other than well."""
        return Counter(f"{it.kind} {it.code}" for it in self.outcomes if it.code != "OK")


def write(soak: Soak, docs: Path) -> None:
    """Write the page and its plots into a directory."""
    images = docs / "soak"
    images.mkdir(parents=True, exist_ok=True)
    groups = {
        "memory": soak.samples.memory,
        "file-handles": soak.samples.files,
        "connections": soak.samples.connections,
        "outboxes": soak.samples.outboxes,
        "tables": soak.samples.tables,
        "indexes": soak.samples.indexes,
    }
    for name, group in groups.items():
        _plot(images / f"{name}.png", name.replace("-", " "), group)
    (docs / "soak.md").write_text(_page(soak, list(groups)))


def write_overload(overload: Overload, docs: Path) -> None:
    """Write the page about an overload into a directory."""
    violations = [f"- {it}" for it in overload.violations] or ["None."]
    facts = [*_overload(overload), *_circumstances()]
    sections = (
        _overloaded(overload),
        _table(("", ""), facts),
        "## Violations\n",
        *violations,
        "\n## What is always let in\n",
        "Each came again and again, on what was made for it before. A limiter that refused one would say so here.\n",
        _table(("call", "made", "went through", "refused", "median", "slowest"), _emergencies(overload)),
    )
    docs.mkdir(parents=True, exist_ok=True)
    (docs / "overload.md").write_text("\n".join(sections))


def _page(soak: Soak, plots: list[str]) -> str:
    violations = [f"- {it}" for it in soak.violations] or ["None."]
    facts = [
        ("calls a second that can be served", f"{soak.capacity:.0f}"),
        ("soaked for", f"{soak.seconds / 60:.0f} minutes, {len(soak.outcomes):,} calls"),
        ("of kinds", ", ".join(f"{count:,} {kind}" for kind, count in soak.kinds.most_common())),
        ("latency at half of capacity", _latency(soak.outcomes)),
        *_circumstances(),
    ]
    series = [
        (it.name, it.unit, f"{it.values[-1]:.1f}", f"{it.growth:+.1f}", "yes" if it.grows else "no")
        for it in soak.samples.all
        if it.values
    ]
    sections = (
        INTRODUCTION,
        _table(("", ""), facts),
        "## Violations\n",
        *violations,
        "\n## What was measured\n",
        "Growth is the slope by Theil and Sen over the last two thirds of the time, times that time.\n",
        _table(("what", "unit", "in the end", "growth", "grows"), series),
        *(f"![{name.replace('-', ' ')}](soak/{name}.png)\n" for name in plots),
    )
    return "\n".join(sections)


def _circumstances() -> list[tuple[str, str]]:
    return [
        ("day", f"{datetime.now(UTC):%Y-%m-%d}"),
        ("machine", f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}"),
    ]


def _overload(overload: Overload) -> list[tuple[str, str]]:
    recovery = overload.recovery_seconds
    return [
        ("calls a second that can be served", f"{overload.capacity:.0f}"),
        ("calls begun a second", f"{overload.rate:.0f}, of {overload.capacity * TIMES:.0f} that were to be begun"),
        ("median before", f"{overload.usual * 1000:.0f} ms"),
        ("outcomes", ", ".join(f"{count:,} {code}" for code, count in overload.codes.most_common())),
        ("latency of what was admitted of 10 calls a second, from another process", _latency(overload.admitted)),
        ("latency of what is always let in", _latency(overload.emergencies)),
        ("as before after", f"{recovery:.0f} s" if recovery is not None else "never"),
    ]


def _emergencies(overload: Overload) -> list[tuple[str, ...]]:
    """Give a row of each kind of what is always let in."""
    rows = []
    for kind in sorted({it.kind for it in overload.emergencies}):
        outcomes = [it for it in overload.emergencies if it.kind == kind]
        codes, seconds = Counter(it.code for it in outcomes), [it.seconds for it in outcomes]
        times = (f"{median(seconds) * 1000:.0f} ms", f"{max(seconds) * 1000:.0f} ms")
        rows.append((kind, f"{len(outcomes)}", f"{codes['OK']}", f"{codes[REFUSED]}", *times))
    return rows


def _overloaded(overload: Overload) -> str:
    """Say how much too much it really was."""
    words = REACHED if overload.times >= LEAST_TIMES else MISSED
    reached = words.format(wanted=TIMES, times=overload.times)
    return OVERLOAD.format(times=overload.times, reached=reached)


def _latency(outcomes: list[Outcome]) -> str:
    if not outcomes:
        return "none"
    usual, most = median(it.seconds for it in outcomes), percentile(outcomes, 99)
    return f"median {usual * 1000:.0f} ms, 99 % within {most * 1000:.0f} ms"


def _plot(file: Path, title: str, group: Mapping[str, Series]) -> None:
    figure, axes = pyplot.subplots(figsize=(9, 3.5), layout="constrained")
    for name, series in group.items():
        axes.plot([time / 60 for time in series.times], series.values, label=name, linewidth=1)
    units = {series.unit for series in group.values()}
    axes.set(title=title, xlabel="minutes", ylabel=", ".join(units), ylim=(0, None))
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    figure.savefig(file, dpi=110, metadata={"Software": None})
    pyplot.close(figure)


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
