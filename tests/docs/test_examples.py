"""Every workflow under `examples/` is a definition that this release runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from millwright_workflow.domain import definition

WORKFLOWS = Path(__file__).parents[2] / "examples" / "workflows"


@pytest.mark.parametrize("path", sorted(WORKFLOWS.rglob("*.yaml")), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_an_example_can_be_published(path):
    examination = definition.examine(path.read_text())
    assert not examination.faults
    assert not definition.unsupported(examination.sound)
