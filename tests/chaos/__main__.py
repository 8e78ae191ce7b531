"""`python -m tests.chaos [--seconds N] [--seed N] [--page FILE]`: one run, its page, and a directory with its logs."""

from __future__ import annotations

import argparse
import re
import sys
import time
from pathlib import Path

import uvloop

from tests.chaos.report import page
from tests.chaos.run import harm

KEPT = Path(".millwright") / "chaos"


def seconds(text: str) -> float:
    """Read `90`, `90s` or `15m`."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(s|m)?", text)
    if not match:
        raise argparse.ArgumentTypeError("must be seconds, such as 90, or minutes, such as 15m")
    return float(match[1]) * (60 if match[2] == "m" else 1)


def main() -> None:
    """Run, write the page, and exit with 1 if there are violations."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description="Harm Millwright, and see what is left.")
    parser.add_argument("--seconds", type=seconds, default="15m", help="for how long: 90, or 15m, the default")
    parser.add_argument(
        "--seed", type=int, default=int(time.time()), help="what the plan is made of; the time by default"
    )
    parser.add_argument("--page", type=Path, metavar="FILE", help="write the page to a file; printed by default")
    options = parser.parse_args()
    directory = KEPT / f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-seed-{options.seed}"
    course = uvloop.run(harm(options.seed, options.seconds, directory))
    text = page(course)
    if options.page:
        options.page.write_text(text)
    (directory / "page.md").write_text(text)
    print(f"{len(course.violations)} violations; the journal and all logs are in {directory}")
    sys.exit("\n".join(course.violations) or 0)


if __name__ == "__main__":
    main()
