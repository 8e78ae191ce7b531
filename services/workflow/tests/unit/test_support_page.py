"""The page on the workflow service names exactly the constructs that publishing refuses."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from millwright_workflow.domain.definition import support

PAGE = Path(__file__).parents[4] / "docs" / "architecture" / "workflow.md"


@pytest.mark.parametrize(
    ("constructs", "today"),
    [
        (support.NOT_YET, "refused with UNSUPPORTED_CONSTRUCT: not yet"),
        (support.FORBIDDEN, "refused with CONSTRUCT_FORBIDDEN"),
    ],
)
def test_the_page_names_what_is_refused(constructs, today):
    row = re.search(rf"^\| (.*) \| {today} \|$", PAGE.read_text(), re.MULTILINE)

    assert row
    assert set(re.findall(r"`([^`]+)`", row[1])) == set(constructs.values())
