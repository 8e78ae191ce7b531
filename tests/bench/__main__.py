"""`python -m tests.bench [NAME] [--check] [--write]`: a JSON object a line, a table for people, and the pages.

All benches together write what they found to docs/benchmarks.md and to the READMEs; one alone only if it is asked to.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime

import uvloop
from rich.console import Console

from tests.bench import machine, pages, plot, record
from tests.bench.crash import crash, takeover
from tests.bench.engine import engine
from tests.bench.etl import etl
from tests.bench.figures import Bench, table
from tests.bench.judgment import judgment
from tests.bench.modules import modules
from tests.bench.record import Measured
from tests.bench.rollback import rollback
from tests.bench.storm import storm
from tests.bench.unary import unary

BENCHES: dict[str, Bench] = {
    "crash": crash,
    "engine": engine,
    "etl": etl,
    "judgment": judgment,
    "modules": modules,
    "rollback": rollback,
    "storm": storm,
    "takeover": takeover,
    "unary": unary,
}


def main() -> None:
    """Run the benches that are asked for, all by default.

    Exits with 1 if one of them broke, or --check finds a missed target.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Measure Millwright on this machine.")
    parser.add_argument("name", nargs="?", choices=sorted(BENCHES), help="one bench; all by default")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a target is missed")
    parser.add_argument("--write", action="store_true", help="write the pages after one bench, as after all")
    options = parser.parse_args()
    names = [options.name] if options.name else list(BENCHES)
    measured = uvloop.run(measure(names))
    figures = [figure for each in measured.values() for figure in each.figures]
    Console().print("", table(figures))
    if options.write or not options.name:
        kept = {**record.read(), **measured}
        record.write(kept)
        write_pages(kept)
    broken = sorted(set(names) - set(measured))
    missed = [f"{figure.bench}: {figure.metric}" for figure in figures if not figure.is_met]
    if broken:
        sys.exit(f"broken: {', '.join(broken)}")
    if options.check and missed:
        sys.exit(f"missed: {', '.join(missed)}")


async def measure(names: Sequence[str]) -> dict[str, Measured]:
    """Run the benches one after the other, printing each figure once it is known; one that breaks is left out."""
    progress = Console(stderr=True)
    measured = {}
    for name in names:
        begin, load, figures = time.perf_counter(), os.getloadavg()[0], []
        try:
            with progress.status(f"{name} …"):
                async for figure in BENCHES[name]():
                    figures.append(figure)
                    print(figure.line(), flush=True)
        except Exception:  # noqa: BLE001 - the others go on, and the run ends with an error
            traceback.print_exc()
            continue
        date, seconds = f"{datetime.now(UTC):%Y-%m-%d}", time.perf_counter() - begin
        measured[name] = Measured(date, revision(), seconds, load, machine.describe(), figures)
    return measured


def revision() -> str:
    """Give the commit that is measured; a + tells that files differ from it."""
    described = subprocess.run(["git", "describe", "--always", "--dirty=+"], check=True, capture_output=True, text=True)
    return described.stdout.strip()


def write_pages(measured: dict[str, Measured]) -> None:
    """Make the page, the picture and the READMEs' tables of what was measured."""
    purposes = {name: purpose(bench) for name, bench in BENCHES.items()}
    pages.PLOT.parent.mkdir(parents=True, exist_ok=True)
    pages.PAGE.write_text(pages.page(measured, purposes))
    plot.draw([figure for _, each in sorted(measured.items()) for figure in each.figures], pages.PLOT)
    for readme, head in pages.READMES.items():
        readme.write_text(pages.quote(readme.read_text(), head, measured))


def purpose(bench: Bench) -> str:
    """Say what a bench measures: what its module begins with."""
    return (sys.modules[bench.__module__].__doc__ or "").strip()


if __name__ == "__main__":
    main()
