"""Canaries: looks at each canary once a second, and has done what its gates say.

Decides nothing by itself: `domain.canaries` tells what follows from a measurement, and the commands that callers use
carry it out. Any number of replicas may look: one at a time looks at a canary, and what it decides is written only if
the channel is still at the revision that it looked at.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

from millwright_runtime.errors import FailedPrecondition, MillwrightError
from millwright_runtime.events.log import EventLog
from millwright_runtime.postgres.database import ALL_TENANTS, Connection, is_away
from millwright_runtime.service import Platform

from millwright_workflow.commands import releasing
from millwright_workflow.domain import canaries as domain
from millwright_workflow.domain import names
from millwright_workflow.domain.canaries import CanaryState, Course, Look
from millwright_workflow.domain.canary_decisions import CanaryMove
from millwright_workflow.domain.gates import Verdict
from millwright_workflow.domain.releases import Actor, Channel, ChannelState, Rollback
from millwright_workflow.engine.running.worker import WORK
from millwright_workflow.store import canaries as store
from millwright_workflow.store import releases, workflows
from millwright_workflow.store.canaries import Place

SUBJECT = "millwright"
"""Who is said to have decided what gates decided."""

_PAUSE = timedelta(seconds=1)
_LOOK_SECONDS = 0.5
_BATCH = 100
_REASON_LIMIT = 1000
_log = logging.getLogger(__name__)


class Canaries:
    """Watches the canaries of every tenant."""

    name = "canaries"

    def __init__(self, platform: Platform, log: EventLog, pause: timedelta = _PAUSE) -> None:
        """Look at each canary every `pause`."""
        self._platform = platform
        self._log = log
        self._pause = pause

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self.run_once()
            await asyncio.sleep(_LOOK_SECONDS)

    async def drain(self) -> None:
        """Nothing is in hand: what is not committed is decided anew elsewhere."""

    async def run_once(self) -> int:
        """Look at each canary that is due; give how many were moved or ended."""
        async with self._platform.database.snapshot(ALL_TENANTS) as connection:
            places = await store.due(connection, self._pause, _BATCH)
        return sum([await self._attend(place) for place in places])

    async def _attend(self, place: Place) -> bool:
        """Look at one canary. What goes wrong with it is no other's fault."""
        try:
            has_moved = await self._look(place)
        except MillwrightError as refusal:
            if is_away(refusal):
                raise
            _log.info("a canary moved meanwhile", extra={**_extra(place), "fault": repr(refusal)})
            return False
        except Exception as error:
            if is_away(error):
                raise
            _log.exception("a canary could not be looked at", extra=_extra(place))
            return False
        if has_moved:
            self._platform.committed(place.tenant, names.workflow(place.workflow))
            self._platform.signals.notify(WORK)
        return has_moved

    async def _look(self, place: Place) -> bool:
        """Measure, judge and act in one transaction: killed before its commit, nothing has happened."""
        async with self._platform.database.transaction(place.tenant) as connection:
            if not await store.begin_look(connection, place, self._pause):
                return False
            channel = await releases.get_channel(connection, place.workflow, place.channel)
            if channel.canary is None:
                return False
            if await self._drop_bad(connection, place, channel):
                return True
            measurement = await store.measure(connection, place, channel.canary, channel.version)
            is_frozen = channel.state(measurement.time) is ChannelState.FROZEN
            seen = domain.look(channel.canary, measurement, is_frozen=is_frozen)
            if seen.course in (Course.WAIT, Course.HOLD):
                await self._note(connection, place, channel, seen)
                return False
            await self._act(connection, place, channel, seen)
            return True

    async def _drop_bad(self, connection: Connection, place: Place, channel: Channel) -> bool:
        """Abort a canary whose version was marked bad through another channel, or by a person."""
        assert channel.canary is not None
        number = channel.canary.version
        version = (await workflows.versions(connection, place.workflow, [number]))[number]
        if version.is_bad:
            reason = f"version {number} is marked bad: {version.bad_reason}"[:_REASON_LIMIT]
            actor = Actor(SUBJECT, reason, automatic=True)
            await self._abort(connection, place, CanaryMove(place.channel, channel.revision), actor)
        return version.is_bad

    async def _note(self, connection: Connection, place: Place, channel: Channel, seen: Look) -> None:
        assert channel.canary is not None
        state = CanaryState.HELD if seen.course is Course.HOLD else channel.canary.state
        await store.note(connection, place, channel.canary, state, seen.results)

    async def _act(self, connection: Connection, place: Place, channel: Channel, seen: Look) -> None:
        actor = Actor(SUBJECT, _reason(seen), automatic=True, evidence=seen.results)
        move = CanaryMove(place.channel, channel.revision)
        log, tenant, workflow = self._log, place.tenant, place.workflow
        if seen.course is not Course.ROLL_BACK:
            await releasing.step_canary(connection, log, tenant, workflow, move, actor)
            return
        try:
            wish = Rollback(place.channel, expected_revision=channel.revision)
            await releasing.rollback(connection, log, tenant, workflow, wish, actor)
        except FailedPrecondition:  # the stable version is marked bad: the canary's is left in any case
            move = CanaryMove(place.channel, channel.revision, mark_bad=True)
            await self._abort(connection, place, move, actor)

    async def _abort(self, connection: Connection, place: Place, move: CanaryMove, actor: Actor) -> None:
        await releasing.abort_canary(connection, self._log, place.tenant, place.workflow, move, actor)


def _reason(seen: Look) -> str:
    """Say why, in a line for the release log."""
    failed = [result for result in seen.results if result.verdict is Verdict.FAIL]
    if not failed:
        return "all gates passed" if seen.results else "the step's time and sample are reached"
    said = (f"{each.gate.measure.value} {each.gate.bound:g}, measured {each.value:g}" for each in failed)
    return f"gate failed: {'; '.join(said)}"


def _extra(place: Place) -> dict[str, str]:
    return {"tenant": place.tenant, "workflow": place.workflow, "channel": place.channel}
