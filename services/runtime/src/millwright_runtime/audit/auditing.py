"""How calls come into the audit log: a recording for each that is audited, and entries of those that are refused.

Refusals are written in the background, and of one caller only so many: whoever is refused all the time must not fill
the disk, and hides nobody else. Some are lost where the process ends or the database is away for long.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from itertools import islice

from millwright_runtime import metrics
from millwright_runtime.api.calls import Principal
from millwright_runtime.audit import recording
from millwright_runtime.audit.log import AuditLog, Entry
from millwright_runtime.audit.recording import Recording
from millwright_runtime.audit.rules import Audited
from millwright_runtime.concurrency.buckets import Buckets
from millwright_runtime.errors import MillwrightError
from millwright_runtime.postgres.database import ALL_TENANTS, Database

REFUSALS_AT_ONCE = 100
"""Of one caller, so many refusals are kept that come at once."""
_REFUSALS_PER_SECOND = 0.2
_WAITING_LIMIT = 2_000
_WRITTEN_TOGETHER = 200
_OURS = frozenset({"UNAVAILABLE", "RESOURCE_EXHAUSTED"})
"""What says nothing of the caller: the service could not."""


class Auditing:
    """The audit log of one service; as a loop it writes what was refused."""

    name = "audit"

    def __init__(self, database: Database, schema: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._log = AuditLog(schema)
        self._kept = Buckets(_REFUSALS_PER_SECOND, REFUSALS_AT_ONCE, clock)
        self._waiting: deque[Entry] = deque()
        self._has_some = asyncio.Event()
        self._writing = asyncio.Lock()

    def begin(self, method: str, audited: Audited, principal: Principal, peer: str) -> None:
        """Begin the recording of the call that the running task serves."""
        recording.begin(Recording(self._log, method, audited, principal, peer))

    async def finish(self, call: Recording) -> None:
        """Write the entry of a call that is about to be answered, if it has committed nothing that took it along."""
        if call.is_due:
            async with self._database.transaction(call.tenant):
                pass  # its commit takes the entry along

    def refused(self, call: Recording, refusal: MillwrightError) -> None:
        """Have an entry written of a call that was refused, unless its caller was refused too often of late."""
        if call.is_left_out or refusal.code in _OURS:
            return
        is_kept = not self._kept.take((call.tenant, call.principal.subject))
        if is_kept and len(self._waiting) < _WAITING_LIMIT:
            self._waiting.append(call.entry(refusal.code, refusal.reason))
            self._has_some.set()
        else:
            metrics.AUDIT_REFUSALS_DROPPED.inc()

    async def run(self) -> None:
        """Write what was refused, until cancelled."""
        while True:
            await self._has_some.wait()
            await self.run_once()

    async def run_once(self) -> int:
        """Write some of what waits; give how many. They wait on if that fails."""
        async with self._writing:
            entries = list(islice(self._waiting, _WRITTEN_TOGETHER))
            async with self._database.transaction(ALL_TENANTS) as connection:
                await self._log.append(connection, entries)
            for _ in entries:
                self._waiting.popleft()
            if not self._waiting:
                self._has_some.clear()
        return len(entries)

    async def drain(self) -> None:
        """Write what still waits."""
        while self._waiting:
            await self.run_once()
