"""How alike the judgments of one unit are, from what each unit's judgments came to. It reads every unit of the step."""

from __future__ import annotations

from collections.abc import Mapping

from millwright_runtime.postgres.database import TENANT, Connection

from millwright_judgment.domain.arm_differences import OutcomeEffects
from millwright_judgment.domain.experiment_report import Likeness
from millwright_judgment.domain.experiments import Experiment, Mode
from millwright_judgment.domain.guardrails import Effects, Levels, kinds_of
from millwright_judgment.domain.statistics import Clusters


async def read(connection: Connection, experiment: Experiment, levels: Levels) -> Likeness:
    """Give all that a report needs."""
    is_split = experiment.trial.mode is not Mode.SHADOW
    return Likeness(
        guardrails=await of_guardrails(connection, experiment, levels),
        outcomes=await of_outcomes(connection, experiment) if is_split else {},
        changes={} if is_split else await of_changes(connection, experiment),
    )


async def of_guardrails(connection: Connection, experiment: Experiment, levels: Levels) -> Effects:
    """Give the design effect for each guardrail and arm on trial."""
    trial = experiment.trial
    found: dict[tuple[int, str], float] = {}
    for place, guardrail in enumerate(trial.guardrails):
        for arm in trial.tried:
            kinds, control_kinds = kinds_of(trial, guardrail, arm.name, levels)
            row = await connection.fetchrow(
                _CLUSTERS,
                experiment.name,
                experiment.step,
                arm.name,
                trial.control.name,
                list(kinds),
                list(control_kinds),
            )
            found[place, arm.name] = Clusters(**row).effect(is_paired=trial.mode is Mode.SHADOW)
    return found


async def of_outcomes(connection: Connection, experiment: Experiment) -> OutcomeEffects:
    """Give the design effect for each arm on trial and outcome, its units and the control's taken together."""
    place = (experiment.name, experiment.step)
    units = {row["arm"]: row for row in await connection.fetch(_UNITS, *place)}
    hits = {(row["arm"], row["outcome"]): row for row in await connection.fetch(_HITS, *place)}
    control = experiment.trial.control.name
    outcomes = {outcome for _, outcome in hits}

    def clusters(arm: str, outcome: str) -> Clusters:
        found = {**units.get(arm, _NO_UNITS), **hits.get((arm, outcome), _NO_HITS)}
        return Clusters(**{name: found[name] for name in Clusters.__slots__})

    return {
        (arm.name, outcome): (clusters(arm.name, outcome) + clusters(control, outcome)).effect(is_paired=False)
        for arm in experiment.trial.tried
        for outcome in outcomes
    }


async def of_changes(connection: Connection, experiment: Experiment) -> Mapping[str, float]:
    """Give the design effect, for each arm in the shadow, of its outcome being another than the control's."""
    rows = await connection.fetch(_CHANGES, experiment.name, experiment.step)
    return {
        row["arm"]: Clusters(**{name: row[name] for name in Clusters.__slots__}).effect(is_paired=False) for row in rows
    }


_NO_UNITS = {"units": 0, "executions": 0.0, "executions_squared": 0.0}
_NO_HITS = {"value": 0.0, "moved": 0.0, "value_executions": 0.0, "value_squared": 0.0}

# In shadow mode an arm's rows are pairs, and the control has none; otherwise there is no control_outcome.
_CLUSTERS = f"""
SELECT count(*) AS units, coalesce(sum(executions), 0)::float8 AS executions, coalesce(sum(value), 0)::float8 AS value,
       coalesce(sum(moved), 0)::float8 AS moved, coalesce(sum(executions ^ 2), 0)::float8 AS executions_squared,
       coalesce(sum(value * executions), 0)::float8 AS value_executions,
       coalesce(sum(value ^ 2), 0)::float8 AS value_squared
FROM (
    SELECT sum(executions) AS executions, sum(executions * hit) AS value,
           sum(executions * abs(hit)) AS moved
    FROM (
        SELECT unit_hash, arm, executions,
               (outcome = ANY (CASE WHEN arm = $3 THEN $5::text[] ELSE $6::text[] END))::integer
                   - (control_outcome = ANY ($6::text[]))::integer AS hit
        FROM judgment.experiment_tally
        WHERE tenant = {TENANT} AND experiment = $1 AND step = $2 AND arm IN ($3::text, $4::text)
    ) AS valued
    GROUP BY unit_hash, arm
) AS each_unit
"""
_UNITS = f"""
SELECT arm, count(*) AS units, sum(executions)::float8 AS executions,
       sum(executions ^ 2)::float8 AS executions_squared
FROM (
    SELECT arm, sum(executions) AS executions FROM judgment.experiment_tally
    WHERE tenant = {TENANT} AND experiment = $1 AND step = $2 GROUP BY unit_hash, arm
) AS each_unit
GROUP BY arm
"""
_HITS = f"""
SELECT arm, outcome, sum(hits)::float8 AS value, sum(hits)::float8 AS moved,
       sum(hits * executions)::float8 AS value_executions, sum(hits ^ 2)::float8 AS value_squared
FROM (
    SELECT arm, outcome, executions AS hits, sum(executions) OVER (PARTITION BY unit_hash, arm) AS executions
    FROM judgment.experiment_tally WHERE tenant = {TENANT} AND experiment = $1 AND step = $2
) AS each_unit
GROUP BY arm, outcome
"""
_CHANGES = f"""
SELECT arm, count(*) AS units, sum(executions)::float8 AS executions, sum(value)::float8 AS value,
       sum(value)::float8 AS moved, sum(executions ^ 2)::float8 AS executions_squared,
       sum(value * executions)::float8 AS value_executions, sum(value ^ 2)::float8 AS value_squared
FROM (
    SELECT arm, sum(executions) AS executions,
           coalesce(sum(executions) FILTER (WHERE outcome <> control_outcome), 0) AS value
    FROM judgment.experiment_tally
    WHERE tenant = {TENANT} AND experiment = $1 AND step = $2 GROUP BY unit_hash, arm
) AS each_unit
GROUP BY arm
"""
