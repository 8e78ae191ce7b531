"""An event loop whose time is virtual, and hosts on it: processes that can be killed, frozen and thawed.

A callback belongs to the host whose context it runs in. Of a dead host nothing runs any more, as after SIGKILL; of a
frozen one nothing runs until it is thawed, as between SIGSTOP and SIGCONT. Time passes only where nobody can run.
"""

import asyncio
import heapq
from collections.abc import Coroutine
from contextlib import suppress
from contextvars import Context, ContextVar, copy_context
from random import Random
from typing import Any

HOST: ContextVar["Host | None"] = ContextVar("host", default=None)


class Standstill(Exception):
    """Nobody will ever run again."""


class Host:
    """A process of its own."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_dead = False
        self.is_frozen = False
        self._parked: list[asyncio.Handle] = []
        self._context = copy_context()
        self._context.run(HOST.set, self)

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run a coroutine in this process."""
        return asyncio.get_running_loop().create_task(work, context=self._context.copy())

    def kill(self) -> None:
        """End it here and now: nothing is cleaned up."""
        self.is_dead = True
        self._parked.clear()

    def freeze(self) -> None:
        """Let nothing of it run."""
        self.is_frozen = True

    def thaw(self, loop: "VirtualLoop") -> None:
        """Let it go on: what came up meanwhile comes at once."""
        self.is_frozen = False
        loop.take_back(self._parked)
        self._parked = []

    def park(self, handle: asyncio.Handle) -> None:
        """Keep a callback for later."""
        self._parked.append(handle)


class VirtualLoop(asyncio.BaseEventLoop):
    """The loop. With `dice`, hosts that can run at the same moment do so in an order by chance.

    Within one host the order is asyncio's own, which promises it: first come, first served.
    """

    def __init__(self, dice: Random | None = None) -> None:
        super().__init__()
        self._dice = dice
        self._now = 0.0
        self._count = 0
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self.set_exception_handler(lambda _loop, _context: None)

    def time(self) -> float:
        """Give seconds since the simulation began."""
        return self._now

    def call_at(self, when, callback, *args, context=None):
        """Call back at a time."""
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        self._count += 1
        heapq.heappush(self._timers, (when, self._count, timer))
        return timer

    def call_later(self, delay, callback, *args, context=None):
        """Call back after some seconds."""
        return self.call_at(self._now + delay, callback, *args, context=context)

    def take_back(self, handles: list[asyncio.Handle]) -> None:
        """Run callbacks that were parked."""
        self._ready.extend(handles)

    def end(self) -> None:
        """Close everything that is under way, wherever it is."""
        for task in asyncio.all_tasks(self):
            task._log_destroy_pending = False
            coroutine = task.get_coro()
            for _ in range(8):  # a coroutine that awaits as it is closed refuses to be
                with suppress(BaseException):
                    coroutine.close()
                    break
        self._ready.clear()
        self._timers.clear()
        self.close()

    def _timer_handle_cancelled(self, _handle) -> None:
        """Leave it in the heap; its turn is skipped."""

    def _process_events(self, _events) -> None:
        """Nothing comes from outside."""

    def _write_to_self(self) -> None:
        """Nobody waits for a selector."""

    def _run_once(self) -> None:
        ready, timers = self._ready, self._timers
        while not ready:
            if not timers:
                raise Standstill
            when, _, timer = heapq.heappop(timers)
            if timer._cancelled:
                continue
            self._now = max(self._now, when)
            ready.append(timer)
            while timers and timers[0][0] <= self._now:
                ready.append(heapq.heappop(timers)[2])
        if self._dice is not None and len(ready) > 1:
            self._mix()
        for _ in range(len(ready)):
            handle = ready.popleft()
            if handle._cancelled:
                continue
            host: Host | None = handle._context.get(HOST)
            if host is None or not (host.is_dead or host.is_frozen):
                handle._run()
            elif not host.is_dead:
                host.park(handle)

    def _mix(self) -> None:
        places: dict[Host | None, float] = {}
        for handle in self._ready:
            places.setdefault(handle._context.get(HOST), 0.0)
        if len(places) > 1:
            for host in places:
                places[host] = self._dice.random()
            ordered = sorted(self._ready, key=lambda handle: places[handle._context.get(HOST)])
            self._ready.clear()
            self._ready.extend(ordered)


NEUTRAL = Context()
"""The context of what belongs to no host: the network and the servers."""
