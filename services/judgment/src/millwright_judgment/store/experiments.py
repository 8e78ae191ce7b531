"""Experiments, in Postgres: where they stand, who looks at them, and what was counted of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg
from millwright_runtime.postgres.database import TENANT, Connection

from millwright_judgment.domain.errors import ExperimentExists, ExperimentNotFound
from millwright_judgment.domain.experiments import Experiment, ExperimentState, Outcomes
from millwright_judgment.domain.guardrails import Pairs, Seen
from millwright_judgment.store import trials

UNITS_KEPT = timedelta(days=30)
"""How long units are kept after the end of their experiment."""
_FORGET_BATCH = 10_000


@dataclass(frozen=True, slots=True)
class Place:
    """An experiment that runs, and whose it is."""

    tenant: str
    experiment: Experiment


async def insert(connection: Connection, tenant: str, experiment: Experiment) -> None:
    """Write an experiment that begins; raise ExperimentExists."""
    trial = experiment.trial
    tag = await connection.execute(
        _INSERT,
        tenant,
        experiment.name,
        experiment.ruleset,
        experiment.channel,
        trial.mode.value,
        trials.to_text(trial),
        experiment.enrolment_bp,
        experiment.state.value,
        experiment.creator,
        experiment.start_time,
    )
    if tag.endswith(" 0"):
        raise ExperimentExists(experiment=experiment.name)


async def check_absent(connection: Connection, name: str) -> None:
    """Raise ExperimentExists if there is, or was, an experiment of this name."""
    if await connection.fetchrow(f"{_SELECT} WHERE tenant = {TENANT} AND experiment = $1", name):
        raise ExperimentExists(experiment=name)


async def get(connection: Connection, name: str) -> Experiment:
    """Give an experiment; raise ExperimentNotFound."""
    row = await connection.fetchrow(f"{_SELECT} WHERE tenant = {TENANT} AND experiment = $1", name)
    if row is None:
        raise ExperimentNotFound(experiment=name)
    return _experiment(row)


async def page(
    connection: Connection, ruleset: str | None, before: tuple[datetime, str] | None, limit: int
) -> Sequence[Experiment]:
    """Give at most `limit` experiments, newest first, before a position."""
    time, name = before or (None, None)
    return [_experiment(row) for row in await connection.fetch(_PAGE, ruleset, time, name, limit)]


async def move(connection: Connection, experiment: Experiment) -> None:
    """Write how an experiment goes on."""
    await connection.execute(
        _MOVE, experiment.name, experiment.enrolment_bp, experiment.step, experiment.revision, experiment.step_time
    )


async def end(connection: Connection, name: str, state: ExperimentState, reason: str, time: datetime) -> None:
    """Write that an experiment has ended, and why."""
    await connection.execute(_END, name, state.value, reason, time)


async def unsettle(connection: Connection, ruleset: str, numbers: Sequence[int]) -> None:
    """Have whoever judges look anew at the experiments that try these versions: they are marked bad by now."""
    await connection.execute(_UNSETTLE, ruleset, list(numbers))


async def due(connection: Connection, pause: timedelta, limit: int) -> Sequence[Place]:
    """Give at most `limit` experiments that nobody has looked at for `pause`, the longest unseen first."""
    return [Place(row["tenant"], _experiment(row)) for row in await connection.fetch(_DUE, pause, limit)]


async def begin_look(connection: Connection, place: Place, pause: timedelta) -> bool:
    """Keep others from looking at an experiment until the transaction ends; tell whether a look is still due."""
    name = place.experiment.name
    if not await connection.fetchval(_TRY_LOCK, f"{place.tenant}/{name}"):
        return False
    return bool(await connection.fetchval(_IS_DUE, name, pause))


async def note_look(connection: Connection, name: str, rest: timedelta) -> None:
    """Note that an experiment was looked at, and nothing followed; it is looked at again `rest` later than usual."""
    await connection.execute(_NOTE, name, rest)


async def seen(connection: Connection, experiment: Experiment) -> Seen:
    """Give what was counted of an experiment, of a canary since its step began."""
    outcomes: dict[str, dict[str, int]] = defaultdict(dict)
    for row in await connection.fetch(_OUTCOMES, experiment.name, experiment.step):
        outcomes[row["arm"]][row["outcome"]] = row["executions"]
    time: datetime = await connection.fetchval("SELECT clock_timestamp()")
    return Seen(outcomes, time, await pairs(connection, experiment.name))


async def totals(connection: Connection, name: str) -> Mapping[str, Outcomes]:
    """Give what was counted of an experiment from its beginning, by arm and outcome."""
    outcomes: dict[str, dict[str, int]] = defaultdict(dict)
    for row in await connection.fetch(_TOTALS, name):
        outcomes[row["arm"]][row["outcome"]] = row["executions"]
    return outcomes


async def pairs(connection: Connection, name: str) -> Mapping[str, Pairs]:
    """Give what each arm of a shadow experiment said where the control said what."""
    found: dict[str, dict[tuple[str, str], int]] = defaultdict(dict)
    for row in await connection.fetch(_PAIRS, name):
        found[row["arm"]][row["control_outcome"], row["arm_outcome"]] = row["executions"]
    return found


async def units(connection: Connection, name: str) -> Mapping[int, Mapping[str, int]]:
    """Give how many units were first seen at each step, by their arms then."""
    found: dict[int, dict[str, int]] = defaultdict(dict)
    for row in await connection.fetch(_SPLIT, name):
        found[row["step"]][row["arm"]] = row["units"]
    return found


async def forget_units(connection: Connection) -> int:
    """Remove units and tallies of experiments that ended long ago, a batch of each at a time; give how many rows.

    How many units there were is kept.
    """
    rows = [
        await connection.fetch(statement, UNITS_KEPT, _FORGET_BATCH) for statement in (_FORGET_UNITS, _FORGET_TALLIES)
    ]
    return sum(map(len, rows))


def _experiment(row: asyncpg.Record) -> Experiment:
    return Experiment(
        trial=trials.from_text(row["experiment"], row["mode"], row["plan"]),
        ruleset=row["ruleset"],
        channel=row["channel"],
        enrolment_bp=row["enrolment_bp"],
        step=row["step"],
        state=ExperimentState(row["state"]),
        end_reason=row["end_reason"],
        creator=row["creator"],
        revision=row["revision"],
        start_time=row["start_time"],
        step_time=row["step_time"],
        end_time=row["end_time"],
    )


_INSERT = """
INSERT INTO judgment.experiment
    (tenant, experiment, ruleset, channel, mode, plan, enrolment_bp, state, creator, start_time, step_time, look_time)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10, $10) ON CONFLICT DO NOTHING
