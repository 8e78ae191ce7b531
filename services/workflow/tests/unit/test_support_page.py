"""The page on the DSL has a row, with a reason, for exactly the constructs that publishing refuses."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from millwright_workflow.domain.definition import support

PAGE = Path(__file__).parents[4] / "docs" / "architecture" / "dsl.md"


@pytest.mark.parametrize(
    ("heading", "constructs"),
    [
        ("Refused with UNSUPPORTED_CONSTRUCT", {*support.UNSUPPORTED.values(), *support.UNSUPPORTED_VALUES}),
        ("Refused with CONSTRUCT_FORBIDDEN", set(support.FORBIDDEN.values())),
    ],
)
def test_the_page_has_a_reason_for_each_construct_that_is_refused(heading, constructs):
    section = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert section
    rows = re.findall(r"^\| ((?:`[^`]+`(?:, )?)+) \| (\S.*) \|$", section[1], re.MULTILINE)

    named = [name for cell, _ in rows for name in re.findall(r"`([^`]+)`", cell)]
    assert sorted(named) == sorted(constructs)
