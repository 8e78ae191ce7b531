"""What the seals of an instance are known by: random, made with the instance, and told to nobody."""

from __future__ import annotations

import uuid

from millwright_runtime.postgres.database import Database


class Seals:
    """Reads nonces."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def nonce(self, tenant: str, instance: uuid.UUID) -> str:
        """Give the nonce of an instance that exists: letters and digits."""
        async with self._database.snapshot(tenant) as connection:
            nonce: uuid.UUID = await connection.fetchval(_NONCE, tenant, instance)
        return nonce.hex


_NONCE = "SELECT seal_nonce FROM workflow.instance WHERE tenant = $1 AND instance = $2"
