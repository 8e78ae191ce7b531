"""One call in progress that the audit log has an entry of: what is known of it, and whether the entry is written.

The entry goes into the first transaction that the call commits, right before the commit: what was acknowledged has
its entry, and what was rolled back has none. `Database.transaction` sees to that, for every servicer alike.
"""

from __future__ import annotations

import uuid
from contextvars import ContextVar
from dataclasses import dataclass, field
from itertools import islice

from google.protobuf.message import Message

from millwright_runtime import tracing
from millwright_runtime.api.calls import Principal
from millwright_runtime.audit import rules
from millwright_runtime.audit.log import DONE, AuditLog, Entry
from millwright_runtime.audit.rules import Audited
from millwright_runtime.postgres import database
from millwright_runtime.postgres.database import Connection

_NAMES_LIMIT = 20
_TEXT_LIMIT = 300


@dataclass(slots=True)
class Recording:
    """What is known of a call."""

    log: AuditLog
    method: str
    audited: Audited
    principal: Principal
    peer: str
    is_due: bool = True
    """An entry is to be written with what the call commits next."""
    resources: list[str] = field(default_factory=list)
    request_id: uuid.UUID | None = None
    is_asked: bool = False
    is_left_out: bool = False
    """The call changes nothing, so that a refusal has no entry either."""

    @property
    def tenant(self) -> str:
        """Give the tenant whose rows the entry tells of."""
        return self.principal.tenant

    def asked(self, request: Message) -> None:
        """Take from the (first) request what the entry tells of it. A preview changes nothing and has no entry."""
        if self.is_asked:
            return
        self.is_asked = True
        self.resources += islice(rules.names(request, self.audited.request), _NAMES_LIMIT)
        self.request_id = _identifier(getattr(request, "request_id", ""))
        if getattr(request, "validate_only", False):
            self.leave_out()

    def answered(self, response: Message) -> None:
        """Take from the answer what only it names."""
        self.resources += islice(rules.names(response, self.audited.response), _NAMES_LIMIT)

    def leave_out(self) -> None:
        """Have no entry: the call changes nothing."""
        self.is_due = False
        self.is_left_out = True

    async def write(self, connection: Connection) -> None:
        """Write the entry of what is done in the transaction that is about to be committed."""
        await self.log.append(connection, [self.entry(DONE)])

    def committed(self) -> None:
        """Note that the entry is written."""
        self.is_due = False

    def close(self) -> None:
        """End with the call: what it has begun and left running writes no entry for it any more."""
        self.is_due = False

    def entry(self, code: str, reason: str = "") -> Entry:
        """Give the entry, with how the call ended."""
        trace = tracing.current()
        return Entry(
            tenant=self.tenant,
            subject=_clean(self.principal.subject),
            roles=tuple(sorted(self.principal.roles)),
            method=self.method,
            resources=tuple(map(_clean, dict.fromkeys(self.resources))),
            request_id=self.request_id,
            code=code,
            reason=reason,
            trace_id=trace.trace_id if trace else "",
            peer=_clean(self.peer),
        )


_current: ContextVar[Recording | None] = ContextVar("millwright_audit", default=None)


def current() -> Recording | None:
    """Give the recording of the call being served, if the audit log has entries of it."""
    return _current.get()


def begin(recording: Recording) -> None:
    """Make it that of the task that serves the call, and of the first transaction that the task commits."""
    _current.set(recording)
    database.accompany(recording)


def _identifier(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def _clean(text: str) -> str:
    """Give what Postgres can hold of a text that a caller chose, and not more than tells what it is."""
    cut = text if len(text) <= _TEXT_LIMIT else text[: _TEXT_LIMIT - 1] + "…"
    return cut.replace("\x00", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()
