"""The database in memory: what `store/` does in Postgres, statement by statement, on dictionaries.

Each method is the body of a transaction (see `transactions`). It locks what the statements lock, lets time pass where
two statements follow one another, and leaves what the tables' constraints refuse unwritten.
"""

import uuid
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from millwright_workflow.domain import instances as domain
from millwright_workflow.domain import partitions
from millwright_workflow.domain.compensation import Compensation, CompensationState
from millwright_workflow.domain.errors import InstanceEnded
from millwright_workflow.domain.execution import Active, Checkpoint, End, Memory, Progress, Step, Tenure, Wish
from millwright_workflow.domain.instances import Cancellation, Instance, InstanceEvent, Key, State
from millwright_workflow.domain.interpreter import errors
from millwright_workflow.domain.partitions import View
from millwright_workflow.domain.releases import RunPolicy

from workflow_simulation.transactions import PASS, Body, Lock

Channel = tuple[str, str, str]
PARTITIONS = [("partition", part) for part in range(partitions.COUNT)]
"""The rows, as they are locked."""


DRIVEN = (State.RUNNING, State.COMPENSATING)
"""The states in which a worker has an instance."""


class Refused(Exception):
    """A constraint of the tables does not allow it."""


@dataclass
class Row:
    """An instance, with what only the engine knows of it."""

    instance: Instance
    step: int = 0
    bound_revision: int | None = None
    is_resumed: bool = False
    pause_reason: str | None = None
    events: list[InstanceEvent] = field(default_factory=list)
    results: dict[str, Checkpoint] = field(default_factory=dict)
    progress: dict[str, Progress] = field(default_factory=dict)

    @property
    def memory(self) -> Memory:
        """What is kept of its tasks."""
        return Memory(tuple(self.results.values()), dict(self.progress))


@dataclass(frozen=True)
class Hold:
    """What a rollback wants of those bound before it."""

    channel: Channel
    version: int
    revision: int
    run_policy: RunPolicy
    reason: str

    def concerns(self, row: Row) -> bool:
        """Tell whether it wants something of an instance."""
        instance = row.instance
        is_bound = (instance.tenant, instance.workflow, instance.channel) == self.channel
        earlier = row.bound_revision is not None and row.bound_revision < self.revision
        return is_bound and instance.version == self.version and earlier


