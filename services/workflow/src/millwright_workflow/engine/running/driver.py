"""Drives one instance: carries out the effects that its walk yields, until the walk ends or somebody wants it stopped.

Owns the instance's sequence and its timers. Decides nothing about workflows; that is the interpreter's.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from functools import partial
from typing import Any, Protocol, TypeVar

from millwright_runtime.events.signals import Signals
from millwright_runtime.json import Json

from millwright_workflow.domain import instances as domain
from millwright_workflow.domain import sizes
from millwright_workflow.domain.execution import Active, End, Progress, Step
from millwright_workflow.domain.instances import Happening, Instance, InstanceEvent
from millwright_workflow.domain.interpreter import (
    CONTINUE,
    Begin,
    Catch,
    Commit,
    Effect,
    Failure,
    Part,
    Retry,
    Wait,
    Within,
    WorkflowError,
    WorkflowFault,
    errors,
)
from millwright_workflow.domain.interpreter.effects import Fail, Fork, TaskReference
from millwright_workflow.engine.running.clock import Clock
from millwright_workflow.engine.running.recent import Recent
from millwright_workflow.engine.running.writer import Superseded, Writer

_LONGEST_SLEEP_SECONDS = 30.0
LOOK_SECONDS = 1.0
"""How often is looked for what was waited for, if no signal comes."""

T = TypeVar("T")


class Stop(Enum):
    """Why an instance is to stop at its next boundary."""

    PAUSE = "PAUSE"
    HAND_OVER = "HAND_OVER"


class Stopped(Exception):
    """The walk was left at a boundary, as asked."""


class Caller(Protocol):
    """The instance on whose behalf an effect is carried out."""

    @property
    def instance(self) -> Instance:
        """Give the instance as it was when it came here."""
        ...

    async def confirm(self) -> None:
        """Return once it is sure that the instance is ours to act for; call it before each act outside the database."""
        ...

    @property
    def stop_reason(self) -> Stop | None:
        """Give why it was asked to stop, if it was."""
        ...

    @property
    def is_abandoned(self) -> bool:
        """Tell whether it goes on elsewhere: what it has begun outside is not to be called off when it is closed."""
        ...

    async def until(self, name: str, look: Callable[[], Awaitable[T | None]], seconds: float = LOOK_SECONDS) -> T:
        """Give what `look` finds once it finds something; it looks when signal `name` comes, and every `seconds`.

        Waiting is a boundary: raises Stopped if the instance is to stop meanwhile.
        """
        ...

    async def tell_progress(self, reference: TaskReference, percent: float) -> None:
        """Make durable, as an event of the instance, how far a task is."""
        ...

    async def tell_listening(self, reference: TaskReference, *, begins: bool) -> None:
        """Note that a task listens for events, and tell of it in an event of the instance if it only begins to."""
        ...


Carrier = Callable[[Caller, Any], Awaitable[Any]]
"""Carries out effects of one type: gives what the effect's docstring says is sent back, raises WorkflowFault."""


@dataclass(frozen=True, slots=True)
class Means:
    """What every driver of a worker shares."""

    writer: Writer
    signals: Signals
    carriers: Mapping[type[Any], Carrier]
    """Who carries out the effects that reach beyond the instance."""
    confirm: Callable[[], Awaitable[None]]
    """Returns once it is sure that the worker's lease lasts: asked before anything is done outside the database."""
    clock: Clock


