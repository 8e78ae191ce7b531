"""One instance in this process: walked in a task of its own, until it ends, pauses, or goes elsewhere."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable

from millwright_runtime.errors import Unavailable
from millwright_runtime.postgres.database import is_connection_loss

from millwright_workflow.domain import instances as domain
from millwright_workflow.domain.execution import Active, Checkpoint, End, Memory
from millwright_workflow.domain.instances import State
from millwright_workflow.domain.interpreter import Identity, WorkflowError, WorkflowFault, errors, walk_workflow
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

    def cancel(self, reason: str) -> None:
        """Interrupt it wherever it is, and have its cancellation written."""
        if self._cancel_reason is None:
            self._cancel_reason = reason
            self.task.cancel()

    def abandon(self) -> None:
        """Interrupt it wherever it is and write nothing; it may come back to us."""
        self.is_lost = True
        self._cancel_reason = None
        self._driver.abandon()
        self.task.cancel()

    async def _run(self) -> None:
        try:
            await self._driver.end(await self._walk())
        except Superseded:
            self.is_lost = True
            _log.warning("superseded by another worker", extra={"instance": str(self._instance.instance)})
        except _GoesElsewhere:
            pass
        except Exception as error:  # noqa: BLE001 - the top of an instance's task
            self.is_lost = True  # ours or another's: the database knows, and the audit asks it
            is_foreseen = isinstance(error, Unavailable) or is_connection_loss(error)
            extra = {"instance": str(self._instance.instance), "fault": repr(error)}
            _log.warning("an instance was given up", extra=extra, exc_info=None if is_foreseen else error)

    async def _walk(self) -> End:
        instance = self._instance
        assert instance.version is not None
        assert instance.start_time is not None
        try:
            plan = await self._definitions.plan(instance.tenant, instance.workflow, instance.version)
            identity = Identity(
                str(instance.instance),
                instance.start_time,
                _RUNTIME_NAME,
                _RUNTIME_VERSION,
                secrets=await self._secrets.sealed(instance),
            )
            walk = walk_workflow(plan, instance.input, self._memory.history, identity)
            end = End(State.COMPLETED, output=output_of(await self._driver.drive(walk)))
        except WorkflowFault as fault:
            end = End(State.FAULTED, error=fault.error)
        except Stopped:
            if self._driver.stop_reason is Stop.HAND_OVER:
                raise _GoesElsewhere from None
            end = End(State.PAUSED)
        except asyncio.CancelledError:
            if self._cancel_reason is None:
                raise
            end = End(State.CANCELLED, error=domain.cancelled(self._cancel_reason))
        except Superseded:
            raise
        except Exception as error:  # noqa: BLE001 - a mistake of ours must not run for ever
            end = End(State.FAULTED, error=self._mistake(error))
        return end

    def _mistake(self, error: Exception) -> WorkflowError:
        """Give the error of an instance that met a mistake of ours; raise it again if only the database is away."""
        if isinstance(error, Unavailable) or is_connection_loss(error):
            raise error
        error_id = str(uuid.uuid4())
        extra = {"instance": str(self._instance.instance), "error_id": error_id}
        _log.error("an instance met a mistake of ours", extra=extra, exc_info=error)
        return errors.runtime("/", f"Something went wrong on our side; the log has it as error {error_id}.").error


class _GoesElsewhere(Exception):
    """The instance stays as it is in the database, for another worker."""
