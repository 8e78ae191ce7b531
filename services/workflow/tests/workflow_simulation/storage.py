"""The engine's storage, in memory, as one process sees it over its network."""

import asyncio
import uuid
from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any

from millwright_workflow.domain.execution import Active, Memory, Step, Tenure, Wish
from millwright_workflow.domain.instances import Instance, Key
from millwright_workflow.domain.partitions import View
from millwright_workflow.engine.running.clock import Clock

from workflow_simulation.database import MemoryDatabase
from workflow_simulation.transactions import Body, Transactions


class Network:
    """The way to the database: here it is short and sure."""

    async def carry(self, transactions: Transactions, body: Body) -> Any:
        """Have a transaction done, and give its result."""
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        def settle(result: Any, error: BaseException | None) -> None:
            if not answer.done():
                answer.set_exception(error) if error else answer.set_result(result)

        transactions.begin(body, settle)
        return await answer


class MemoryStorage:
    """Answers `engine.storage.Storage`, for one process."""

    def __init__(
        self, database: MemoryDatabase, transactions: Transactions, network: Network, clock: Clock | None = None
    ) -> None:
        self.database = database
        self._transactions = transactions
        self._network = network
        self._clock = clock or Clock()

    async def _do(self, body: Body) -> Any:
        return await self._network.carry(self._transactions, body)

    @staticmethod
    def _as_sent(tenure: Tenure) -> Tenure:
        return Tenure(tenure.worker, dict(tenure.epochs))

    async def renew(self, worker: uuid.UUID, lease: timedelta) -> View:
        """Say that `worker` lives."""
        return await self._do(self.database.renew(worker, lease))

    async def acquire(self, worker: uuid.UUID, partitions: Collection[int]) -> dict[int, int]:
        """Take what nobody alive owns."""
        return await self._do(self.database.acquire(worker, tuple(partitions)))

    async def release(self, worker: uuid.UUID, partitions: Collection[int]) -> None:
        """Give up partitions."""
        await self._do(self.database.release(worker, tuple(partitions)))

    async def leave(self, worker: uuid.UUID) -> None:
        """Give up everything."""
        await self._do(self.database.leave(worker))

    async def claim(self, tenure: Tenure, limit: int) -> Sequence[Active]:
        """Begin pending instances."""
        return await self._do(self.database.claim(self._as_sent(tenure), limit, self._clock.now()))

    async def take_resumed(self, tenure: Tenure) -> Sequence[Active]:
        """Take instances that were resumed."""
        return await self._do(self.database.take_resumed(self._as_sent(tenure)))

    async def running(self, partitions: Collection[int]) -> Sequence[Active]:
        """Give running instances."""
        return await self._do(self.database.running(tuple(partitions)))

    async def recall(self, found: Sequence[Active]) -> Sequence[Memory]:
        """Give what is kept of the tasks of instances."""
        return await self._do(self.database.recall([active.instance.key for active in found]))

    async def write(self, tenure: Tenure, steps: Sequence[Step]) -> dict[Key, bool]:
        """Write steps."""
        return await self._do(self.database.write(self._as_sent(tenure), tuple(steps)))

    async def wishes(self, partitions: Collection[int]) -> Sequence[Wish]:
        """Give what is wanted."""
        return await self._do(self.database.wishes(tuple(partitions)))

    async def cancel_paused(self, limit: int) -> Sequence[Instance]:
        """Cancel paused instances."""
        return await self._do(self.database.cancel_paused(limit, self._clock.now()))
