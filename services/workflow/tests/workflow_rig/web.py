"""A real web server that workflows call: it notes each request, and can be told what to answer and when."""

import asyncio
from collections import defaultdict

from aiohttp import web


class Web:
    """Answers every path: with 200 and an empty object, unless told otherwise. `async with` starts and stops it."""

    def __init__(self) -> None:
        """Make a server that does not run yet."""
        self.hits = defaultdict(list)
        self.url = ""
        self._answers = {}
        self._gates = {}
        self._arrived = asyncio.Condition()

    def answer(self, path, *responses) -> str:
        """Answer a path with each of the responses in turn, the last one for good; give its URL.

        A response is a function that makes an aiohttp one, and may be a coroutine function that is given the request.
        """
        self._answers[path] = list(responses)
        return self.url + path

    def hold(self, path: str) -> str:
        """Keep the callers of a path waiting until `let_go`; give its URL."""
        self._gates[path] = asyncio.Event()
        return self.url + path

    def let_go(self, path: str) -> None:
        """Answer whoever waits at a path, and all that come."""
        self._gates[path].set()

    async def arrival(self, path: str, count: int = 1) -> None:
        """Wait until a path was asked so many times."""
        async with self._arrived, asyncio.timeout(20):
            await self._arrived.wait_for(lambda: len(self.hits[path]) >= count)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        async with self._arrived:
            self.hits[request.path].append((request.method, dict(request.headers), request.query_string, body))
            self._arrived.notify_all()
        if gate := self._gates.get(request.path):
            await gate.wait()
        answers = self._answers.get(request.path)
        if not answers:
            return web.json_response({})
        made = (answers.pop(0) if len(answers) > 1 else answers[0])(request)
        return await made if asyncio.iscoroutine(made) else made

    async def __aenter__(self):
        """Listen on a free port."""
        app = web.Application(client_max_size=8 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = "http://{}:{}".format(*site._server.sockets[0].getsockname()[:2])
        return self

    async def __aexit__(self, *_: object) -> None:
        """Let everybody go and stop."""
        for gate in self._gates.values():
            gate.set()
        await self._runner.cleanup()
