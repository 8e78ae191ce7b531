"""Valkey (or Redis): a cache and nothing more. Each read has its answer in Postgres; without Valkey we are slower."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from millwright_runtime import metrics

_OPERATION_SECONDS = 0.2
"""Valkey answers in less than one millisecond; a busy process of ours may take its time to notice."""
_AWAY_SECONDS = 1.0
_log = logging.getLogger(__name__)

ResultT = TypeVar("ResultT")


class Valkey:
    """A client that gives up quickly: after a failure it does not try again for a second."""

    def __init__(self, url: str, clock: Callable[[], float] = time.monotonic) -> None:
        pool = redis.asyncio.BlockingConnectionPool.from_url(
            url,
            max_connections=32,
            timeout=_OPERATION_SECONDS,
            socket_timeout=_OPERATION_SECONDS,
            socket_connect_timeout=_OPERATION_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
        self._client = redis.asyncio.Redis.from_pool(pool)
        self._clock = clock
        self._away_until = float("-inf")

    async def attempt(
        self, operation: Callable[[redis.asyncio.Redis], Awaitable[ResultT]], default: ResultT
    ) -> ResultT:
        """Give what `operation` gives, or `default` if Valkey is away; never raises on its behalf.

        A cancellation that redis-py swallows, as it does while it connects, is raised again.
        """
        if self._clock() < self._away_until:
            return default
        task = asyncio.current_task()
        cancellations = task.cancelling() if task else 0
        found = await self._attempt(operation, default)
        if task and task.cancelling() > cancellations:
            raise asyncio.CancelledError
        return found

    async def _attempt(
        self, operation: Callable[[redis.asyncio.Redis], Awaitable[ResultT]], default: ResultT
    ) -> ResultT:
        try:
            return await operation(self._client)
        except (RedisError, OSError) as error:
            metrics.VALKEY_FAILURES.inc()
            if self._clock() >= self._away_until:  # of many that wait at once, one tells
                _log.warning("going on without Valkey", extra={"fault": repr(error)})
            self._away_until = self._clock() + _AWAY_SECONDS
            return default

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()
