"""How much one tenant may ask for, so that the others find the service as they left it: calls a second, and at once.

It is told after the caller is known and before anything is read or done. Each process keeps its own account.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Literal

from millwright_runtime import metrics
from millwright_runtime.concurrency.buckets import Buckets
from millwright_runtime.errors import ResourceExhausted
from millwright_runtime.settings import TenantLimit

_SHORTEST_WAIT_SECONDS = 0.01

Kind = Literal["calls", "streams"]


class TenantTooFast(ResourceExhausted):
    """The tenant {tenant} makes more than {per_second} {what} a second. Wait {seconds} s and try again."""

    def __init__(self, *, tenant: str, per_second: float, what: str, seconds: float) -> None:
        """Say how long to wait: until there is room for one more."""
        self.retry_seconds = max(seconds, _SHORTEST_WAIT_SECONDS)
        super().__init__(tenant=tenant, per_second=per_second, what=what, seconds=round(self.retry_seconds, 3))


class TenantTooBusy(ResourceExhausted):
    """The tenant {tenant} has {limit} {what} in progress, as many as one may have. Wait a moment and try again."""


class Tenants:
    """The accounts of all tenants in one process."""

    def __init__(
        self,
        usual: TenantLimit | None = None,
        special: Mapping[str, TenantLimit] | None = None,
        share: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Hold a tenant to what is `special` for it, else to what is `usual`; and to a share of what may be at once."""
        self._usual = _Rates(usual or TenantLimit(), clock)
        self._special = {tenant: _Rates(limit, clock) for tenant, limit in (special or {}).items()}
        self._share = share
        self._held: dict[Kind, Counter[str]] = {"calls": Counter(), "streams": Counter()}

    def check(self, tenant: str, kind: Kind, most: int, *, is_write: bool) -> None:
        """Raise TenantTooBusy or TenantTooFast if one call more is too much; it is counted as made.

        `most` is how many of all tenants may be in progress.
        """
        limit = max(1, int(self._share * most))
        if self._held[kind][tenant] >= limit:
            metrics.CALLS_LIMITED.labels(tenant, "at_once").inc()
            raise TenantTooBusy(tenant=tenant, limit=limit, what=kind)
        self._special.get(tenant, self._usual).check(tenant, is_write=is_write)

    @contextmanager
    def entering(self, tenant: str, kind: Kind) -> Iterator[None]:
        """Count a call as in progress, also one that is always admitted, unless it is refused in the block."""
        self._held[kind][tenant] += 1
        try:
            yield
        except BaseException:
            self.leave(tenant, kind)
            raise

    def leave(self, tenant: str, kind: Kind) -> None:
        """Count it no more."""
        held = self._held[kind]
        held[tenant] -= 1
        if not held[tenant]:
            del held[tenant]


class _Rates:
    """Buckets for calls, and for those among them that write."""

    def __init__(self, limit: TenantLimit, clock: Callable[[], float]) -> None:
        self._calls = _buckets(limit.calls_per_second, limit.calls_burst, clock)
        self._writes = _buckets(limit.writes_per_second, limit.writes_burst, clock)
        self._limit = limit

    def check(self, tenant: str, *, is_write: bool) -> None:
        if is_write and self._writes and (seconds := self._writes.take(tenant)):
            raise _too_fast(tenant, self._limit.writes_per_second, "writes", seconds)
        if self._calls and (seconds := self._calls.take(tenant)):
            raise _too_fast(tenant, self._limit.calls_per_second, "calls", seconds)


def _buckets(per_second: float | None, burst: int | None, clock: Callable[[], float]) -> Buckets | None:
    """Give buckets, or None for no limit; a burst that is not set is what two seconds bring."""
    return Buckets(per_second, burst or max(1.0, 2 * per_second), clock) if per_second else None


def _too_fast(tenant: str, per_second: float | None, what: str, seconds: float) -> TenantTooFast:
    metrics.CALLS_LIMITED.labels(tenant, what).inc()
    return TenantTooFast(tenant=tenant, per_second=per_second or 0.0, what=what, seconds=seconds)