"""
_SELECT = """
SELECT tenant, experiment, ruleset, channel, mode, plan, enrolment_bp, step, state, end_reason, creator, revision,
       start_time, step_time, end_time
FROM judgment.experiment
"""
_PAGE = f"""
{_SELECT} WHERE tenant = {TENANT} AND ($1::text IS NULL OR ruleset = $1)
    AND ($2::timestamptz IS NULL OR (start_time, experiment) < ($2, $3::text))
ORDER BY start_time DESC, experiment DESC LIMIT $4
"""
_MOVE = f"""
UPDATE judgment.experiment
SET enrolment_bp = $2, step = $3, revision = $4, step_time = $5, look_time = clock_timestamp()
WHERE tenant = {TENANT} AND experiment = $1
"""
_END = f"""
UPDATE judgment.experiment SET state = $2, end_reason = $3, end_time = $4, revision = revision + 1
WHERE tenant = {TENANT} AND experiment = $1
"""
_UNSETTLE = f"""
UPDATE judgment.experiment SET revision = experiment.revision + 1 FROM judgment.channel
WHERE channel.tenant = {TENANT} AND channel.ruleset = $1 AND channel.trial_versions && $2::integer[]
    AND (experiment.tenant, experiment.experiment) = (channel.tenant, channel.experiment)
"""
_DUE = f"""
{_SELECT} WHERE state = 'RUNNING' AND look_time <= clock_timestamp() - $1::interval ORDER BY look_time LIMIT $2
"""
# The lock is on no row: whoever looks may go on to lock the ruleset, as every decision does first.
_TRY_LOCK = "SELECT pg_try_advisory_xact_lock(hashtextextended('experiment ' || $1::text, 0))"
_IS_DUE = f"""
SELECT state = 'RUNNING' AND look_time <= clock_timestamp() - $2::interval FROM judgment.experiment
WHERE tenant = {TENANT} AND experiment = $1
"""
_NOTE = f"""
UPDATE judgment.experiment SET look_time = clock_timestamp() + $2::interval WHERE tenant = {TENANT} AND experiment = $1
"""
_OUTCOMES = f"""
SELECT arm, outcome, executions FROM judgment.experiment_count
WHERE tenant = {TENANT} AND experiment = $1 AND step = $2
"""
_TOTALS = f"""
SELECT arm, outcome, sum(executions)::bigint AS executions FROM judgment.experiment_count
WHERE tenant = {TENANT} AND experiment = $1 GROUP BY arm, outcome
"""
_PAIRS = f"""
SELECT arm, control_outcome, arm_outcome, executions FROM judgment.experiment_pair
WHERE tenant = {TENANT} AND experiment = $1
"""
_SPLIT = f"""
SELECT step, arm, units FROM judgment.experiment_split WHERE tenant = {TENANT} AND experiment = $1
"""
_FORGET_UNITS = """
DELETE FROM judgment.experiment_unit WHERE ctid = ANY (ARRAY (
    SELECT unit.ctid FROM judgment.experiment JOIN judgment.experiment_unit AS unit USING (tenant, experiment)
    WHERE experiment.end_time < clock_timestamp() - $1::interval LIMIT $2
)) RETURNING 1
"""
_FORGET_TALLIES = """
DELETE FROM judgment.experiment_tally WHERE ctid = ANY (ARRAY (
    SELECT tally.ctid FROM judgment.experiment JOIN judgment.experiment_tally AS tally USING (tenant, experiment)
    WHERE experiment.end_time < clock_timestamp() - $1::interval LIMIT $2
)) RETURNING 1
"""
