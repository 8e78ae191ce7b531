"""The whole stack in one directory: starts the servers, then the services, and stops them in reverse.

It knows no service by name: the rows in `services` say what runs. A server whose URL the environment gives to every
service is not started.
"""

import asyncio
import fcntl
import json
import os
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

from millwright_local.databases import DATABASE, create_database, create_roles
from millwright_local.errors import ProcessEndedError, StackRunningError
from millwright_local.keys import Keys, write_private
from millwright_local.nats import Nats
from millwright_local.ports import LOOPBACK, find_free_port
from millwright_local.postgres import Postgres
from millwright_local.processes import Process, until
from millwright_local.servers import Server
from millwright_local.service_process import DRAIN_SECONDS, ServiceProcess
from millwright_local.services import SERVICES, Service
from millwright_local.valkey import Valkey

TENANT = "plant-1"
ROLES = ("operator",)
ADMIN_ROLES = ("admin",)
WORKER_ROLES = ("worker",)
TOKEN_LIFETIME = timedelta(days=30)
TOKEN_FILE = "token"  # noqa: S105 - a name, no secret
ADMIN_TOKEN_FILE = "admin-token"  # noqa: S105
WORKER_TOKEN_FILE = "worker-token"  # noqa: S105
WATCH_SECONDS = 0.2

Report = Callable[[str, float], None]
"""Told what is ready and after how many seconds."""


