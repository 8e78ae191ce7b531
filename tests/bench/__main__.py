"""`python -m tests.bench [NAME] [--check] [--output FILE]`: a JSON object a line, and a table for people after it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import uvloop
from rich.console import Console

from tests.bench.crash import crash, takeover
from tests.bench.engine import engine
from tests.bench.etl import etl
from tests.bench.figures import Bench, Figure, table
from tests.bench.judgment import judgment
from tests.bench.modules import modules
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
    """Run the benches that are asked for, all by default; exit with 1 if --check finds a missed target."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Measure Millwright on this machine.")
    parser.add_argument("name", nargs="?", choices=sorted(BENCHES), help="one bench; all by default")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a target is missed")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the JSON lines to a file as well")
    options = parser.parse_args()
    figures = uvloop.run(measure([options.name] if options.name else list(BENCHES)))
    Console().print("", table(figures))
    if options.output:
        options.output.write_text("".join(f"{figure.line()}\n" for figure in figures))
    missed = [figure.metric for figure in figures if not figure.is_met]
    if options.check and missed:
        sys.exit(f"missed: {', '.join(missed)}")


async def measure(names: Sequence[str]) -> list[Figure]:
    """Run the benches one after the other, and print each figure once it is known."""
    progress = Console(stderr=True)
    figures = []
    for name in names:
        with progress.status(f"{name} …"):
            async for figure in BENCHES[name]():
                figures.append(figure)
                print(figure.line(), flush=True)
    return figures


if __name__ == "__main__":
    main()
