"""Carries out `Subscribe` and `Consume`: a task's subscription is kept, and its events are waited for."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime

from millwright_runtime.concurrency.lookups import Lookups
from millwright_runtime.postgres.database import ALL_TENANTS
from millwright_runtime.service import Platform

from millwright_workflow.domain.interpreter.effects import Consume, Subscribe
from millwright_workflow.domain.interpreter.subscription import Delivery
from millwright_workflow.engine.events.intake import Intake, inbox_signal
from millwright_workflow.engine.running.driver import Caller
from millwright_workflow.engine.running.holdings import Holdings
from millwright_workflow.engine.running.writer import Superseded
from millwright_workflow.store import attachments, subscriptions
from millwright_workflow.store.subscriptions import Address, Place

_LOOK_SECONDS = 3.0
"""How long a lost signal delays an event: signals are the rule, and thousands may wait here."""


class Listening:
    """Listens on behalf of instances."""

    def __init__(self, platform: Platform, holdings: Holdings, intake: Intake) -> None:
        self._platform = platform
        self._holdings = holdings
        self._intake = intake
        self._lookups = Lookups(self._read)

    async def subscribe(self, caller: Caller, effect: Subscribe) -> None:
        """Keep a subscription under the epoch of the instance's partition; one that is there stays as it is."""
        tenant, instance = caller.instance.tenant, caller.instance.instance
        address = Address(instance, str(effect.reference))
        async with self._platform.database.transaction(tenant) as connection:
            if not await attachments.attach(connection, self._holdings.tenure, tenant, instance):
                raise Superseded
            now = datetime.now(UTC)
            pointer = effect.reference.pointer
            is_new = await subscriptions.insert(connection, tenant, address, pointer, effect.subscription, now)
        await caller.tell_listening(effect.reference, begins=is_new)
        await self._intake.look_back(tenant, address, effect.subscription)

    async def consume(self, caller: Caller, effect: Consume) -> Delivery:
        """Wait for what comes to a place of a task's inbox."""
        tenant = caller.instance.tenant
        address = Address(caller.instance.instance, str(effect.reference))
        place = Place(tenant, address, effect.position)
        return await caller.until(inbox_signal(tenant, address), lambda: self._lookups.get(place), _LOOK_SECONDS)

    async def _read(self, places: Collection[Place]) -> Mapping[Place, Delivery]:
        async with self._platform.database.snapshot(ALL_TENANTS) as connection:
            return await subscriptions.read(connection, list(places))
