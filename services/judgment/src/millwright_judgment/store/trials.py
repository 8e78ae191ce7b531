"""What an experiment tries, as it is kept in its plan, and what was counted of it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import orjson
from millwright_runtime.postgres.database import Connection

from millwright_judgment.domain.experiments import Arm, Guardrail, Measure, Mode, Step, Trial
from millwright_judgment.domain.guardrails import GuardrailResult

MARK_KEPT = timedelta(hours=1)
"""How long a mark is known: far longer than a caller waits, and what nobody waits for is not stored again."""
_FORGET_BATCH = 10_000


@dataclass(frozen=True, slots=True)
class Counts:
    """What a batch of judgments adds to what was counted; keys begin with the tenant and the experiment."""

    outcomes: Mapping[tuple[str, str, int, str, str], int]
    """By step, arm and outcome."""
    pairs: Mapping[tuple[str, str, str, str, str], int]
    """By arm, the control's outcome and the arm's."""
    units: Mapping[tuple[str, str, int, int], str]
    """The arm by the hash of the unit and the step."""
    tallies: Mapping[tuple[str, str, int, int, str, str, str], int]
    """By step, unit, arm, the control's outcome in shadow mode (empty otherwise), and outcome."""


def to_text(trial: Trial) -> str:
    """Give a plan as JSON."""
    return orjson.dumps(
        {
            "arms": [{"name": arm.name, "version": arm.version, "weight": arm.weight} for arm in trial.arms],
            "guardrails": [_guardrail(guardrail) for guardrail in trial.guardrails],
            "steps": [
                {
                    "weightBp": step.weight_bp,
                    "minSeconds": step.min_duration.total_seconds(),
                    "minExecutions": step.min_executions,
                }
                for step in trial.steps
            ],
        }
    ).decode()


def evidence(results: Sequence[GuardrailResult]) -> str:
    """Give what guardrails said, as the release log keeps it: JSON, its names those of the contract."""
    return orjson.dumps([_result(result) for result in results]).decode() if results else ""


def _result(result: GuardrailResult) -> dict[str, Any]:
    difference = result.difference
    return {
        "guardrail": _guardrail(result.guardrail),
        "arm": result.arm,
        "verdict": result.verdict.value,
        "armRate": result.arm_counts.share,
        "controlRate": result.control_counts.share,
        "difference": {
            "value": difference.value,
            "low": difference.low,
            "high": difference.high,
            "confidence": difference.confidence,
            "method": difference.method,
        },
        "armExecutions": result.arm_counts.total,
        "controlExecutions": result.control_counts.total,
    }


def _guardrail(guardrail: Guardrail) -> dict[str, Any]:
    return {
        "measure": guardrail.measure.value,
        "outcome": guardrail.outcome,
        "maxIncrease": guardrail.max_increase,
        "maxDecrease": guardrail.max_decrease,
        "alpha": guardrail.alpha,
    }


def from_text(experiment: str, mode: str, text: str) -> Trial:
    """Give what a plan says."""
    plan: dict[str, list[dict[str, Any]]] = orjson.loads(text)
    return Trial(
        experiment,
        Mode(mode),
        tuple(Arm(arm["name"], arm["version"], arm["weight"]) for arm in plan["arms"]),
        tuple(
            Guardrail(Measure(it["measure"]), it["outcome"], it["maxIncrease"], it["maxDecrease"], it["alpha"])
            for it in plan["guardrails"]
        ),
        tuple(
            Step(step["weightBp"], timedelta(seconds=step["minSeconds"]), step["minExecutions"])
            for step in plan["steps"]
        ),
    )


async def count(connection: Connection, counts: Counts) -> None:
    """Add to what was counted; rows are taken in one order by everybody, so that nobody waits in a ring."""
    if counts.outcomes:
        await connection.execute(_COUNT, *_columns(counts.outcomes, 5))
    if counts.pairs:
        await connection.execute(_PAIR, *_columns(counts.pairs, 5))
    if counts.units:
        await connection.execute(_UNITS, *_columns(counts.units, 4))
        await connection.execute(_TALLY, *_columns(counts.tallies, 7))


async def mark(connection: Connection, marks: Sequence[tuple[str, uuid.UUID]]) -> int:
    """Say of requests, each a mark with its tenant, that they were counted; give how many were not known for that."""
    tag = await connection.execute(_MARK, [tenant for tenant, _ in marks], [mark for _, mark in marks])
    return int(tag.rpartition(" ")[2])


async def marked(connection: Connection, marks: Sequence[tuple[str, uuid.UUID]]) -> set[uuid.UUID]:
    """Give those of the marks that are there."""
    rows = await connection.fetch(_MARKED, [tenant for tenant, _ in marks], [mark for _, mark in marks])
    return {row["mark"] for row in rows}


async def forget_marks(connection: Connection) -> int:
    """Remove marks that nobody looks for any more, a batch at a time; give how many."""
    return len(await connection.fetch(_FORGET_MARKS, MARK_KEPT, _FORGET_BATCH))


def _columns(values: Mapping[Any, Any], keys: int) -> Sequence[list[Any]]:
    ordered = sorted(values.items())
    return [*([key[place] for key, _ in ordered] for place in range(keys)), [value for _, value in ordered]]


_COUNT = """
INSERT INTO judgment.experiment_count AS counted (tenant, experiment, step, arm, outcome, executions)
SELECT * FROM unnest($1::text[], $2::text[], $3::integer[], $4::text[], $5::text[], $6::bigint[])
ON CONFLICT (tenant, experiment, step, arm, outcome)
    DO UPDATE SET executions = counted.executions + excluded.executions
"""
_PAIR = """
INSERT INTO judgment.experiment_pair AS counted
    (tenant, experiment, arm, control_outcome, arm_outcome, executions)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[])
ON CONFLICT (tenant, experiment, arm, control_outcome, arm_outcome)
    DO UPDATE SET executions = counted.executions + excluded.executions
"""
# Those that are new are counted where they were first seen.
_UNITS = """
WITH new AS (
    INSERT INTO judgment.experiment_unit (tenant, experiment, unit_hash, step, arm)
    SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::integer[], $5::text[])
    ON CONFLICT DO NOTHING RETURNING tenant, experiment, step, arm
)
INSERT INTO judgment.experiment_split AS split (tenant, experiment, step, arm, units)
SELECT tenant, experiment, step, arm, count(*) FROM new GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
ON CONFLICT (tenant, experiment, step, arm) DO UPDATE SET units = split.units + excluded.units
"""
_TALLY = """
INSERT INTO judgment.experiment_tally AS tally
    (tenant, experiment, step, unit_hash, arm, control_outcome, outcome, executions)
SELECT * FROM unnest(
    $1::text[], $2::text[], $3::integer[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::bigint[]
)
ON CONFLICT (tenant, experiment, step, unit_hash, arm, control_outcome, outcome)
    DO UPDATE SET executions = tally.executions + excluded.executions
"""
_MARK = """
INSERT INTO judgment.experiment_mark (tenant, mark) SELECT * FROM unnest($1::text[], $2::uuid[]) ON CONFLICT DO NOTHING
"""
_MARKED = """
SELECT mark FROM judgment.experiment_mark JOIN unnest($1::text[], $2::uuid[]) AS asked (tenant, mark)
    USING (tenant, mark)
"""
_FORGET_MARKS = """
DELETE FROM judgment.experiment_mark WHERE ctid = ANY (ARRAY (
    SELECT ctid FROM judgment.experiment_mark WHERE create_time < clock_timestamp() - $1::interval LIMIT $2
)) RETURNING 1
"""
