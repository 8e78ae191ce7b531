"""The catalogue's `task`: asks for work to be done outside, and waits for what comes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from millwright_runtime.concurrency.patience import persist, to_the_end
from millwright_runtime.events.signals import Signals
from millwright_runtime.json import Json, from_text
from millwright_runtime.postgres.database import Database

from millwright_workflow.commands import working
from millwright_workflow.domain import work as domain
from millwright_workflow.domain.definition import parse_duration
from millwright_workflow.domain.interpreter import WorkflowError, WorkflowFault, errors
from millwright_workflow.domain.interpreter.effects import Invoke
from millwright_workflow.domain.work import State, TaskKey, Wish, Work
from millwright_workflow.engine.running.driver import Caller, Stop, Stopped
from millwright_workflow.engine.work.dispatch import LOST, QUEUED
from millwright_workflow.engine.work.notices import Notices
from millwright_workflow.store import work_items

_LOOK_SECONDS = 30.0
"""In case that a notice was lost, which no known fault of ours makes happen."""


class WorkCalls:
    """Carries out the `task` calls of instances."""

    def __init__(self, database: Database, signals: Signals, notices: Notices) -> None:
        self._database = database
        self._signals = signals
        self._notices = notices

    async def carry_out(self, caller: Caller, call: Invoke) -> Json:
        """Give the output of the work; throw the error that its worker gave, or a timeout if all fell silent.

        Closed before that, the work is withdrawn; paused, it is held; abandoned, it goes on.
        """
        key = TaskKey(caller.instance.tenant, caller.instance.instance, str(call.reference))
        wish = read_wish(call)
        self._notices.expect(key)
        try:
            work = await self._ask(caller, key, wish)
            return _outcome(call, await self._settled(caller, call, work))
        except Stopped:
            if caller.stop_reason is Stop.PAUSE:
                await self._let_go(key, domain.hold)
            raise
        except asyncio.CancelledError:
            if not caller.is_abandoned:
                await self._let_go(key, domain.withdraw)
            raise
        finally:
            self._notices.forget(key)

    async def _ask(self, caller: Caller, key: TaskKey, wish: Wish) -> Work:
        async def ask() -> Work | None:
            await caller.confirm()
            async with self._database.transaction(key.tenant) as connection:
                return await working.ask(connection, key, wish)

        work = await persist("work", ask)
        if work is None:
            raise _nobody_waits(key)
        self._signals.notify(QUEUED)
        return work

    async def _settled(self, caller: Caller, call: Invoke, work: Work) -> Work:
        """Wait for the end of the work; tell of its progress meanwhile."""
        known = work

        async def read() -> Work | None:
            async with self._database.snapshot(known.key.tenant) as connection:
                return await work_items.get(connection, known.key)

        async def look() -> Work | None:
            nonlocal known
            if not known.state.is_settled and self._notices.take(known.key):
                seen = await persist("work", read)
                if seen is None:
                    raise _nobody_waits(known.key)
                if seen.percent is not None and seen.percent != known.percent:
                    await caller.tell_progress(call.reference, seen.percent)
                known = seen
            return known if known.state.is_settled else None

        return await caller.until(self._notices.signal(work.key), look, _LOOK_SECONDS)

    async def _let_go(self, key: TaskKey, move: Callable[[Work], Work]) -> None:
        """Hold or withdraw the work."""

        async def let_go() -> None:
            async with self._database.transaction(key.tenant) as connection:
                await working.let_go(connection, key, move)

        await to_the_end(persist("work", let_go))
        self._signals.notify(LOST)


def read_wish(call: Invoke) -> Wish:
    """Read what a call of `task` gives to do; throw a validation fault for what is out of its limits."""
    arguments: dict[str, Any] = call.arguments
    try:
        return domain.wish(
            queue=arguments["queue"],
            input_=arguments.get("input"),
            heartbeat=_span(arguments.get("heartbeat")),
            max_failures=arguments.get("attempts"),
        )
    except ValueError as error:
        raise errors.validation(call.reference.pointer, str(error)) from None


def _nobody_waits(key: TaskKey) -> WorkflowFault:
    """The instance has ended: whoever still walks it finds out at its next step."""
    return errors.runtime(key.pointer, "The instance does not run any more.")


def _span(iso: str | None) -> timedelta | None:
    return None if iso is None else timedelta(seconds=parse_duration(iso).seconds)


def _outcome(call: Invoke, work: Work) -> Json:
    if work.state is State.COMPLETED:
        assert work.output is not None
        output: Json = from_text(work.output)
        return output
    error = work.error or WorkflowError(type=f"{errors.TYPES}runtime", status=500)
    raise WorkflowFault(replace(error, instance=call.reference.pointer))
