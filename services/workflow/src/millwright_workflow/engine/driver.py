"""Drives one instance: carries out the effects that its walk yields, until the walk ends or somebody wants it stopped.

Owns the instance's sequence and its timers. Decides nothing about workflows; that is the interpreter's.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any

from millwright_workflow.domain import instances as domain
from millwright_workflow.domain.instances import Happening, Instance, InstanceEvent, State
from millwright_workflow.domain.interpreter import (
    Begin,
    CallHttp,
    Catch,
    Commit,
    Effect,
    Evaluate,
    Failure,
    HttpAnswer,
    Part,
    Retry,
    Wait,
    Within,
    WorkflowError,
    WorkflowFault,
    errors,
)
from millwright_workflow.domain.json import NESTING_LIMIT, Json, is_deeper, to_text
from millwright_workflow.engine.expressions import Expressions
from millwright_workflow.engine.http import HttpCalls
from millwright_workflow.engine.writer import Writer
from millwright_workflow.store.steps import End, Progress, Step

_OUTPUT_LIMIT_BYTES = 4 * 1024 * 1024
_LONGEST_SLEEP_SECONDS = 30.0


class Stop(Enum):
    """Why an instance is to stop at its next boundary."""

    PAUSE = "PAUSE"
    HAND_OVER = "HAND_OVER"


class Stopped(Exception):
    """The walk was left at a boundary, as asked."""


@dataclass(frozen=True, slots=True)
class Means:
    """What every driver of a worker shares."""

    writer: Writer
    expressions: Expressions
    http: HttpCalls


class Driver:
    """One instance being walked."""

    def __init__(self, means: Means, instance: Instance, step: int, progress: dict[str, Progress]) -> None:
        """Drive `instance`, whose last written step was number `step`."""
        self._means = means
        self._instance = instance
        self._step = step
        self._sequence = instance.sequence
        self._progress = progress
        self._begun: dict[str, datetime] = {}
        self._stop: Stop | None = None
        self._stopping = asyncio.Event()
        self._carriers: dict[type[Effect], Callable[[Any], Awaitable[Any]]] = {
            Begin: self._begin,
            Evaluate: means.expressions.evaluate,
            CallHttp: self._call_http,
            Wait: self._wait,
            Retry: self._retry,
            Catch: self._catch,
            Within: self._within,
            Commit: self._commit,
        }

    @property
    def stop_reason(self) -> Stop | None:
        """Give why it was asked to stop, if it was."""
        return self._stop

    def stop(self, reason: Stop) -> None:
        """Ask to stop before the next task, or in the middle of waiting."""
        self._stop = self._stop or reason
        self._stopping.set()

    async def drive(self, part: Part[Any]) -> Any:
        """Carry out a walk, or a part of one; give what it returns.

        Raises WorkflowFault if it is faulted, Stopped at the boundary after `stop`, writer.Superseded if the instance
        is another worker's.
        """
        answer: Any = None
        fault: WorkflowFault | None = None
        try:
            while True:
                effect = part.send(answer) if fault is None else part.throw(fault)
                answer, fault = None, None
                try:
                    answer = await self._carriers[type(effect)](effect)
                except WorkflowFault as thrown:
                    fault = thrown
        except StopIteration as end:
            return end.value
        finally:
            part.close()

    async def end(self, end: End) -> None:
        """Make the instance's end, or its pause, durable."""
        await self._write(domain.happening(State.RUNNING, end.state), error=end.error, end=end)

    async def _begin(self, effect: Begin) -> datetime:
        if self._stop is not None:
            raise Stopped
        return self._begun.setdefault(str(effect.reference), datetime.now(UTC))

    async def _call_http(self, effect: CallHttp) -> HttpAnswer:
        return await self._means.http.send(effect, f"{self._instance.instance}{effect.reference.operation}")

    async def _wait(self, effect: Wait) -> None:
        await self._sleep_until((await self._timer(f"wait {effect.reference}", effect.seconds)).due_time)

    async def _retry(self, effect: Retry) -> bool:
        key = f"retry {effect.reference}"
        known = self._progress.get(key)
        if known and known.failure == effect.failure:  # a resumed walk: what is left of the delay passes
            await self._sleep_until(known.due_time)
            return True
        now = datetime.now(UTC)
        begin = known.begin_time if known else self._begun.get(str(effect.reference), now)
        jitter = random.uniform(*effect.jitter) if effect.jitter else 0.0  # noqa: S311 - it only spreads load
        due = now + timedelta(seconds=effect.seconds + jitter)
        if effect.limit_seconds is not None and due > begin + timedelta(seconds=effect.limit_seconds):
            return False
        await self._keep(Progress(key, begin, due, effect.failure), effect.failure)
        await self._sleep_until(due)
        return True

    async def _catch(self, effect: Catch) -> None:
        key = f"retry {effect.reference}"
        known = self._progress.get(key)
        if not (known and known.failure == effect.failure):
            begin = known.begin_time if known else datetime.now(UTC)
            await self._keep(Progress(key, begin, None, effect.failure))

    async def _within(self, effect: Within) -> Any:
        timer = await self._timer(f"within {effect.reference}", effect.seconds)
        assert timer.due_time is not None
        seconds = (timer.due_time - datetime.now(UTC)).total_seconds()
        try:
            async with asyncio.timeout(seconds) as limit:
                return await self.drive(effect.part)
        except TimeoutError:
            if limit.expired():
                raise errors.timeout(effect.reference.pointer) from None
            raise

    async def _commit(self, effect: Commit) -> None:
        result = effect.result
        self._begun.pop(result.reference, None)
        output = _kept(result.output, result.reference.partition("@")[0])
        happening = None if result.is_skipped else Happening.TASK_COMPLETED
        context = _kept(result.context, result.reference.partition("@")[0])
        await self._write(happening, task=result.reference, result=result, output=output, context=context)

    async def _timer(self, key: str, seconds: float) -> Progress:
        """Give the timer of `key`, made durable when it is first asked for."""
        known = self._progress.get(key)
        if known is None:
            now = datetime.now(UTC)
            known = Progress(key, now, now + timedelta(seconds=seconds))
            await self._keep(known)
        return known

    async def _keep(self, progress: Progress, retried: Failure | None = None) -> None:
        self._progress[progress.key] = progress
        if retried is None:
            await self._write(progress=progress)
        else:
            await self._write(Happening.TASK_RETRIED, task=retried.reference, error=retried.error, progress=progress)

    async def _sleep_until(self, due: datetime | None) -> None:
        """Let time pass until `due` by the wall clock, which may jump; raise Stopped if asked to stop meanwhile."""
        while due is not None and (seconds := (due - datetime.now(UTC)).total_seconds()) > 0:
            try:
                await asyncio.wait_for(self._stopping.wait(), min(seconds, _LONGEST_SLEEP_SECONDS))
            except TimeoutError:
                continue
            raise Stopped

    async def _write(
        self,
        happening: Happening | None = None,
        task: str | None = None,
        error: WorkflowError | None = None,
        **what: Any,
    ) -> None:
        """Have a step written, and do not leave before it is known whether it was, even when cancelled."""
        now = datetime.now(UTC)
        event = None
        if happening is not None:
            self._sequence += 1
            event = self._event(happening, now, task, error)
        self._step += 1
        instance = self._instance
        future = self._means.writer.commit(
            Step(event, instance.tenant, instance.instance, self._step, self._sequence, now, **what)
        )
        try:
            is_held = await asyncio.shield(future)
        except asyncio.CancelledError:
            await asyncio.wait([future])
            raise
        except Exception:  # not written: the next step takes its place
            self._step -= 1
            self._sequence -= 1 if event else 0
            raise
        if is_held:
            self.stop(Stop.PAUSE)

    def _event(
        self, happening: Happening, now: datetime, task: str | None, error: WorkflowError | None
    ) -> InstanceEvent:
        return InstanceEvent(
            tenant=self._instance.tenant,
            instance=self._instance.instance,
            sequence=self._sequence,
            happening=happening,
            workflow=self._instance.workflow,
            version=self._instance.version,
            event_time=now,
            task=task,
            error=error,
        )


def output_of(value: Json) -> Json:
    """Give a workflow's output as it is kept; throw a validation fault if it is too large or too deep."""
    _kept(value, "/output")
    return value


def _kept(value: Json, place: str) -> str:
    """Give a value as the text that is kept; throw a validation fault if callers could not be given it."""
    if is_deeper(value, NESTING_LIMIT):
        raise errors.validation(place, f"The output has more than {NESTING_LIMIT} nested levels.")
    text = to_text(value)
    if len(text) > _OUTPUT_LIMIT_BYTES:
        raise errors.validation(place, f"The output has {len(text)} bytes; at most {_OUTPUT_LIMIT_BYTES} are kept.")
    return text