class MemoryDatabase:
    """The tables, and the transactions on them. `time` is the server's clock, in seconds."""

    def __init__(self, time: Callable[[], float], now: Callable[[], datetime]) -> None:
        self._time = time
        self._now = now
        self.workers: dict[uuid.UUID, float] = {}
        self.owners: list[uuid.UUID | None] = [None] * partitions.COUNT
        self.epochs = [0] * partitions.COUNT
        self.rows: dict[Key, Row] = {}
        self.channels: dict[Channel, tuple[int, int]] = {}
        self.bad: dict[tuple[str, str, int], str] = {}
        self.holds: dict[tuple[Channel, int], Hold] = {}
        self.revision = 0

    # Leases.

    def lives(self, worker: uuid.UUID | None) -> bool:
        """Tell whether a worker's lease lasts."""
        return worker is not None and self.workers.get(worker, float("-inf")) > self._time()

    def renew(self, worker: uuid.UUID, lease: timedelta) -> Body:
        """Renew a lease; give who lives, then who owns what."""
        yield Lock((("worker", worker),))
        until = self._time() + lease.total_seconds()
        yield PASS
        alive = frozenset({it for it in self.workers if it != worker and self.lives(it)})
        next_lapse = min((timedelta(seconds=self.workers[it] - self._time()) for it in alive), default=None)
        alive |= {worker} if until > self._time() else set()
        yield PASS
        owners = {part: owner if owner in alive else None for part, owner in enumerate(self.owners)}
        self.workers[worker] = until
        return View(self._now(), alive, owners, dict(enumerate(self.epochs)), next_lapse)

    def acquire(self, worker: uuid.UUID, wanted: Collection[int]) -> Body:
        """Take what nobody alive owns. The dead are locked, so that none of them comes back to life meanwhile."""
        owners = {self.owners[part] for part in wanted} - {None, worker}
        suspects = sorted(owner for owner in owners if owner in self.workers and not self.lives(owner))
        yield Lock(tuple(("worker", owner) for owner in suspects))
        dead = {None, worker} | {owner for owner in suspects if not self.lives(owner)} | (owners - self.workers.keys())
        yield PASS
        free = [part for part in sorted(wanted) if self.owners[part] in dead]
        yield Lock(tuple(PARTITIONS[part] for part in free))
        taken = [part for part in free if self.owners[part] in dead]
        yield PASS
        for part in taken:
            self.owners[part] = worker
            self.epochs[part] += 1
        return {part: self.epochs[part] for part in taken}

    def release(self, worker: uuid.UUID, given: Collection[int]) -> Body:
        """Give up partitions."""
        yield Lock(tuple(PARTITIONS[part] for part in sorted(given) if self.owners[part] == worker))
        for part in given:
            if self.owners[part] == worker:
                self.owners[part] = None

    def leave(self, worker: uuid.UUID) -> Body:
        """Give up everything."""
        yield Lock((("worker", worker),))
        yield PASS
        yield from self.release(worker, range(partitions.COUNT))
        self.workers.pop(worker, None)

    def _held(self, tenure: Tenure) -> set[int]:
        """Give the partitions that are a tenure's still."""
        worker, owners, epochs = tenure.worker, self.owners, self.epochs
        return {
            part
            for part, epoch in tenure.epochs.items()
            if epochs[part] == epoch and (owners[part] is worker or owners[part] == worker)
        }

    def _lock_tenure(self, tenure: Tenure) -> Body:
        mine = sorted(self._held(tenure))
        yield Lock(tuple(map(PARTITIONS.__getitem__, mine)), is_shared=True)
        return self._held(tenure)

    # Claims.

    def claim(self, tenure: Tenure, limit: int, now: datetime) -> Body:
        """Begin pending instances, each bound to its version under a lock."""
        held = yield from self._lock_tenure(tenure)
        yield PASS
        pending = self._in(held, State.PENDING)[:limit]
        yield Lock(tuple(("instance", row.instance.key) for row in pending))
        pending = [row for row in pending if row.instance.state is State.PENDING]
        yield from self._lock_bindings(pending)
        bindings = {row.instance.key: self._binding(row.instance) for row in pending}
        yield PASS
        begun = []
        for row in pending:
            if (binding := bindings[row.instance.key]) is None:
                continue
            version, row.bound_revision, bad = binding
            if bad is None:
                self._move(row, State.RUNNING, now, version=version, start_time=now)
                begun.append(Active(row.instance, row.step))
            else:
                detail = f"Version {version} was marked bad before this instance began: {bad}"
                self._move(row, State.FAULTED, now, error=errors.configuration("/", detail).error, end_time=now)
        return begun

    def _lock_bindings(self, pending: Sequence[Row]) -> Body:
        through = {self._channel(row.instance) for row in pending if row.instance.version is None}
        yield Lock(tuple(("channel", channel) for channel in sorted(through)), is_shared=True)
        bindings = [(row.instance, self._binding(row.instance)) for row in pending]
        versions = {(instance.tenant, instance.workflow, binding[0]) for instance, binding in bindings if binding}
        yield Lock(tuple(("version", version) for version in sorted(versions)), is_shared=True)

    def _binding(self, instance: Instance) -> tuple[int, int | None, str | None] | None:
        if instance.version is not None:
            version, revision = instance.version, None
        elif (pointer := self.channels.get(self._channel(instance))) is not None:
            version, revision = pointer
        else:
            return None
        return version, revision, self.bad.get((instance.tenant, instance.workflow, version))

    def take_resumed(self, tenure: Tenure) -> Body:
        """Take the instances that were resumed."""
        held = yield from self._lock_tenure(tenure)
        taken = [row for row in self._in(held, *DRIVEN) if row.is_resumed]
        yield Lock(tuple(("instance", row.instance.key) for row in taken))
        taken = [row for row in taken if row.is_resumed]
        for row in taken:
            row.is_resumed = False
        return [Active(row.instance, row.step) for row in taken]

    def running(self, chosen: Collection[int]) -> Body:
        """Give the running instances."""
        yield PASS
        return [Active(row.instance, row.step) for row in self._in(set(chosen), *DRIVEN)]

    def recall(self, keys: Sequence[Key]) -> Body:
        """Give what is kept of the tasks of instances."""
        yield PASS
        return [self.rows[key].memory for key in keys]

    def wishes(self, chosen: Collection[int]) -> Body:
        """Give what is wanted of running instances."""
        yield PASS
        wishes = []
        for row in self._in(set(chosen), State.RUNNING):
            key, cancel_reason = row.instance.key, row.instance.cancel_reason
            if cancel_reason is not None:
                policy = RunPolicy.CANCEL_COMPENSATE if row.instance.compensation else RunPolicy.CANCEL
                wishes.append(Wish(key, policy, cancel_reason))
            elif row.pause_reason is not None:
                wishes.append(Wish(key, RunPolicy.PAUSE, row.pause_reason))
            wishes += [Wish(key, it.run_policy, it.reason) for it in self.holds.values() if it.concerns(row)]
        for row in self._in(set(chosen), State.COMPENSATING):
            if row.instance.compensation.state is CompensationState.STOPPING:
                reason = row.instance.cancel_reason or ""
                wishes.append(Wish(row.instance.key, RunPolicy.CANCEL, reason, State.COMPENSATING))
        return wishes

    def cancel_paused(self, limit: int, now: datetime) -> Body:
        """Cancel paused instances that are to be cancelled."""
        wanted = [(row, wish) for row in self._in(None, State.PAUSED) if (wish := self._cancellation(row)) is not None]
        yield Lock(tuple(("instance", row.instance.key) for row, _ in wanted[:limit]))
        ended = []
        for row, (reason, compensates) in wanted[:limit]:
            if row.instance.state is not State.PAUSED:
                continue
            if compensates:
                self._compensate(row, reason, now)
            else:
                self._replace(row, domain.cancel_now(row.instance, reason, now), now)
            ended.append(row.instance)
        return ended

    def _cancellation(self, row: Row) -> tuple[str, bool] | None:
        if row.instance.cancel_reason is not None:
            return row.instance.cancel_reason, row.instance.compensation is not None
        policies = (RunPolicy.CANCEL, RunPolicy.CANCEL_COMPENSATE)
        holds = [it for it in self.holds.values() if it.run_policy in policies and it.concerns(row)]
        return (holds[0].reason, holds[0].run_policy is RunPolicy.CANCEL_COMPENSATE) if holds else None

    def _compensate(self, row: Row, reason: str | None, now: datetime) -> None:
        self._replace(row, domain.compensate(row.instance, reason), now)
        row.step += 1
        row.is_resumed = True
        row.pause_reason = None
        row.progress = {key: kept for key, kept in row.progress.items() if not key.startswith("within ")}

    # Steps.

    def write(self, tenure: Tenure, steps: Sequence[Step]) -> Body:
        """Write steps; give the instances they were written of, and whether each is held."""
        held = yield from self._lock_tenure(tenure)
        yield PASS
        groups: defaultdict[Key, list[Step]] = defaultdict(list)
        for step in steps:
            groups[step.key].append(step)
        accepted = {key: group for key, group in groups.items() if self._fits(key, group, held)}
        for key, group in accepted.items():
            self._check(self.rows[key], group)
        yield PASS
        accepted = {key: group for key, group in accepted.items() if self._fits(key, group, held)}
        return {key: self._advance(self.rows[key], group) for key, group in accepted.items()}

    def _fits(self, key: Key, group: list[Step], held: Collection[int]) -> bool:
        row = self.rows.get(key)
        if row is None or partitions.of(key[1]) not in held:
            return False
        return row.instance.state in DRIVEN and row.step == group[0].number - 1

    def _check(self, row: Row, group: list[Step]) -> None:
        references = [step.result.reference for step in group if step.result]
        sequences = [step.event.sequence for step in group if step.event]
        known = {event.sequence for event in row.events}
        if len({*references}) < len(references) or row.results.keys() & {*references}:
            message = "task_result_pkey"
            raise Refused(message)
        if len({*sequences}) < len(sequences) or known & {*sequences}:
            message = "event_pkey"
            raise Refused(message)

    def _advance(self, row: Row, group: list[Step]) -> bool:
        last, end = group[-1], group[-1].end
        finished = sum(1 for step in group if step.result and not step.result.is_skipped)
        row.step = last.number
        row.pause_reason = None if end else row.pause_reason
        begins_undo = end is not None and end.state is State.COMPENSATING
        row.is_resumed = row.is_resumed or begins_undo
        row.instance = replace(
            row.instance,
            sequence=last.sequence,
            finished_tasks=row.instance.finished_tasks + finished,
            state=end.state if end else row.instance.state,
            output=end.output if end and end.state is State.COMPLETED else None,
            error=end.error if end and not begins_undo else None,
            compensation=_compensation(row.instance.compensation, end) if end else row.instance.compensation,
            end_time=last.time if end and end.state.is_terminal else None,
        )
        for step in group:
            if (kept := step.checkpoint) is not None:
                row.results[kept.result.reference] = kept
            if step.progress:
                known = row.progress.get(step.progress.key)
                begin = known.begin_time if known else step.progress.begin_time
                row.progress[step.progress.key] = replace(step.progress, begin_time=begin)
            if step.event:
                row.events.append(step.event)
        holds = [it for it in self.holds.values() if it.run_policy is RunPolicy.PAUSE and it.concerns(row)]
        return row.instance.state is not State.COMPENSATING and (bool(holds) or row.pause_reason is not None)

    # What callers do.

    def start(self, instance: Instance) -> Body:
        """Accept an instance."""
        yield PASS
        self.rows[instance.key] = row = Row(instance)
        row.events.append(domain.event(instance, domain.Happening.CREATED, self._now()))

    def cancel(self, key: Key, reason: str, *, compensates: bool = False) -> Body:
        """Cancel an instance, or ask its worker to."""
        yield Lock((("instance", key),))
        row = self.rows[key]
        compensation = row.instance.compensation
        with suppress(InstanceEnded):
            match domain.cancel(row.instance, compensates=compensates):
                case Cancellation.NOW:
                    self._replace(row, domain.cancel_now(row.instance, reason, self._now()), self._now())
                case Cancellation.REQUESTED:
                    asked = Compensation(CompensationState.REQUESTED) if compensates else None
                    row.instance = replace(row.instance, cancel_reason=reason, compensation=asked)
                case Cancellation.STOP:
                    stopping = replace(compensation, state=CompensationState.STOPPING)
                    row.instance = replace(row.instance, cancel_reason=reason, compensation=stopping)
                case Cancellation.COMPENSATE:
                    self._compensate(row, reason, self._now())

    def pause(self, key: Key, reason: str) -> Body:
        """Ask the worker of an instance to pause it."""
        yield Lock((("instance", key),))
        if self.rows[key].instance.state is State.RUNNING:
            self.rows[key].pause_reason = reason

    def resume(self, key: Key) -> Body:
        """Let a paused instance go on."""
        yield Lock((("instance", key),))
        row = self.rows[key]
        if row.instance.state is State.PAUSED:
            self._move(row, State.RUNNING, self._now())
            row.is_resumed = True
            row.bound_revision = self.revision

    def point(self, channel: Channel, version: int, policy: RunPolicy | None = None) -> Body:
        """Point a channel to a version; with a run policy it is a rollback, and the version left is bad."""
        yield Lock((("channel", channel),))
        left = self.channels.get(channel)
        touched = sorted({version, left[0] if left else version})
        yield Lock(tuple(("version", (channel[0], channel[1], number)) for number in touched))
        yield PASS
        self.revision += 1
        self.channels[channel] = version, self.revision
        if policy is not None and left is not None and left[0] != version:
            self.bad[channel[0], channel[1], left[0]] = "it was rolled back"
            self.bad.pop((channel[0], channel[1], version), None)
            if policy is not RunPolicy.DRAIN:
                self.holds[channel, left[0]] = Hold(channel, left[0], self.revision, policy, "it was rolled back")

    def retry_undo(self, key: Key) -> Body:
        """Have the rest undone of an instance whose undoing was stopped."""
        yield Lock((("instance", key),))
        row = self.rows[key]
        compensation = row.instance.compensation
        if row.instance.state.is_terminal and compensation and compensation.state is CompensationState.STOPPED:
            self._compensate(row, None, self._now())

    def _in(self, chosen: Collection[int] | None, *states: State) -> list[Row]:
        return [
            row
            for (_, instance), row in self.rows.items()
            if row.instance.state in states and (chosen is None or partitions.of(instance) in chosen)
        ]

    def _move(self, row: Row, state: State, now: datetime, **changes: object) -> None:
        self._replace(row, domain.move(row.instance, state, **changes), now)

    def _replace(self, row: Row, after: Instance, now: datetime) -> None:
        happening = domain.happening(row.instance.state, after.state)
        row.instance = after
        row.events.append(domain.event(after, happening, now))

    @staticmethod
    def _channel(instance: Instance) -> Channel:
        return instance.tenant, instance.workflow, instance.channel or ""


def _compensation(known: Compensation | None, end: End) -> Compensation | None:
    """Give where the compensation of an instance stands once it has left its worker."""
    if end.compensation is None:
        return None if end.state.is_terminal else known
    cause = end.error if end.state is State.COMPENSATING else known and known.cause
    return Compensation(end.compensation, cause)
