"""What the chaos suite plays on: three servers, two replicas of each service, and the links between them.

A replica reaches each server over a link of its own, and one of the workflow service reaches each other service so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Self, TypeVar

from millwright_local.databases import DATABASE
from millwright_local.ports import LOOPBACK
from millwright_local.postgres import PORT
from millwright_local.processes import until
from millwright_local.servers import Server
from millwright_local.service_client import ServiceClient
from millwright_local.service_process import ServiceProcess
from millwright_local.services import SERVICES, Service
from millwright_local.stack import Stack

from tests.chaos.links import Link, to_any, to_port, to_socket

TENANT = "chaos"
ROLES = ("operator", "admin")
CLIENT_OPTIONS = [("grpc.initial_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 1000)]
REACH_SECONDS = 60.0
CROSSING = "workflow"
"""The service whose calls to others go over links."""
# Commit times are the witness's; every flush is made, so that a disk can be slow.
POSTGRES_SETTINGS = {"track_commit_timestamp": "on", "commit_siblings": "0"}

Client = TypeVar("Client", bound=ServiceClient)


class World:
    """The world, in a directory. An async context manager that starts and stops it."""

    def __init__(self, home: Path, services: Sequence[Service] = SERVICES) -> None:
        self._services = services
        self.stack = Stack(
            home, services=services, free_ports=True, environment={}, postgres_settings=POSTGRES_SETTINGS
        )
        assert self.stack.postgres is not None
        assert self.stack.valkey is not None
        assert self.stack.nats is not None
        self.postgres, self.valkey, self.nats = self.stack.postgres, self.stack.valkey, self.stack.nats
        self.links: dict[str, Link] = {}
        self._clients: list[ServiceClient] = []

    @property
    def servers(self) -> dict[str, Server]:
        """All that can be killed, by name: `workflow`, `workflow-2`, …, `postgres`, `valkey`, `nats`."""
        return {**self.stack.services, "postgres": self.postgres, "valkey": self.valkey, "nats": self.nats}

    def replicas(self, service: str) -> dict[str, ServiceProcess]:
        """Give the replicas of a service, by name."""
        return {name: each for name, each in self.stack.services.items() if each.service.name == service}

    def clients(self, service: str, make: type[Client]) -> list[Client]:
        """Give a client of each replica of a service; they are closed with the world."""
        token = self.stack.keys.token(tenant=TENANT, roles=ROLES)
        clients = [make(process.address, token) for process in self.replicas(service).values()]
        self._clients += clients
        return clients

    async def mend(self) -> None:
        """Bring back whatever was harmed."""
        for link in self.links.values():
            link.mend()
        for server in self.servers.values():
            server.thaw()
        for server in (self.postgres, self.valkey, self.nats, *self.stack.services.values()):
            if server.process is not None and not server.process.is_running:
                await server.start()
        await self.slow_the_disk(0)

    async def slow_the_disk(self, milliseconds: int) -> None:
        """Let every flush of Postgres take so much longer from now on."""

        async def is_done() -> bool:
            try:
                async with asyncio.timeout(5), self.postgres.connect() as connection:
                    await connection.execute(f"ALTER SYSTEM SET commit_delay = {milliseconds * 1000}")
                    await connection.execute("SELECT pg_reload_conf()")
            except Exception:  # noqa: BLE001 - harmed at the same time, in whichever way
                return False
            return True

        await until(is_done, REACH_SECONDS)

    async def __aenter__(self) -> Self:
        for name, process in self.stack.services.items():
            await self._link(name, process)
        await self.stack.start()
        try:
            # The second ones find the schemas made.
            seconds = {f"{service.name}-2": self.stack.add_replica(service.name) for service in self._services}
            for name, process in seconds.items():
                await self._link(name, process)
            await asyncio.gather(*(process.start() for process in seconds.values()))
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        for client in self._clients:
            await client.close()
        await self.stack.stop()
        for link in self.links.values():
            await link.close()

    async def _link(self, name: str, process: ServiceProcess) -> None:
        """Lay a replica's links, and have it go over them from its next start on."""
        sockets = self.stack.home / "links" / name
        socket = sockets / f".s.PGSQL.{PORT}"
        to_postgres = Link(f"{name}-postgres", to_socket(self.postgres.socket_directory / socket.name), socket=socket)
        to_valkey = Link(f"{name}-valkey", to_port(self.valkey.port))
        to_nats = Link(f"{name}-nats", to_port(self.nats.port))
        for link in (to_postgres, to_valkey, to_nats):
            self.links[link.name] = link
            await link.open()
        settings = {
            "DATABASE_URL": f"postgresql://{process.service.role}@/{DATABASE}?host={sockets}",
            "VALKEY_URL": f"redis://{LOOPBACK}:{to_valkey.port}/0",
            "NATS_URL": f"nats://{LOOPBACK}:{to_nats.port}",
        }
        if process.service.name == CROSSING:
            for setting, peer in process.service.calls:
                to_peer = Link(f"{name}-{peer}", to_any(partial(self._ports, peer)))
                self.links[to_peer.name] = to_peer
                await to_peer.open()
                settings[setting] = f"{LOOPBACK}:{to_peer.port}"
        if process.service.name == "modules":
            settings["WORK_DIRECTORY"] = str(self.stack.home / "work" / name)
        process.change_settings(settings)

    def _ports(self, service: str) -> list[int]:
        return [int(replica.address.rpartition(":")[2]) for replica in self.replicas(service).values()]
