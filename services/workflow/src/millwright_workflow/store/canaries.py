"""Canaries under way, in Postgres, and what their instances came to. Whoever reads a channel reads its canary here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import asyncpg
from millwright_runtime.json import Json, from_text, to_text
from millwright_runtime.postgres.database import TENANT, Connection

from millwright_workflow.domain.canaries import Canary, CanaryState, CanaryStep
from millwright_workflow.domain.gates import (
    SAMPLE_LIMIT,
    Cohort,
    Gate,
    GateResult,
    Measure,
    Measurement,
    Verdict,
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a canary is under way."""

    tenant: str
    workflow: str
    channel: str


async def write(connection: Connection, tenant: str, workflow: str, channel: str, canary: Canary | None) -> None:
    """Write the canary of a channel whose workflow is locked; None takes it away."""
    if canary is None:
        await connection.execute(_REMOVE, tenant, workflow, channel)
        return
    await connection.execute(
        _WRITE,
        tenant,
        workflow,
        channel,
        canary.revision,
        to_text([_step_values(step) for step in canary.steps]),
        canary.promote_at_end,
        canary.step,
        canary.state.value,
        write_results(canary.gates),
        canary.start_time,
        canary.step_time,
    )


async def due(connection: Connection, pause: timedelta, limit: int) -> Sequence[Place]:
    """Give at most `limit` canaries that nobody has looked at for `pause`, the longest unseen first."""
    return [Place(**row) for row in await connection.fetch(_DUE, pause, limit)]


async def begin_look(connection: Connection, place: Place, pause: timedelta) -> bool:
    """Keep others from looking at a canary until the transaction ends; tell whether a look is still due."""
    if not await connection.fetchval(_TRY_LOCK, f"{place.tenant}/{place.workflow}/{place.channel}"):
        return False
    return bool(await connection.fetchval(_IS_DUE, place.workflow, place.channel, pause))


async def measure(connection: Connection, place: Place, canary: Canary, stable_version: int) -> Measurement:
    """Measure what has become of the instances that ended since the canary's step began, in one statement."""
    row = await connection.fetchrow(
        _MEASURE,
        place.workflow,
        place.channel,
        canary.revision,
        [canary.version, stable_version],
        canary.step_time,
        SAMPLE_LIMIT,
    )
    cohorts = {number: Cohort(*values) for number, *values in from_text(row["cohorts"])}
    return Measurement(
        cohorts.get(canary.version, Cohort()), cohorts.get(stable_version, Cohort()), row["measure_time"]
    )


async def note(
    connection: Connection, place: Place, canary: Canary, state: CanaryState, results: Sequence[GateResult]
) -> None:
    """Note what a look has seen, if the canary is still at the step that was looked at."""
    await connection.execute(
        _NOTE, place.workflow, place.channel, canary.revision, canary.step, state.value, write_results(results)
    )


def from_row(row: asyncpg.Record) -> Canary:
    """Give the canary in a row that has the columns of COLUMNS."""
    return Canary(
        version=row["canary_version"],
        revision=row["canary_revision"],
        steps=tuple(_read_step(values) for values in from_text(row["steps"])),
        promote_at_end=row["promote_at_end"],
        step=row["step"],
        state=CanaryState(row["state"]),
        start_time=row["start_time"],
        step_time=row["step_time"],
        gates=read_results(row["gates"]),
    )


def write_results(results: Sequence[GateResult]) -> str:
    """Give what gates said as it is stored."""
    return to_text([_result_values(result) for result in results])


def read_results(text: str) -> tuple[GateResult, ...]:
    """Give what `write_results` wrote."""
    return tuple(
        GateResult(Gate(Measure(measure), bound), Verdict(verdict), value, canary, stable, datetime.fromisoformat(time))
        for measure, bound, verdict, value, canary, stable, time in from_text(text)
    )


def _result_values(result: GateResult) -> Json:
    return [
        result.gate.measure.value,
        result.gate.bound,
        result.verdict.value,
        result.value,
        result.canary_instances,
        result.stable_instances,
        result.measure_time.isoformat(),
    ]


def _step_values(step: CanaryStep) -> Json:
    gates: list[Json] = [[gate.measure.value, gate.bound] for gate in step.gates]
    return [step.weight_bp, step.min_duration.total_seconds(), step.min_instances, gates]


def _read_step(values: Sequence[Any]) -> CanaryStep:
    weight_bp, seconds, min_instances, gates = values
    read = [Gate(Measure(measure), bound) for measure, bound in gates]
    return CanaryStep(weight_bp, timedelta(seconds=seconds), min_instances, tuple(read))


COLUMNS = """canary_version, canary_revision, steps, promote_at_end, step, state, gates, start_time, step_time"""
_WRITE = """
INSERT INTO workflow.canary
    (tenant, workflow, channel, revision, steps, promote_at_end, step, state, gates, start_time, step_time, look_time)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)
ON CONFLICT (tenant, workflow, channel) DO UPDATE
SET revision = excluded.revision, steps = excluded.steps, promote_at_end = excluded.promote_at_end,
    step = excluded.step, state = excluded.state, gates = excluded.gates, start_time = excluded.start_time,
    step_time = excluded.step_time, look_time = excluded.look_time
"""
_REMOVE = "DELETE FROM workflow.canary WHERE tenant = $1 AND workflow = $2 AND channel = $3"
_DUE = """
SELECT tenant, workflow, channel FROM workflow.canary WHERE look_time <= clock_timestamp() - $1::interval
ORDER BY look_time LIMIT $2
"""
# The lock is on no row: whoever looks may go on to lock the workflow, as every decision does first.
_TRY_LOCK = "SELECT pg_try_advisory_xact_lock(hashtextextended('canary ' || $1::text, 0))"
_IS_DUE = f"""
SELECT look_time <= clock_timestamp() - $3::interval FROM workflow.canary
WHERE tenant = {TENANT} AND workflow = $1 AND channel = $2
"""
_NOTE = f"""
UPDATE workflow.canary SET state = $5, gates = $6, look_time = clock_timestamp()
WHERE tenant = {TENANT} AND workflow = $1 AND channel = $2 AND revision = $3 AND step = $4
"""
# Of each version: completed, faulted, and the 95th percentile of the seconds that completed ones took.
_MEASURE = f"""
WITH cohort AS (
    SELECT wanted.version,
           count(*) FILTER (WHERE state = 'COMPLETED') AS completed,
           count(*) FILTER (WHERE state = 'FAULTED') AS faulted,
           percentile_disc(0.95) WITHIN GROUP (ORDER BY extract(epoch FROM settle_time - bind_time))
               FILTER (WHERE state = 'COMPLETED') AS p95_seconds
    FROM unnest($4::integer[]) AS wanted (version)
    CROSS JOIN LATERAL (
        SELECT state, settle_time, bind_time FROM workflow.instance
        WHERE tenant = {TENANT} AND workflow = $1 AND channel = $2 AND canary_revision = $3
          AND version = wanted.version AND settle_time >= $5 AND state IN ('COMPLETED', 'FAULTED')
        ORDER BY settle_time DESC LIMIT $6
    ) AS ended
    GROUP BY wanted.version
)
SELECT coalesce(json_agg(json_build_array(version, completed, faulted, p95_seconds))::text, '[]') AS cohorts,
       clock_timestamp() AS measure_time
FROM cohort
"""
