"""Valkey (or Redis): a cache and nothing more. Each read has its answer in Postgres; without Valkey we are slower."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from millwright_runtime import metrics

_OPERATION_SECONDS = 0.05
_AWAY_SECONDS = 1.0
_log = logging.getLogger(__name__)

ResultT = TypeVar("ResultT")


class Valkey:
    """A client that gives up quickly: after a failure it does not try again for a second."""

    def __init__(self, url: str) -> None:
        self._client = redis.asyncio.Redis.from_url(
            url,
            socket_timeout=_OPERATION_SECONDS,
            socket_connect_timeout=_OPERATION_SECONDS,
            retry=Retry(NoBackoff(), 0),
            max_connections=32,
        )
        self._away_until = 0.0

    async def attempt(
        self, operation: Callable[[redis.asyncio.Redis], Awaitable[ResultT]], default: ResultT
    ) -> ResultT:
        """Give what `operation` gives, or `default` if Valkey is away; never raises on its behalf."""
        if time.monotonic() < self._away_until:
            return default
        try:
            return await operation(self._client)
        except (RedisError, OSError, TimeoutError) as error:
            metrics.VALKEY_FAILURES.inc()
            _log.warning("going on without Valkey", extra={"fault": repr(error)})
            self._away_until = time.monotonic() + _AWAY_SECONDS
            return default

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()
