"""A machine that workflows call over HTTP: a real server whose answers a test holds back and gives, one by one."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Self

import psutil
from aiohttp import web
from millwright_local.ports import LOOPBACK
from millwright_local.service_process import ServiceProcess

ARRIVAL_SECONDS = 60.0


@dataclass(slots=True)
class Request:
    """A request that came, from which port, and whether it may be answered."""

    path: str
    port: int
    idempotency_key: str = ""
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)
    time: datetime = field(default_factory=lambda: datetime.now(UTC))
    """When it came."""

    def comes_from(self, process: ServiceProcess) -> bool:
        """Tell whether it is this process that sent it, and still waits."""
        assert process.process
        connections = psutil.Process(process.process.pid).net_connections("tcp")
        return any(connection.laddr.port == self.port for connection in connections)


class Machine:
    """The server. It answers after `seconds`, except on the paths in `held`. An async context manager."""

    def __init__(self) -> None:
        self.url = ""
        self.held: set[str] = set()
        self.seconds = 0.0
        """How long it takes over each answer."""
        self.requests: defaultdict[str, list[Request]] = defaultdict(list)
        self._arrived = asyncio.Condition()
        application = web.Application()
        application.router.add_get("/{path}", self._answer)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)

    async def request(self, path: str, number: int = 1) -> Request:
        """Wait for the request of this number on a path. Raises TimeoutError."""
        async with asyncio.timeout(ARRIVAL_SECONDS), self._arrived:
            await self._arrived.wait_for(lambda: len(self.requests[path]) >= number)
        return self.requests[path][number - 1]

    def let_go(self, paths: Iterable[str]) -> None:
        """Answer what came and what comes on paths that were held."""
        for path in paths:
            self.held.discard(path)
            for request in self.requests[path]:
                request.may_answer.set()

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.TCPSite(self._runner, LOOPBACK, 0).start()
        self.url = f"http://{LOOPBACK}:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _answer(self, incoming: web.Request) -> web.Response:
        path = incoming.match_info["path"]
        assert incoming.transport
        port = incoming.transport.get_extra_info("peername")[1]
        request = Request(path, port, incoming.headers.get("idempotency-key", ""))
        if path not in self.held:
            request.may_answer.set()
        async with self._arrived:
            self.requests[path].append(request)
            self._arrived.notify_all()
        await asyncio.sleep(self.seconds)
        await request.may_answer.wait()
        return web.json_response({"path": path})
