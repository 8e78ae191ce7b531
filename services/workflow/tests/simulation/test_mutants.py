"""The simulation can fail: of each mistake that an engine could have, some seed tells soon."""

import re
from dataclasses import replace

import pytest
from millwright_workflow.domain import partitions
from millwright_workflow.domain.execution import Memory, Tenure
from millwright_workflow.domain.instances import State
from millwright_workflow.domain.interpreter.undo import PLACE as UNDO
from millwright_workflow.engine.running.holdings import Holdings
from millwright_workflow.engine.running.worker import Worker
from workflow_simulation.database import DRIVEN, MemoryDatabase
from workflow_simulation.process import Plant, WitnessedStorage, WitnessedWriter
from workflow_simulation.transactions import PASS, Lock
from workflow_simulation.world import Parts, simulate

SEEDS = 600


class DatabaseThatIgnoresEpochs(MemoryDatabase):
    def _lock_tenure(self, tenure):
        yield PASS
        return set(tenure.epochs)


class DatabaseThatIgnoresSteps(MemoryDatabase):
    def _fits(self, key, group, held):
        return self.rows[key].instance.state in DRIVEN and partitions.of(key[1]) in held

    def _check(self, row, group):
        return


class DatabaseThatTakesFromTheLiving(MemoryDatabase):
    def lives(self, worker):
        return super().lives(worker) and self._time() % 7 > 1


class DatabaseThatRevivesTheDead(MemoryDatabase):
    """It decides who is dead before it waits for their last write, and locks none of them."""

    def acquire(self, worker, wanted):
        free = [
            part for part in sorted(wanted) if self.owners[part] in {None, worker} or not self.lives(self.owners[part])
        ]
        yield Lock(tuple(("partition", part) for part in free))
        for _ in range(10):  # to make it likely
            yield PASS
        for part in free:
            self.owners[part] = worker
            self.epochs[part] += 1
        return {part: self.epochs[part] for part in free}


class DatabaseThatBindsWithoutLock(MemoryDatabase):
    def _lock_bindings(self, pending):
        yield PASS


class StorageThatForgets(WitnessedStorage):
    async def recall(self, found):
        return [Memory(memory.checkpoints[:-1], memory.progress) for memory in await super().recall(found)]


class StorageWithStaleCheckpoints(WitnessedStorage):
    async def recall(self, found):
        known = [[memory for (key, _), memory in self.cache.items() if key == it.instance.key] for it in found]
        return [stale[0] if stale else memory for stale, memory in zip(known, await super().recall(found), strict=True)]


class WriterThatAcknowledgesFirst(WitnessedWriter):
    def commit(self, step):
        future = super().commit(step)
        if not future.done():
            future.set_result(False)
        return future


class WriterThatTakesSilenceForConsent(WitnessedWriter):
    """It takes a step that is refused after a lost answer for one that was written before."""

    async def _write(self, steps):
        written = await super()._write(steps)
        return {step.key: written.get(step.key, False) for step in steps}


class HoldingsThatConfirmBlindly(Holdings):
    async def confirm(self):
        return


class HoldingsThatForgetLostAnswers(Holdings):
    async def _renew(self, occupant):
        view = await super()._renew(occupant)
        if view is None:
            return None
        ours = dict.fromkeys(self.tenure.epochs, self.tenure.worker)
        owners = {part: None if owner == self.tenure.worker else owner for part, owner in view.owners.items()}
        return replace(view, owners=owners | ours)


class HoldingsThatKeepWhatTheyGive(Holdings):
    @property
    def kept(self):
        return Tenure(self.tenure.worker, dict(self.tenure.epochs))

    def keeps(self, partition, earlier):
        return partition in self.tenure.epochs


class HoldingsThatOverlookLosses(Holdings):
    def _notice_losses(self, held, view, occupant):
        return


class HoldingsThatHoldTheirBreath(Holdings):
    """They do not renew the lease while they move."""

    async def _stay_alive(self, occupant):
        return


class HoldingsThatGrabAll(Holdings):
    async def _release(self, given, occupant):
        return


class WorkerThatNeverAudits(Worker):
    async def audit_once(self):
        return 0


class WorkerThatBeginsWhatItSawOnce(Worker):
    def _may_begin(self, active, look):
        return active.instance.key not in self._running


class DatabaseThatForgetsCompensation(MemoryDatabase):
    """It lets go of an instance that is to be undone, as of one that has ended."""

    def _in(self, chosen, *states):
        return super()._in(chosen, *(state for state in states if state is not State.COMPENSATING))


class StorageThatForgetsUndos(WitnessedStorage):
    async def recall(self, found):
        return [
            replace(memory, checkpoints=tuple(kept for kept in memory.checkpoints if UNDO not in kept.result.reference))
            for memory in await super().recall(found)
        ]


class WorkerThatGivesWithoutStopping(Worker):
    async def vacate(self, given):
        return


class PlantThatIsCalledWithNewKeys(Plant):
    def key_of(self, caller, call):
        return str(self._dice.random())


MUTANTS = {
    DatabaseThatIgnoresEpochs: "a former owner .* wrote",
    DatabaseThatIgnoresSteps: "two results|the events of .* have a gap",
    DatabaseThatTakesFromTheLiving: "a former owner|who is well",
    DatabaseThatRevivesTheDead: "a former owner called|who is well",
    DatabaseThatBindsWithoutLock: "after .* had left it",
    StorageThatForgets: "ran again|mistake of ours",
    StorageWithStaleCheckpoints: "ran again|mistake of ours",
    WriterThatAcknowledgesFirst: "was acknowledged and is not there",
    WriterThatTakesSilenceForConsent: "was acknowledged and is not there",
    HoldingsThatConfirmBlindly: "a former owner called",
    HoldingsThatForgetLostAnswers: "are nobody's|has not ended|shares",
    HoldingsThatKeepWhatTheyGive: "a former owner called",
    HoldingsThatOverlookLosses: "a former owner called",
    HoldingsThatHoldTheirBreath: "who is well",
    HoldingsThatGrabAll: "shares are",
    WorkerThatNeverAudits: "has not ended",
    WorkerThatBeginsWhatItSawOnce: "former owner called|ran again|while it is",
    DatabaseThatForgetsCompensation: "has not ended",
    StorageThatForgetsUndos: "ran again|mistake of ours",
    WorkerThatGivesWithoutStopping: "a former owner called",
    PlantThatIsCalledWithNewKeys: "under another key",
}
PLACES = {
    MemoryDatabase: "database",
    WitnessedStorage: "storage",
    WitnessedWriter: "writer",
    Holdings: "holdings",
    Worker: "worker",
    Plant: "plant",
}


@pytest.mark.timeout(120)
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_a_mistake_is_found(mutant) -> None:
    place = next(name for original, name in PLACES.items() if issubclass(mutant, original))
    parts = Parts(**{place: mutant})
    for seed in range(SEEDS):
        if broken := simulate(seed, parts).broken:
            assert re.search(MUTANTS[mutant], broken[0]), broken
            return
    pytest.fail(f"{SEEDS} seeds do not tell it from the engine")
