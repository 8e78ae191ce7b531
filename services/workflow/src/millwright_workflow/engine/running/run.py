"""One instance in this process: walked in a task of its own, until it ends, pauses, or goes elsewhere.

An instance that is to be undone leaves, too: that is another walk, which begins from what is kept, here or elsewhere.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from millwright_runtime import mistakes, tracing
from millwright_runtime.postgres.database import is_away

from millwright_workflow.domain import instances as domain
from millwright_workflow.domain.compensation import CompensationState
from millwright_workflow.domain.execution import Active, Checkpoint, End, Memory
from millwright_workflow.domain.instances import State
from millwright_workflow.domain.interpreter import (
    Identity,
    WorkflowError,
    WorkflowFault,
    WorkflowPlan,
    errors,
    walk_undo,
    walk_workflow,
)
from millwright_workflow.engine.calls.secrets import Secrets
from millwright_workflow.engine.definitions import Definitions
from millwright_workflow.engine.running.driver import Driver, Means, Stop, Stopped, output_of
from millwright_workflow.engine.running.writer import Superseded

_RUNTIME_NAME = "millwright"
_RUNTIME_VERSION = "0.1.0"
_log = logging.getLogger(__name__)


class RunFactory:
    """Makes the runs of a worker."""

    def __init__(self, definitions: Definitions, means: Means, secrets: Secrets) -> None:
        self._definitions = definitions
        self._means = means
        self._secrets = secrets

    def fresh(self, active: Active) -> Run:
        """Give the run of an instance that begins."""
        return self.recalled(active, Memory())

    def recalled(self, active: Active, memory: Memory) -> Run:
        """Give the run of an instance that goes on from what is kept of it."""
        driver = Driver(self._means, active, memory.progress)
        return Run(self._definitions, self._secrets, driver, active, memory)


class Run:
    """An instance being run."""

    task: asyncio.Task[None]
    """There from `start` on."""

    def __init__(
        self, definitions: Definitions, secrets: Secrets, driver: Driver, active: Active, memory: Memory
    ) -> None:
        self._definitions = definitions
        self._secrets = secrets
        self._driver = driver
        self._instance = active.instance
        self._memory = memory
        self._cancel_reason: str | None = None
        self._compensates = False
        """Whether its cancellation has what was done undone."""
        self.is_to_be_undone = False
        """It left to be taken again, and undone."""
        self.is_lost = False
        """It left without its state being known: it may be ours still."""

    def start(self, left: Callable[[], None]) -> None:
        """Begin; `left` is called when it is not run here any more, whichever way that came."""
        self.task = asyncio.create_task(self._run(), name=f"instance-{self._instance.instance}")
        self.task.add_done_callback(lambda _: left())

    def find_checkpoint(self, number: int | None) -> Checkpoint | None:
        """Give what was made durable here, if it is still in memory."""
        return self._driver.kept.find(number)

    def stop(self, reason: Stop) -> None:
        """Stop it at its next boundary."""
        self._driver.stop(reason)

    @property
    def state(self) -> State:
        """Give the state that it is run in: RUNNING, or COMPENSATING while it is undone."""
        return self._instance.state

    def cancel(self, reason: str, *, compensates: bool) -> None:
        """Interrupt it wherever it is, and have its cancellation written, or that it is to be undone."""
        if self._cancel_reason is None:
            self._cancel_reason = reason
            self._compensates = compensates
            self.task.cancel()

    def abandon(self) -> None:
        """Interrupt it wherever it is and write nothing; it may come back to us."""
        self.is_lost = True
        self._cancel_reason = None
        self._driver.abandon()
        self.task.cancel()

    async def _run(self) -> None:
        tracing.join(self._instance.traceparent)
        try:
            end = await self._walk()
            await self._driver.end(end)
            self.is_to_be_undone = end.state is State.COMPENSATING
        except Superseded:
            self.is_lost = True
            _log.warning("superseded by another worker", extra={"instance": str(self._instance.instance)})
        except _GoesElsewhere:
            pass
        except Exception as error:  # noqa: BLE001 - the top of an instance's task
            self.is_lost = True  # ours or another's: the database knows, and the audit asks it
            is_foreseen = is_away(error)
            extra = {"instance": str(self._instance.instance), "fault": repr(error)}
            _log.warning("an instance was given up", extra=extra, exc_info=None if is_foreseen else error)

    async def _walk(self) -> End:
        instance = self._instance
        is_undo = instance.state is State.COMPENSATING
        plan: WorkflowPlan | None = None
        try:
            assert instance.version is not None
            plan = await self._definitions.plan(instance.tenant, instance.workflow, instance.version)
            end = await (self._undo(plan) if is_undo else self._go_forward(plan))
        except WorkflowFault as fault:
            compensates = not is_undo and plan is not None and plan.compensates_on_fault
            end = self._ended(State.FAULTED, fault.error, compensates=compensates)
        except Stopped:
            if self._driver.stop_reason is Stop.HAND_OVER:
                raise _GoesElsewhere from None
            end = End(State.PAUSED)
        except asyncio.CancelledError:
            if self._cancel_reason is None:
                raise
            end = self._ended(State.CANCELLED, domain.cancelled(self._cancel_reason), compensates=self._compensates)
        except Superseded:
            raise
        except Exception as error:  # noqa: BLE001 - a mistake of ours must not run for ever
            end = self._ended(State.FAULTED, self._mistake(error), compensates=False)
        return end

    async def _go_forward(self, plan: WorkflowPlan) -> End:
        walk = walk_workflow(plan, self._instance.input, self._memory.history, await self._identity())
        return End(State.COMPLETED, output=output_of(await self._driver.drive(walk)))

    async def _undo(self, plan: WorkflowPlan) -> End:
        instance = self._instance
        assert instance.compensation is not None
        cause = instance.compensation.cause
        assert cause is not None
        await self._driver.drive(walk_undo(plan, instance.input, self._memory.history, await self._identity()))
        return End(domain.compensated(cause), error=cause, compensation=CompensationState.COMPLETED)

    def _ended(self, state: State, error: WorkflowError, *, compensates: bool) -> End:
        """Give an end by an error; one that `compensates` comes after what was done is undone."""
        if self._instance.state is State.COMPENSATING:
            return End(state, error=error, compensation=CompensationState.STOPPED)
        if compensates:
            return End(State.COMPENSATING, error=error, compensation=CompensationState.RUNNING)
        return End(state, error=error)

    async def _identity(self) -> Identity:
        instance = self._instance
        assert instance.start_time is not None
        return Identity(
            str(instance.instance),
            instance.start_time,
            _RUNTIME_NAME,
            _RUNTIME_VERSION,
            secrets=await self._secrets.sealed(instance),
        )

    def _mistake(self, error: Exception) -> WorkflowError:
        """Give the error of an instance that met a mistake of ours; raise it again if only the database is away."""
        if is_away(error):
            raise error
        instance = str(self._instance.instance)
        mistake = mistakes.record(_log, "an instance met a mistake of ours", error, instance=instance)
        return errors.runtime("/", str(mistake)).error


class _GoesElsewhere(Exception):
    """The instance stays as it is in the database, for another worker."""
