"""Who owns a partition, told and changed behind the back of whoever does."""

import uuid

from millwright_local.processes import until
from millwright_workflow.domain import partitions


class Owner:
    """Who owns the partition of an instance."""

    def __init__(self, sql, instance: str) -> None:
        """Take the partition that an instance is in."""
        self._sql = sql
        self._part = partitions.of(uuid.UUID(instance.partition("/")[2]))

    async def get(self):
        """Give the worker."""
        return await self._sql.fetchval("SELECT owner FROM workflow.partition WHERE part = $1", self._part)

    async def become(self, worker, lease="-1 second"):
        """Let another own it, under a new epoch: one whose lease is over unless told otherwise, or nobody."""
        if worker:
            await self._sql.execute(
                "INSERT INTO workflow.worker VALUES ($1, now() + $2::text::interval)", worker, lease
            )
        await self._sql.execute(
            "UPDATE workflow.partition SET owner = $2, epoch = epoch + 1 WHERE part = $1", self._part, worker
        )

    async def shares(self):
        """Return once our worker has seen that somebody else lives, and has given up half of what it had."""

        async def has_given_up():
            return await self._sql.fetchval("SELECT count(*) FROM workflow.partition WHERE owner IS NULL") >= 31

        await until(has_given_up, 10)
