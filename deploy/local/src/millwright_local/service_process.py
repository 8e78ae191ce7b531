"""One service of the stack as a process: migrate, serve, be asked for its health."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from millwright_runtime.health import is_serving

from millwright_local.errors import PortTakenError
from millwright_local.ports import LOOPBACK, is_free
from millwright_local.processes import Process
from millwright_local.servers import Server
from millwright_local.services import Service

MIGRATE_SECONDS = 120.0
ANY_HOST = ("0.0.0.0", "[::]")  # noqa: S104 - recognized here, not bound to
DRAIN_SECONDS = 5


class ServiceProcess(Server):
    """A process that serves one service. Ready when its gRPC health says SERVING.

    `settings` are the service's own, without their prefix; they take the place of the environment's.
    """

    stop_seconds = DRAIN_SECONDS + 2.0

    def __init__(self, service: Service, log: Path, settings: Mapping[str, str]) -> None:
        super().__init__(log.parent, log=log)
        self.service = service
        self.name = service.name
        self._listen = settings["LISTEN"]
        self._metrics_listen = settings["METRICS_LISTEN"]
        self._settings = {service.setting(name): value for name, value in settings.items()}

    @property
    def address(self) -> str:
        """`host:port` for clients on this machine."""
        return _reachable(self._listen)

    @property
    def metrics_address(self) -> str:
        """`host:port` of the metrics, for this machine."""
        return _reachable(self._metrics_listen)

    def change_settings(self, settings: Mapping[str, str]) -> None:
        """Give it these settings, without their prefix, from its next start on."""
        self._settings |= {self.service.setting(name): value for name, value in settings.items()}

    def check_ports(self) -> None:
        """Raise PortTakenError, with the setting that would choose another one, if a port is taken."""
        for name, listen in (("LISTEN", self._listen), ("METRICS_LISTEN", self._metrics_listen)):
            port = int(listen.rpartition(":")[2])
            if not is_free(port):
                raise PortTakenError(port, f"the {self.name} service", self.service.setting(name))

    async def migrate(self) -> None:
        """Bring the service's schema up to date. Raises ProcessEndedError with the log's end if that fails."""
        await self.run_once("migrate", seconds=MIGRATE_SECONDS)

    async def run_once(self, *arguments: str, seconds: float) -> None:
        """Run the service's program with other arguments, to its end, with the same settings.

        Raises ProcessEndedError unless it ends with exit code 0, NotReadyError if it takes longer than `seconds`.
        """
        command = [*self.service.command, *arguments]
        name = f"{self.name} {' '.join(arguments)}"
        await Process(name, command, log=self.log, environment=self._settings).run(seconds)

    async def _prepare(self) -> None:
        self.check_ports()

    def _command(self) -> Sequence[str]:
        return [*self.service.command, "serve"]

    def _environment(self) -> Mapping[str, str]:
        return self._settings

    async def _answers(self) -> bool:
        return await is_serving(self.address, self.service.health)


def _reachable(listen: str) -> str:
    host, _, port = listen.rpartition(":")
    return f"{LOOPBACK if host in ANY_HOST else host}:{port}"
