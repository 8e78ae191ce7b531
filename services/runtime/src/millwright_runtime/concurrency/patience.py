"""Patience: what must be done is tried until the database is there again, and not left half done."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from millwright_runtime.postgres.database import is_away

_RETRY_SECONDS = 0.25
_log = logging.getLogger(__name__)

ResultT = TypeVar("ResultT")


async def persist(what: str, operation: Callable[[], Awaitable[ResultT]]) -> ResultT:
    """Give what `operation` gives, however long the database is away; it must be one that may be done twice."""
    is_waiting = False
    while True:
        try:
            return await operation()
        except Exception as error:
            if not is_away(error):
                raise
            if not is_waiting:
                _log.warning("%s waits for the database", what, extra={"fault": repr(error)})
                is_waiting = True
            await asyncio.sleep(_RETRY_SECONDS)


async def to_the_end(work: Coroutine[Any, Any, None]) -> None:
    """Do `work` and do not leave before it is done, even when cancelled; to pass that on is the caller's part."""
    task = asyncio.ensure_future(work)
    while not task.done():
        with suppress(asyncio.CancelledError):
            await asyncio.shield(task)
    task.result()
