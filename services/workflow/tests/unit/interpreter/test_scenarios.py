"""The scenarios of `scenarios.yaml`, against a world of one factory with a few web pages."""

from pathlib import Path

import pytest
import yaml
from millwright_workflow.domain.interpreter import errors

SCENARIOS = yaml.safe_load(Path(__file__).with_name("scenarios.yaml").read_text())
FEATURES = {"branch", "call", "data flow", "do", "emit", "flow", "for", "raise", "set", "switch", "try"}
PARAMETER = {"name": "n", "in": "path"}
OPENAPI = {
    "swagger": "2.0",
    "host": "mes.example",
    "schemes": ["http"],
    "paths": {"/presses/{n}": {"get": {"operationId": "press", "parameters": [PARAMETER]}}},
}


def ids(scenarios):
    return [each["scenario"] for each in scenarios]


COMPLETING = [each for each in SCENARIOS if "output" in each]
FAULTING = [each for each in SCENARIOS if "error" in each]


@pytest.fixture
def world(reply):
    return {
        "answers": {
            "http://mes.example/presses/4": reply({"force": 90}),
            "http://mes.example/gone": reply(status=404),
            "http://mes.example/moved": reply(status=302),
        },
        "documents": {"http://mes.example/api.json": OPENAPI},
    }


@pytest.mark.parametrize("scenario", COMPLETING, ids=ids(COMPLETING))
def test_a_workflow_completes_with_its_output(run, world, scenario):
    assert run(yaml.safe_dump(scenario["workflow"]), scenario.get("input"), **world) == scenario["output"]


@pytest.mark.parametrize("scenario", FAULTING, ids=ids(FAULTING))
def test_a_workflow_faults_with_its_error(fault_of, world, scenario):
    error = errors.as_json(fault_of(yaml.safe_dump(scenario["workflow"]), scenario.get("input"), **world))
    assert scenario["error"].items() <= error.items()


def test_every_feature_of_the_specification_has_a_scenario():
    assert {each["scenario"].partition(":")[0] for each in SCENARIOS} == FEATURES
