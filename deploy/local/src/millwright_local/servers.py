"""What the three servers have in common: a directory, one process, and the moment from which it answers."""

import signal
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from millwright_local.accounts import Account
from millwright_local.errors import PortTakenError
from millwright_local.ports import LOOPBACK, find_free_port, is_free
from millwright_local.processes import Process

START_SECONDS = 120.0


class Server(ABC):
    """A server of the stack. Its address is known before it starts and stays the same over restarts.

    Data and log live in `directory`. Also an async context manager that starts and stops it.
    """

    name: str
    stop_signal = signal.SIGTERM
    stop_seconds = 3.0
    death_signal = signal.SIGKILL

    def __init__(self, directory: Path, *, log: Path | None = None) -> None:
        self.directory = directory.resolve()
        self.log = log.resolve() if log else self.directory / f"{self.name}.log"
        self.process: Process | None = None

    async def start(self) -> None:
        """Start the server and wait until it answers. Raises ProcessEndedError or NotReadyError."""
        self.directory.mkdir(parents=True, exist_ok=True)
        await self._prepare()
        self.process = Process(
            self.name,
            self._command(),
            log=self.log,
            environment=self._environment(),
            account=self._account(),
            death_signal=self.death_signal,
        )
        self.process.start()
        try:
            await self.process.wait_until(self._answers, START_SECONDS)
        except BaseException:
            await self.process.kill()
            raise

    async def stop(self) -> None:
        """Stop the server as its operator would; kill it if that takes long. Does nothing if it does not run."""
        if self.process is not None:
            await self.process.stop(self.stop_seconds, self.stop_signal)

    async def kill(self) -> None:
        """Kill the server with SIGKILL, as a power cut would. Its data stays."""
        if self.process is not None:
            await self.process.kill()

    async def restart(self) -> None:
        """Stop the server if it runs, and start it again with the same address and data."""
        await self.stop()
        await self.start()

    def freeze(self) -> None:
        """Stop the server where it is: connections stay open and nothing answers."""
        assert self.process is not None, f"{self.name} was never started"
        self.process.freeze()

    def thaw(self) -> None:
        """Let a frozen server go on."""
        assert self.process is not None, f"{self.name} was never started"
        self.process.thaw()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _prepare(self) -> None:  # noqa: B027 - most servers need nothing
        """Do what must be done before each start."""

    @abstractmethod
    def _command(self) -> Sequence[str]:
        """Return the command line, the program's absolute path first."""

    @abstractmethod
    async def _answers(self) -> bool:
        """Tell whether the server takes requests now."""

    def _environment(self) -> Mapping[str, str]:
        return {}

    def _account(self) -> Account | None:
        return None


class PortServer(Server):
    """A server on a loopback port: the given one, or a free one."""

    def __init__(self, directory: Path, *, port: int | None = None, log: Path | None = None) -> None:
        super().__init__(directory, log=log)
        self.port = port or find_free_port()

    @property
    def address(self) -> str:
        """`host:port`."""
        return f"{LOOPBACK}:{self.port}"

    async def _prepare(self) -> None:
        if not is_free(self.port):
            raise PortTakenError(self.port, self.name)