class Stack:
    """Postgres, Valkey, NATS and the services, with keys and a token, in the directory `home`.

    An async context manager that starts and stops it. Data and keys stay in `home` for the next time. With
    `free_ports` the services listen where there is room, otherwise on their own ports; `durable=False` makes
    Postgres forgetful and fast; `environment` stands for this process's own. Start it from a thread that lives on:
    to Linux that thread is the children's parent.
    """

    def __init__(
        self,
        home: Path,
        *,
        services: Sequence[Service] = SERVICES,
        free_ports: bool = False,
        durable: bool = True,
        environment: Mapping[str, str] = os.environ,
        postgres_settings: Mapping[str, str] | None = None,
        report: Report = lambda what, seconds: None,  # noqa: ARG005 - nobody listens
    ) -> None:
        self.home = home.resolve()
        self.token_file = self.home / TOKEN_FILE
        self.admin_token_file = self.home / ADMIN_TOKEN_FILE
        self.worker_token_file = self.home / WORKER_TOKEN_FILE
        self.stack_file = self.home / "stack.json"
        self._report = report
        self._environment = environment
        self._cleanup = ExitStack()
        self.home.mkdir(parents=True, exist_ok=True)
        self.keys = Keys(self.home / "keys")
        self.logs = logs = self.home / "logs"
        self.postgres = (
            Postgres(self.home / "postgres", durable=durable, log=logs / "postgres.log", settings=postgres_settings)
            if self._is_wanted("DATABASE_URL", services)
            else None
        )
        self.valkey = (
            Valkey(self.home / "valkey", log=logs / "valkey.log") if self._is_wanted("VALKEY_URL", services) else None
        )
        self.nats = Nats(self.home / "nats", log=logs / "nats.log") if self._is_wanted("NATS_URL", services) else None
        self._settings = {service.name: self._settings_of(service, free_ports=free_ports) for service in services}
        for service in services:
            self._settings[service.name].update(self._calls_of(service))
        self.services = {
            service.name: ServiceProcess(service, logs / f"{service.name}.log", self._settings[service.name])
            for service in services
        }

    @property
    def endpoints(self) -> dict[str, str]:
        """`host:port` of each service, by its name."""
        return {name: process.address for name, process in self.services.items()}

    def add_replica(self, name: str) -> ServiceProcess:
        """Return one more process of a service, on free ports, for the caller to start. It stops with the stack."""
        key = f"{name}-{sum(process.service.name == name for process in self.services.values()) + 1}"
        ports = {setting: f"{LOOPBACK}:{find_free_port()}" for setting in ("LISTEN", "METRICS_LISTEN")}
        log = self.logs / f"{key}.log"
        self.services[key] = ServiceProcess(self.services[name].service, log, {**self._settings[name], **ports})
        return self.services[key]

    async def start(self) -> None:
        """Start everything and wait until every service is healthy; if one thing fails, stop the rest and raise.

        Raises StackRunningError, PortTakenError, ProcessEndedError or NotReadyError.
        """
        try:
            self._lock()
            for service in self.services.values():
                service.check_ports()  # before anything takes time
            await _together(*(self._timed(server.name, server.start()) for server in self._servers()))
            await self._prepare_database()
            write_tokens(self.keys, self.home)
            await _together(*(self._start_service(service) for service in self.services.values()))
            self._write_stack_file()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop the services (they drain), then the servers. Data stays. Does nothing to what does not run."""
        try:
            await _together(*(service.stop() for service in self.services.values()))
            await _together(*(server.stop() for server in self._servers()))
        finally:
            self._cleanup.close()

    async def kill(self) -> None:
        """Kill everything with SIGKILL. What was committed is there after the next start."""
        try:
            await _together(*(server.kill() for server in self._all()))
        finally:
            self._cleanup.close()

    @property
    def processes(self) -> list[Process]:
        """The processes that were started, services first."""
        return [server.process for server in self._all() if server.process is not None]

    async def wait_for_end(self) -> ProcessEndedError:
        """Wait until some process of the running stack ends by itself, and return the error that says how.

        One that is stopped or killed through the stack does not: it may be started again.
        """

        async def has_one_ended() -> bool:
            return any(process.has_ended_by_itself for process in self.processes)

        await until(has_one_ended, None, poll_seconds=WATCH_SECONDS)
        return next(process.ended() for process in self.processes if process.has_ended_by_itself)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def _servers(self) -> list[Server]:
        return [server for server in (self.postgres, self.valkey, self.nats) if server is not None]

    def _all(self) -> list[Server]:
        return [*self.services.values(), *self._servers()]

    def _is_wanted(self, setting: str, services: Sequence[Service]) -> bool:
        return any(service.setting(setting) not in self._environment for service in services)

    def _settings_of(self, service: Service, *, free_ports: bool) -> dict[str, str]:
        def given(name: str, default: str) -> str:
            return self._environment.get(service.setting(name), default)

        def listen(name: str, port: int) -> str:
            return f"{LOOPBACK}:{find_free_port()}" if free_ports else given(name, f"{LOOPBACK}:{port}")

        return {
            **self._database_urls(service),
            "VALKEY_URL": given("VALKEY_URL", self.valkey.url if self.valkey else ""),
            "NATS_URL": given("NATS_URL", self.nats.url if self.nats else ""),
            "LISTEN": listen("LISTEN", service.port),
            "METRICS_LISTEN": listen("METRICS_LISTEN", service.metrics_port),
            "JWKS": str(self.keys.jwks_file),
            "JWT_ISSUER": self.keys.issuer,
            "JWT_AUDIENCE": self.keys.audience,
            "DRAIN_SECONDS": given("DRAIN_SECONDS", str(DRAIN_SECONDS)),
        }

    def _calls_of(self, service: Service) -> dict[str, str]:
        called = {setting: self._settings[name]["LISTEN"] for setting, name in service.calls if name in self._settings}
        return {**called, "SIGNING_KEY": str(self.keys.private_file)} if called else {}

    def _database_urls(self, service: Service) -> dict[str, str]:
        url = self._environment.get(service.setting("DATABASE_URL"))
        if url is not None:
            owner_url = self._environment.get(service.setting("MIGRATION_DATABASE_URL"), url)
        else:
            assert self.postgres is not None
            url = self.postgres.url(DATABASE, service.role)
            owner_url = self.postgres.url(DATABASE, service.owner_role)
        return {"DATABASE_URL": url, "MIGRATION_DATABASE_URL": owner_url}

    def _lock(self) -> None:
        """Take the directory for this stack. The system gives it back when this process ends, however it ends."""
        file = self._cleanup.enter_context((self.home / "lock").open("a+", encoding="utf-8"))
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise StackRunningError(self.home, file.read().strip()) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        self._cleanup.callback(self.stack_file.unlink, missing_ok=True)

    async def _prepare_database(self) -> None:
        if self.postgres is not None:
            services = list({process.service.name: process.service for process in self.services.values()}.values())
            await create_roles(self.postgres, services)
            await create_database(self.postgres, DATABASE, services=services)

    async def _start_service(self, service: ServiceProcess) -> None:
        await self._timed(f"{service.name} schema", service.migrate())
        await self._timed(service.name, service.start())

    async def _timed(self, what: str, step: Awaitable[None]) -> None:
        begin = time.monotonic()
        await step
        self._report(what, time.monotonic() - begin)

    def _write_stack_file(self) -> None:
        first = next(iter(self._settings.values()))
        content = {
            "endpoints": self.endpoints,
            "token_file": str(self.token_file),
            "admin_token_file": str(self.admin_token_file),
            "worker_token_file": str(self.worker_token_file),
            "nats_url": first["NATS_URL"],
            "database_url": first["DATABASE_URL"],
            "valkey_url": first["VALKEY_URL"],
        }
        write_private(self.stack_file, json.dumps(content, indent=2))


def write_tokens(keys: Keys, directory: Path) -> None:
    """Write a token for whoever operates, one for admins, and one for workers, which may take work and nothing else."""
    for name, roles, subject in (
        (TOKEN_FILE, ROLES, "local"),
        (ADMIN_TOKEN_FILE, ADMIN_ROLES, "local-admin"),
        (WORKER_TOKEN_FILE, WORKER_ROLES, "local-worker"),
    ):
        token = keys.token(tenant=TENANT, roles=roles, subject=subject, lifetime=TOKEN_LIFETIME)
        write_private(directory / name, token)


async def _together(*steps: Coroutine[Any, Any, None]) -> None:
    """Run the steps at once; the first that fails cancels the others, and its error is raised as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            for step in steps:
                group.create_task(step)
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
