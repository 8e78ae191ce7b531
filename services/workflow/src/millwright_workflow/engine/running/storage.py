"""What the engine asks of the database. `store.storage` answers in Postgres; a simulation answers in memory.

Each call is one transaction. Time is the database's: no worker's clock decides who is alive.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Protocol

from millwright_workflow.domain.execution import Active, Memory, Step, Tenure, Wish
from millwright_workflow.domain.instances import Instance, Key
from millwright_workflow.domain.partitions import View


class Storage(Protocol):
    """The engine's side of the database."""

    async def renew(self, worker: uuid.UUID, lease: timedelta) -> View:
        """Say that `worker` lives for `lease` from now on, and give who lives and who owns what."""
        ...

    async def acquire(self, worker: uuid.UUID, partitions: Collection[int]) -> dict[int, int]:
        """Take those of `partitions` that nobody alive owns, each under a new epoch; give the epochs.

        Waits for a write that a former owner has under way; every later one of it is refused.
        """
        ...

    async def release(self, worker: uuid.UUID, partitions: Collection[int]) -> None:
        """Give up partitions that `worker` owns, so that others may take them at once."""
        ...

    async def leave(self, worker: uuid.UUID) -> None:
        """Give up everything: the lease and all partitions."""
        ...

    async def claim(self, tenure: Tenure, limit: int) -> Sequence[Active]:
        """Begin at most `limit` pending instances of the tenure's partitions, each bound to its version now.

        From the moment a rollback has answered, none is bound to the version that it left. Those that may not begin,
        their version being marked bad, are faulted here.
        """
        ...

    async def take_resumed(self, tenure: Tenure) -> Sequence[Active]:
        """Take the instances of the tenure's partitions that were resumed."""
        ...

    async def running(self, partitions: Collection[int]) -> Sequence[Active]:
        """Give every running instance of `partitions`."""
        ...

    async def recall(self, found: Sequence[Active]) -> Sequence[Memory]:
        """Give what is kept of the tasks of each instance as of its last step."""
        ...

    async def write(self, tenure: Tenure, steps: Sequence[Step]) -> dict[Key, bool]:
        """Write steps; give the instances whose steps were written, all of them or none, and whether each is held.

        One that is held is to pause: a rollback that has committed wants it.

        They are refused where the tenure's epoch is not the partition's any more, or where the instance does not stand
        at the step before.
        """
        ...

    async def wishes(self, partitions: Collection[int]) -> Sequence[Wish]:
        """Give what is wanted of the running instances of `partitions`."""
        ...

    async def cancel_paused(self, limit: int) -> Sequence[Instance]:
        """Cancel at most `limit` paused instances that a rollback's run policy wants cancelled."""
        ...
