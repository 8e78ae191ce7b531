"""Experiments as the tests begin them, and keys that are known to draw an arm."""

import itertools

from judgment_samples.documents import FIELDS, WELD_INPUTS, WELD_OUTPUTS, decision, table, weld_rows
from millwright.judgment.v1 import experiment_pb2, judgment_service_pb2
from millwright_judgment.domain import experiments

from judgment_rig.client import PROD, RULESET, given

Experiment, Guardrail, GuardrailResult = (
    experiment_pb2.Experiment,
    experiment_pb2.Guardrail,
    experiment_pb2.GuardrailResult,
)
CANARY, AB, SHADOW = Experiment.MODE_CANARY, Experiment.MODE_AB, Experiment.MODE_SHADOW
NAME = "experiments/tighter-limit"
MORE_CRITICAL = {"measure": Guardrail.MEASURE_TOP_OUTCOME_RATE, "max_increase": 0.1}
COLD = given(defect_rate=0.05, temperature=20.0)
"""An input that is normal with version 1, and critical with version 2."""


async def two_versions(client):
    """Publish a version 1, which `prod` points to, and a version 2 that calls a defect rate above 0.04 critical."""
    await client.publish("1.0.0", promote_to="prod")
    await tighter(client, "2.0.0", "> 0.04")


async def tighter(client, semver, limit, fields=()):
    """Publish a version with another limit; `fields` take the place of the first ones of its input."""
    rows = weld_rows(r_critical={"defect_rate": limit})
    changes = {"inputs": [*fields, *FIELDS[len(fields) :]]} if fields else {}
    await client.publish(semver, decision=decision(table(WELD_INPUTS, WELD_OUTPUTS, rows)), **changes)


def step(weight_bp=5000, seconds=0, min_executions=1_000_000):
    """A step of a canary, which by itself never ends."""
    return {"weight_bp": weight_bp, "min_duration": {"seconds": seconds}, "min_executions": min_executions}


async def begin(client, **fields):
    """Begin an experiment with version 2 on `prod`: by default a canary of a half."""
    given = {
        "name": NAME,
        "channel": PROD,
        "mode": CANARY,
        "arms": [{"name": "tighter", "version": 2}],
        "steps": [step()] if fields.get("mode", CANARY) == CANARY else [],
        **fields,
    }
    return await client.StartExperiment(experiment=Experiment(**given), reason="is it better?")


async def shadow(client, **fields):
    """Let version 2 judge in the shadow."""
    return await begin(client, mode=SHADOW, enrolment_bp=10_000, **fields)


def keys(trial, count, arm, enrolment_bp=10_000, at_step=0):
    """Give keys that draw an arm of a trial; None for those that take no part."""
    found = (f"lot-{number}" for number in itertools.count())
    return list(itertools.islice((key for key in found if drawn(trial, key, enrolment_bp, at_step) == arm), count))


def drawn(trial, key, enrolment_bp=10_000, at_step=0):
    """The name of the arm that a key draws, by our own code."""
    assigned = experiments.assign(trial, enrolment_bp, at_step, key)
    return assigned.arm.name if assigned else None


async def judge_all(client, keys, what=COLD):
    """Judge the same input once for each key, in one batch; give the executions."""
    inputs = [judgment_service_pb2.BatchInput(input=what, routing_key=key) for key in keys]
    answer = await client.JudgeBatch(ruleset=RULESET, inputs=inputs)
    return [result.judged.execution for result in answer.results]
