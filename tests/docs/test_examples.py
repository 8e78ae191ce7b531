"""Every workflow and every ruleset under `examples/` is one that this release publishes."""

from __future__ import annotations

from pathlib import Path

import pytest
from millwright_judgment.domain.ruleset import document
from millwright_workflow.domain import definition

EXAMPLES = Path(__file__).parents[2] / "examples"
WORKFLOWS = EXAMPLES / "workflows"
RULESETS = EXAMPLES / "rulesets"


@pytest.mark.parametrize("path", sorted(WORKFLOWS.rglob("*.yaml")), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_an_example_can_be_published(path):
    examination = definition.examine(path.read_text())
    assert not examination.faults
    assert not definition.unsupported(examination.sound)


@pytest.mark.parametrize("path", sorted(RULESETS.rglob("*.json")), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_an_example_ruleset_has_no_faults(path):
    assert not document.read(path.read_text()).findings
