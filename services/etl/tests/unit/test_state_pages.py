"""The pages of states and the tables in the code say the same."""

import re
from pathlib import Path

import pytest
from millwright_etl.domain import quarantine
from millwright_etl.domain.runs import RUN_TRANSITIONS, WINDOW_TRANSITIONS

PAGES = Path(__file__).parents[4] / "docs/architecture"
DIAGRAM = re.compile(r"```mermaid\nstateDiagram-v2\n(.*?)```", re.DOTALL)
ARROW = re.compile(r"^    ([A-Z]+) --> ([A-Z]+): ([A-Z_]+)$", re.MULTILINE)
TABLE = re.compile(r"^\| edge of a (?:run|window|quarantined row) \|.*?\n\n", re.DOTALL | re.MULTILINE)
EDGE = re.compile(r"^\| `([A-Z]+)` → `([A-Z]+)` by `([A-Z_]+)` \|", re.MULTILINE)


@pytest.mark.parametrize(
    ("name", "place", "transitions"),
    [
        ("run-states.md", 0, RUN_TRANSITIONS),
        ("run-states.md", 1, WINDOW_TRANSITIONS),
        ("quarantine-states.md", 0, quarantine.TRANSITIONS),
    ],
)
def test_every_edge_is_in_the_picture_and_in_the_table(name, place, transitions):
    page = (PAGES / name).read_text()
    written = {(before, after, happening) for (before, after), happening in transitions.items()}
    assert set(ARROW.findall(DIAGRAM.findall(page)[place])) == written
    assert set(EDGE.findall(TABLE.findall(page)[place])) == written