class Driver:
    """One instance being walked."""

    def __init__(self, means: Means, active: Active, progress: dict[str, Progress]) -> None:
        self._means = means
        self._instance = active.instance
        self._step = active.step
        self._sequence = active.instance.sequence
        self._progress = progress
        self._begun: dict[str, datetime] = {}
        self.kept = Recent()
        """What was made durable here, as far as it is still in memory."""
        self._listening: set[str] = set()
        self._stop: Stop | None = None
        self._stopping = asyncio.Event()
        self._is_abandoned = False
        self._carriers: dict[type[Effect], Callable[[Any], Awaitable[Any]]] = {
            Begin: self._begin,
            Wait: self._wait,
            Retry: self._retry,
            Catch: self._catch,
            Within: self._within,
            Fork: self._fork,
            Fail: self._fail,
            Commit: self._commit,
            **{kind: partial(carrier, self) for kind, carrier in means.carriers.items()},
        }

    @property
    def instance(self) -> Instance:
        """Give the instance as it was when it came here."""
        return self._instance

    async def confirm(self) -> None:
        """Return once it is sure that the instance is ours to act for; raise Superseded if it is not any more."""
        await self._means.confirm()
        if self._is_abandoned:  # the cancellation of a branch comes later than its awakening
            raise Superseded

    async def until(self, name: str, look: Callable[[], Awaitable[T | None]], seconds: float = LOOK_SECONDS) -> T:
        """Give what `look` finds once it finds something; it looks when signal `name` comes, and every `seconds`.

        Waiting is a boundary: raises Stopped if asked to stop meanwhile.
        """
        with self._means.signals.listen(name) as listener:
            while (found := await look()) is None:
                waits = [
                    asyncio.ensure_future(listener.wait(seconds)),
                    asyncio.ensure_future(self._stopping.wait()),
                ]
                try:
                    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for wait in waits:
                        wait.cancel()
                if self._stop is not None:
                    raise Stopped
            return found

    @property
    def stop_reason(self) -> Stop | None:
        """Give why it was asked to stop, if it was."""
        return self._stop

    @property
    def is_abandoned(self) -> bool:
        """Tell whether it goes on elsewhere."""
        return self._is_abandoned

    def abandon(self) -> None:
        """Take note that it goes on elsewhere, before it is interrupted."""
        self._is_abandoned = True

    async def tell_progress(self, reference: TaskReference, percent: float) -> None:
        """Make durable, as an event of the instance, how far a task is."""
        await self._write(Happening.TASK_PROGRESS, task=str(reference), percent=percent)

    async def tell_listening(self, reference: TaskReference, *, begins: bool) -> None:
        """Note that a task listens for events; its result will tell that it has them."""
        self._listening.add(str(reference))
        if begins:
            await self._write(Happening.CORRELATION_STARTED, task=str(reference))

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
        await self._write(domain.happening(self._instance.state, end.state), error=end.error, end=end)

    async def _begin(self, effect: Begin) -> datetime:
        if self._stop is not None:
            raise Stopped
        return self._begun.setdefault(str(effect.reference), self._means.clock.now())

    async def _wait(self, effect: Wait) -> None:
        await self._sleep_until((await self._timer(f"wait {effect.reference}", effect.seconds)).due_time)

    async def _retry(self, effect: Retry) -> bool:
        key = f"retry {effect.reference}"
        known = self._progress.get(key)
        if known and known.failure == effect.failure:  # a resumed walk: what is left of the delay passes
            await self._sleep_until(known.due_time)
            return True
        now = self._means.clock.now()
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
            begin = known.begin_time if known else self._means.clock.now()
            await self._keep(Progress(key, begin, None, effect.failure))

    async def _within(self, effect: Within) -> Any:
        timer = await self._timer(f"within {effect.reference}", effect.seconds)
        assert timer.due_time is not None
        seconds = (timer.due_time - self._means.clock.now()).total_seconds()
        try:
            async with asyncio.timeout(seconds) as limit:
                return await self.drive(effect.part)
        except TimeoutError:
            if limit.expired():
                raise errors.timeout(effect.reference.pointer) from None
            raise

    async def _fork(self, effect: Fork) -> Any:
        tasks = [asyncio.create_task(self.drive(branch.part)) for branch in effect.branches]
        try:
            return await (_winner(tasks) if effect.is_race else _all(tasks))
        except Stopped:
            await asyncio.wait(tasks)  # each stops at a boundary of its own
            raise
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _fail(self, _effect: Fail) -> None:
        """Nobody is told of a task's failure by itself: the retry, the catch or the instance's end tells."""

    async def _commit(self, effect: Commit) -> None:
        result = effect.result
        self._begun.pop(result.reference, None)
        output = _kept(result.output, result.reference.partition("@")[0])
        if result.reference in self._listening:
            self._listening.discard(result.reference)
            await self._write(Happening.CORRELATION_COMPLETED, task=result.reference)
        happening = None if result.is_skipped else Happening.TASK_COMPLETED
        context = _kept(result.context, result.reference.partition("@")[0])
        then = None if result.next == CONTINUE else result.next
        await self._write(happening, task=result.reference, then=then, result=result, output=output, context=context)

    async def _timer(self, key: str, seconds: float) -> Progress:
        """Give the timer of `key`, made durable when it is first asked for."""
        known = self._progress.get(key)
        if known is None:
            now = self._means.clock.now()
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
        """Let time pass until `due`; raise Stopped if asked to stop meanwhile."""
        while due is not None and (seconds := (due - self._means.clock.now()).total_seconds()) > 0:
            try:
                async with asyncio.timeout(min(seconds, _LONGEST_SLEEP_SECONDS)):
                    await self._stopping.wait()
            except TimeoutError:
                continue
            raise Stopped

    async def _write(
        self,
        happening: Happening | None = None,
        task: str | None = None,
        error: WorkflowError | None = None,
        percent: float | None = None,
        then: str | None = None,
        **what: Any,
    ) -> None:
        """Have a step written, and do not leave before it is known whether it was, even when cancelled."""
        now = self._means.clock.now()
        event = None
        if happening is not None:
            self._sequence += 1
            event = self._event(happening, now, task, error, percent, then)
        self._step += 1
        instance = self._instance
        step = Step(event, instance.tenant, instance.instance, self._step, self._sequence, now, **what)
        future = self._means.writer.commit(step)
        cancellation = await _settled(future)
        if future.exception() is not None:  # not written: the next step takes its place
            self._step -= 1
            self._sequence -= 1 if event else 0
        else:
            self.kept.note(step)
        if cancellation is not None:
            raise cancellation
        if future.result():
            self.stop(Stop.PAUSE)

    def _event(
        self,
        happening: Happening,
        now: datetime,
        task: str | None,
        error: WorkflowError | None,
        percent: float | None,
        then: str | None,
    ) -> InstanceEvent:
        return InstanceEvent(
            tenant=self._instance.tenant,
            instance=self._instance.instance,
            sequence=self._sequence,
            happening=happening,
            workflow=self._instance.workflow,
            version=self._instance.version,
            event_time=now,
            day=self._instance.day,
            task=task,
            error=error,
            percent=percent,
            then=then,
            traceparent=self._instance.traceparent,
        )


