"""The plant's own systems, as far as the demo's workflows call them: a small real HTTP server on loopback.

It knows how many defects each line may have, and takes alerts and reports. It refuses every alert the first time it is
sent, as a busy system does: only a workflow that tries again gets one through.
"""

from typing import Any, Self

from aiohttp import web

from millwright_local.ports import LOOPBACK

MAX_DEFECT_RATES = {"press-1": 0.02, "press-2": 0.02, "weld-1": 0.05}


class Plant:
    """The server, and what it was told. An async context manager."""

    def __init__(self) -> None:
        self.url = ""
        self.alerts: list[str] = []
        """The lines of the alerts taken, in order."""
        self.reports: list[dict[str, Any]] = []
        """The reports taken, in order."""
        self.questions = 0
        """How often it was asked for a limit."""
        self._refused: set[str] = set()
        application = web.Application()
        application.router.add_get("/lines/{line}/limits", self._limits)
        application.router.add_post("/alerts", self._alert)
        application.router.add_post("/reports", self._report)
        self._runner = web.AppRunner(application, access_log=None)

    @property
    def refusals(self) -> int:
        """How often an alert was refused."""
        return len(self._refused)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        site = web.TCPSite(self._runner, LOOPBACK, 0)
        await site.start()
        self.url = f"http://{LOOPBACK}:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _limits(self, request: web.Request) -> web.Response:
        self.questions += 1
        line = request.match_info["line"]
        if line not in MAX_DEFECT_RATES:
            raise web.HTTPNotFound
        return web.json_response({"line": line, "maxDefectRate": MAX_DEFECT_RATES[line]})

    async def _alert(self, request: web.Request) -> web.Response:
        alert = await request.json()
        if alert["inspection"] not in self._refused:
            self._refused.add(alert["inspection"])
            raise web.HTTPServiceUnavailable
        self.alerts.append(alert["line"])
        return web.json_response({"id": len(self.alerts)}, status=201)

    async def _report(self, request: web.Request) -> web.Response:
        self.reports.append(await request.json())
        return web.json_response({"id": len(self.reports)}, status=201)
