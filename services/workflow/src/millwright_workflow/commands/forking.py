"""Forking: a new instance goes on from what another one has done, on the same or another version."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from millwright_runtime.events.log import EventLog
from millwright_runtime.postgres.database import Connection

from millwright_workflow.commands import running
from millwright_workflow.commands.running import Start
from millwright_workflow.domain.errors import CheckpointNotFound, NotCompatible
from millwright_workflow.domain.execution import Checkpoint
from millwright_workflow.domain.instances import Instance, check_forward
from millwright_workflow.domain.interpreter import WorkflowPlan, compare
from millwright_workflow.domain.interpreter.effects import History
from millwright_workflow.store import steps


@dataclass(frozen=True, slots=True)
class Fork:
    """The wish to fork an instance that has begun."""

    source: Instance
    source_plan: WorkflowPlan
    version: int
    target_plan: WorkflowPlan
    from_checkpoint: int | None


@dataclass(frozen=True, slots=True)
class Forked:
    """The new instance, and how many results it begins with."""

    instance: Instance
    adopted: int


async def fork(connection: Connection, log: EventLog, tenant: str, wish: Fork, creator: str, now: datetime) -> Forked:
    """Start an instance with the results of another up to a checkpoint; the other is left as it is.

    Raises InstanceCompensated, CheckpointNotFound, NotCompatible, and what starting raises.
    """
    adopted = await check(connection, tenant, wish)
    start = Start(wish.source.workflow, channel=None, version=wish.version, input=wish.source.input)
    instance = await running.start(connection, log, tenant, start, creator, now)
    if adopted:
        references = [each.result.reference for each in adopted]
        await steps.adopt(connection, tenant, wish.source.instance, instance.instance, references)
    return Forked(instance, len(adopted))


async def check(connection: Connection, tenant: str, wish: Fork) -> tuple[Checkpoint, ...]:
    """Give the checkpoints that a fork would take over; raise what it would raise."""
    check_forward(wish.source)
    kept = (await steps.recall(connection, tenant, wish.source.instance)).checkpoints
    if wish.from_checkpoint is not None:
        if wish.from_checkpoint not in {each.number for each in kept}:
            raise CheckpointNotFound(instance=wish.source.instance, sequence=wish.from_checkpoint)
        kept = tuple(each for each in kept if each.number <= wish.from_checkpoint)
    history = History({each.result.reference: each.result for each in kept})
    if obstacles := compare(wish.source_plan, wish.target_plan, history).obstacles:
        raise NotCompatible(wish.version, obstacles)
    return kept
