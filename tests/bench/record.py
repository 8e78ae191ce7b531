"""The figures of the last run of each bench, as they are kept beside the page that shows them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.bench.figures import Figure

RECORD = Path(__file__).parents[2] / "docs/benchmarks/figures.json"


@dataclass(frozen=True, slots=True)
class Measured:
    """One run of one bench: where, when, on which commit, and what came out."""

    date: str
    revision: str
    seconds: float
    """How long the bench took."""
    load: float
    """How many processes wanted a core in the minute before it began: others' work on this machine."""
    machine: Mapping[str, str]
    figures: Sequence[Figure]


def read() -> dict[str, Measured]:
    """Give what is kept, by the benches' names."""
    if not RECORD.exists():
        return {}
    kept = json.loads(RECORD.read_text())
    return {
        bench: Measured(**{**each, "figures": [Figure(**figure) for figure in each["figures"]]})
        for bench, each in kept.items()
    }


def write(measured: Mapping[str, Measured]) -> None:
    """Keep these."""
    kept = {bench: asdict(each) for bench, each in sorted(measured.items())}
    RECORD.parent.mkdir(parents=True, exist_ok=True)
    RECORD.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
