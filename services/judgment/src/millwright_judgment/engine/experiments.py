"""Experiments: looks at each one that runs once a second, and has done what its guardrails say.

Decides nothing by itself: `domain.guardrails` tells what is broken, and the commands that callers use carry out what
follows. Any number of replicas may look: one at a time looks at an experiment, on the database's clock, and what it
decides is written only if the channel is still at the revision that it looked at.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from datetime import timedelta

from millwright_runtime.errors import FailedPrecondition, MillwrightError
from millwright_runtime.events.log import EventLog
from millwright_runtime.postgres.database import ALL_TENANTS, Connection, is_away
from millwright_runtime.service import Platform

from millwright_judgment.commands import experimenting, releasing
from millwright_judgment.domain import guardrails, names
from millwright_judgment.domain.experiment_decisions import Move
from millwright_judgment.domain.experiment_report import SAMPLE_RATIO_ALARM, sample_ratio_of
from millwright_judgment.domain.experiments import Experiment, may_step
from millwright_judgment.domain.guardrails import GuardrailResult, Levels
from millwright_judgment.domain.releases import Actor, Channel, Rollback, VersionState
from millwright_judgment.engine.versions import Versions
from millwright_judgment.store import experiments as store
from millwright_judgment.store import likeness, rulesets, trials
from millwright_judgment.store import releases as release_store
from millwright_judgment.store.experiments import Place

SUBJECT = "millwright"
"""Who is said to have decided what guardrails decided."""

_PAUSE = timedelta(seconds=1)
_LOOK_SECONDS = 0.5
_BATCH = 100
_REST_FACTOR = 20.0
"""A look that takes long, for an experiment has many units, is followed by a rest this many times as long."""
_REASON_LIMIT = 1000
_log = logging.getLogger(__name__)


class Experiments:
    """Watches the experiments of every tenant."""

    name = "experiments"

    def __init__(self, platform: Platform, log: EventLog, versions: Versions, pause: timedelta = _PAUSE) -> None:
        """Look at each experiment every `pause`."""
        self._platform = platform
        self._log = log
        self._versions = versions
        self._pause = pause

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self.run_once()
            await asyncio.sleep(_LOOK_SECONDS)

    async def drain(self) -> None:
        """Have nothing in hand: what is not committed is decided anew elsewhere."""

    async def run_once(self) -> int:
        """Look at each experiment that is due; give how many were moved or ended."""
        async with self._platform.database.snapshot(ALL_TENANTS) as connection:
            places = await store.due(connection, self._pause, _BATCH)
        return sum([await self._attend(place) for place in places])

    async def _attend(self, place: Place) -> bool:
        """Look at one experiment. What goes wrong with it is no other's fault."""
        extra = {"tenant": place.tenant, "experiment": place.experiment.name}
        try:
            has_moved = await self._look(place)
        except MillwrightError as refusal:
            if is_away(refusal):
                raise
            _log.info("an experiment moved meanwhile", extra={**extra, "fault": repr(refusal)})
            return False
        except Exception as error:
            if is_away(error):
                raise
            _log.exception("an experiment could not be looked at", extra=extra)
            return False
        if has_moved:
            self._platform.committed(place.tenant, names.ruleset(place.experiment.ruleset))
        return has_moved

    async def _look(self, place: Place) -> bool:
        """Measure, judge and act in one transaction: killed before its commit, nothing has happened."""
        levels = await self._versions.levels(place.tenant, place.experiment)
        async with self._platform.database.transaction(place.tenant) as connection:
            if not await store.begin_look(connection, place, self._pause):
                return False
            # The channel is read first: what changes afterwards has raised its revision.
            channel = await release_store.get_channel(connection, place.experiment.ruleset, place.experiment.channel)
            experiment = await store.get(connection, place.experiment.name)
            if await self._stop_bad(connection, place.tenant, experiment):
                return True
            return await self._judge(connection, place.tenant, channel, experiment, levels)

    async def _stop_bad(self, connection: Connection, tenant: str, experiment: Experiment) -> bool:
        """Stop an experiment that tries a version which was marked bad, or taken out of use, elsewhere."""
        numbers = [arm.version for arm in experiment.trial.tried]
        versions = await rulesets.versions(connection, experiment.ruleset, numbers)
        unfit = next((it for it in versions.values() if it.state is not VersionState.PUBLISHED), None)
        if unfit is not None:
            reason = f"version {unfit.number} is {unfit.state.value}: {unfit.state_reason}"[:_REASON_LIMIT]
            actor = Actor(SUBJECT, reason, automatic=True)
            await experimenting.stop(connection, self._log, tenant, experiment.name, actor)
        return unfit is not None

    async def _judge(
        self, connection: Connection, tenant: str, channel: Channel, experiment: Experiment, levels: Levels
    ) -> bool:
        """Act on what was seen; tell whether something has moved."""
        seen = await store.seen(connection, experiment)
        results = guardrails.look(experiment.trial, seen, levels)
        is_over = may_step(experiment, seen.outcomes, seen.time)
        began = time.monotonic()
        if is_over or guardrails.broken(results):
            # How alike the judgments of one unit are takes longer to find out, and makes nothing surer.
            effects = await likeness.of_guardrails(connection, experiment, levels)
            results = guardrails.look(experiment.trial, seen, levels, effects)
        if broken := guardrails.broken(results):
            await self._roll_back(connection, tenant, channel, experiment, broken)
            return True
        if is_over and await _is_split_as_planned(connection, experiment):
            reason = "no guardrail is broken" if results else "the step's time and sample are reached"
            actor = Actor(SUBJECT, reason, automatic=True, evidence=trials.evidence(results))
            move = Move(experiment.name, experiment.revision)
            await experimenting.step(connection, self._log, tenant, move, 0, actor)
            return True
        rest = timedelta(seconds=_REST_FACTOR * (time.monotonic() - began))
        await store.note_look(connection, experiment.name, rest)
        return False

    async def _roll_back(
        self,
        connection: Connection,
        tenant: str,
        channel: Channel,
        experiment: Experiment,
        broken: Sequence[GuardrailResult],
    ) -> None:
        """Roll the channel back as a caller would; the versions whose guardrails are broken are left as bad."""
        actor = Actor(SUBJECT, _reason(broken), automatic=True, evidence=trials.evidence(broken))
        arms = {result.arm for result in broken}
        blamed = tuple(arm.version for arm in experiment.trial.tried if arm.name in arms)
        wish = Rollback(channel.channel, expected_revision=channel.revision, blamed=blamed)
        try:
            await releasing.rollback(connection, self._log, tenant, experiment.ruleset, wish, actor)
        except FailedPrecondition:  # the control is marked bad itself; those on trial are left in any case
            await experimenting.stop(connection, self._log, tenant, experiment.name, actor)


async def _is_split_as_planned(connection: Connection, experiment: Experiment) -> bool:
    units = await store.units(connection, experiment.name)
    return sample_ratio_of(experiment.trial, units) >= SAMPLE_RATIO_ALARM


def _reason(broken: Sequence[GuardrailResult]) -> str:
    """Say why, in a line for the release log."""
    return f"guardrail broken: {'; '.join(map(_said, broken))}"[:_REASON_LIMIT]


def _said(result: GuardrailResult) -> str:
    guardrail = result.guardrail
    measure = f"{guardrail.measure.value} {guardrail.outcome}".strip()
    shares = f"{result.arm_counts.share:.4g} of {result.arm}, {result.control_counts.share:.4g} of the control"
    difference = result.difference
    if difference.low > guardrail.max_increase:
        bound = f"at least {difference.low:.4g} higher, {guardrail.max_increase:g} allowed"
    else:
        bound = f"at least {-difference.high:.4g} lower, {guardrail.max_decrease:g} allowed"
    return f"{measure} is {shares}: {bound}"
