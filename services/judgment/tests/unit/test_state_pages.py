"""The page of states and the table in the code say the same."""

import re
from pathlib import Path

from millwright_judgment.domain.releases import VERSION_TRANSITIONS

PAGE = Path(__file__).parents[4] / "docs/architecture/ruleset-release-states.md"
EDGE = re.compile(r"^\| `([A-Z]+)` → `([A-Z]+)` \| ([A-Z_, ]+) \|", re.MULTILINE)
ARROW = re.compile(r"^    ([A-Z]+) --> ([A-Z]+): ([A-Z_, ]+)$", re.MULTILINE)


def drawn(pattern):
    """The edges of the page, with the operations that make them."""
    found = pattern.findall(PAGE.read_text())
    return {(before, after): set(operations.split(", ")) for before, after, operations in found}


def test_every_edge_is_in_the_table_and_in_the_picture():
    written = {
        (before.value, after.value): {operation.value for operation in operations}
        for (before, after), operations in VERSION_TRANSITIONS.items()
    }
    assert drawn(EDGE) == written
    assert drawn(ARROW) == written