async def _settled(future: asyncio.Future[Any]) -> asyncio.CancelledError | None:
    """Return once `future` is done, however often we are cancelled meanwhile; give the cancellation if we were."""
    cancellation = None
    while not future.done():
        try:
            await asyncio.shield(future)
        except asyncio.CancelledError as error:
            cancellation = error
        except Exception:  # noqa: BLE001 - whoever asks the future is told
            break
    return cancellation


async def _all(tasks: Sequence[asyncio.Task[Any]]) -> list[Any]:
    """Give what every branch returns; raise what the first raises that raises anything."""
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    for task in tasks:
        if task in done and (error := task.exception()) is not None:
            raise error
    return [task.result() for task in tasks]


async def _winner(tasks: Sequence[asyncio.Task[Any]]) -> tuple[int, Any] | None:
    """Give the first branch that returns something, and what; raise what any raises before."""
    pending = set(tasks)
    while pending:
        done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        for index, task in enumerate(tasks):
            if task in done and (result := task.result()) is not None:
                return index, result
    return None


def output_of(value: Json) -> Json:
    """Give a workflow's output as it is kept; throw a validation fault if it is too large or too deep."""
    _kept(value, "/output")
    return value


def _kept(value: Json, place: str) -> str:
    """Give a value as the text that is kept; throw a validation fault if callers could not be given it."""
    try:
        return sizes.text_of("output", value, sizes.VALUE_LIMIT_BYTES)
    except ValueError as fault:
        raise errors.validation(place, str(fault)) from None
