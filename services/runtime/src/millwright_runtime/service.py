"""The life of a service process: start, serve, drain, end; and the two verbs that each service's command has.

starting ── schema there ──▶ serving ── SIGTERM ──▶ draining ──▶ ended
      health NOT_SERVING;         SERVING;             NOT_SERVING, in this order:
      calls are told so           database away:         loops take no more work, watch streams end,
                                  NOT_SERVING            calls finish, the outbox is flushed,
                                                         connections close
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import signal
import ssl
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

import uvloop
from google.protobuf.message import Message

from millwright_runtime import logs, loops, metrics, settings, tracing
from millwright_runtime.api import calls
from millwright_runtime.api.audit import AuditServicer
from millwright_runtime.api.server import ApiServer
from millwright_runtime.audit.auditing import Auditing
from millwright_runtime.certificates import CertificateUnusable, Files, client_context
from millwright_runtime.concurrency.patience import persist
from millwright_runtime.events.jetstream import JetStream
from millwright_runtime.events.relay import Relay
from millwright_runtime.events.signals import Signals
from millwright_runtime.events.watch import Feed, ItemT
from millwright_runtime.postgres import schema
from millwright_runtime.postgres.database import Connection, Database, NotLoggedIn, RoleTooPowerful
from millwright_runtime.postgres.idempotency import Requests, ResponseT
from millwright_runtime.postgres.partitions import Partitions
from millwright_runtime.settings import PortTaken, ServiceSettings
from millwright_runtime.valkey import Valkey

OUTBOX = "outbox"
"""The signal that the relay listens to; `Platform.committed` gives it."""

_HEALTH_SECONDS = 2.0
_MEASURE_SECONDS = 5.0
_FORGET_SECONDS = 600.0
_ENDED_BY_SIGNAL = 143
"""As shells have it: 128 and SIGTERM."""
_COLLECT_AFTER = (50_000, 20, 100)
"""When cyclic garbage is looked for. What we make is almost free of cycles; Python's own figures, made for small
programs, cost a busy service a noticeable part of its time."""
_log = logging.getLogger(__name__)

SettingsT = TypeVar("SettingsT", bound=ServiceSettings)


@dataclass(frozen=True, slots=True)
class Platform:
    """What a service is composed of besides itself: open connections and the runtime's own tables."""

    database: Database
    valkey: Valkey
    signals: Signals
    requests: Requests
    jetstream: JetStream

    async def wake(self, *names: str) -> None:
        """Wake whoever listens for a signal of one of these names, here and on other replicas."""
        for name in names:
            self.signals.notify(name)
        await self.jetstream.wake(names)

    def reading(self) -> AbstractAsyncContextManager[Connection]:
        """Give, within a call, a connection for reading rows of the caller's tenant, all of one state."""
        return self.database.snapshot(calls.current().principal.tenant)

    async def once(
        self,
        request: Message,
        response_type: type[ResponseT],
        work: Callable[[Connection], Awaitable[ResponseT]],
        *resources: str,
    ) -> ResponseT:
        """Do, within a call, a write as `Requests.once` does, then say that `resources` have events."""
        response = await self.requests.once(request, response_type, work)
        self.committed(calls.current().principal.tenant, *resources)
        return response

    def feed(self, resource: str, read: Callable[[Connection, int, int], Awaitable[Sequence[ItemT]]]) -> Feed[ItemT]:
        """Give, within a call, the log of a resource of the caller's tenant, to be watched.

        `read` gives what comes after a sequence, at most so many.
        """
        tenant = calls.current().principal.tenant

        async def items(after: int, limit: int) -> Sequence[ItemT]:
            async with self.database.snapshot(tenant) as connection:
                return await read(connection, after, limit)

        return Feed(items, self.signals, f"{tenant}/{resource}")

    def committed(self, tenant: str, *resources: str) -> None:
        """Say, after a commit, that `resources` of `tenant` have events: wakes the relay and whoever watches."""
        self.signals.notify(OUTBOX)
        for resource in resources:
            self.signals.notify(f"{tenant}/{resource}")


@dataclass(frozen=True, slots=True)
class Parts:
    """What a service brings."""

    servicers: Sequence[object]
    """Each extends the servicer that protoc generated for its service."""
    loops: Sequence[loops.Loop] = ()
    closers: Sequence[Callable[[], Awaitable[None]]] = ()
    """What is closed once no call and no loop needs it any more."""
    keep_days: Mapping[str, int] = field(default_factory=dict)
    """How many days are kept of the service's partitioned tables, besides its events."""


@dataclass(frozen=True, slots=True)
class Verb(Generic[SettingsT]):
    """A command of a service besides `serve` and `migrate`: it does something and ends."""

    name: str
    help: str
    arguments: Callable[[argparse.ArgumentParser], None]
    """Adds what the command takes."""
    run: Callable[[Platform, SettingsT, argparse.Namespace], Awaitable[int]]
    """Does it, and gives the exit code. Nothing is served, and events that it writes are published by the replicas."""


@dataclass(frozen=True, slots=True)
class Service(Generic[SettingsT]):
    """What makes one service different from another, as far as its process is concerned."""

    name: str
    """Also the schema that it owns."""
    settings: type[SettingsT]
    migrations: Path
    compose: Callable[[Platform, SettingsT], Awaitable[Parts]]
    """Builds the service's objects. It is called while the database may not be there yet, and must not ask it."""
    verbs: Sequence[Verb[SettingsT]] = ()


def main(service: Service[SettingsT]) -> None:
    """Run the service's command: `serve`, `migrate` or one of its own verbs.

    Exit codes: 0 done, 1 failed, 2 wrong settings; of its own verbs also 143 ended by a signal, and what they give.
    """
    parser = argparse.ArgumentParser(
        prog=f"millwright-{service.name}", description=f"Millwright's {service.name} service."
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("serve", help="serve gRPC until SIGTERM")
    verbs.add_parser("migrate", help="bring the database schema up to date, then exit")
    for verb in service.verbs:
        verb.arguments(verbs.add_parser(verb.name, help=verb.help, description=verb.help))
    arguments = parser.parse_args()
    configured = settings.load(service.settings)
    logs.configure(configured.log_level)
    gc.set_threshold(*_COLLECT_AFTER)
    own = {verb.name: verb for verb in service.verbs}.get(arguments.verb)
    try:
        if own:
            sys.exit(uvloop.run(_do(service, own, configured, arguments)))
        uvloop.run((serve if arguments.verb == "serve" else migrate)(service, configured))
    except (CertificateUnusable, NotLoggedIn, PortTaken, RoleTooPowerful) as error:
        sys.exit(str(error))


async def migrate(service: Service[SettingsT], configured: SettingsT) -> None:
    """Bring the service's schema up to date."""
    service_url = configured.database_url.get_secret_value()
    owner_url = configured.migration_database_url
    from millwright_runtime.postgres.migrations import Migrations

    migrations = Migrations(service.migrations, service.name)
    await migrations.upgrade(owner_url.get_secret_value() if owner_url else service_url, service_url)
    _log.info("the schema is up to date", extra={"schema": service.name})


async def serve(service: Service[SettingsT], configured: SettingsT) -> None:
    """Serve until SIGTERM or SIGINT, then drain; a second signal hurries each step of that."""
    serving = asyncio.current_task()
    assert serving is not None
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, serving.cancel)
    with suppress(asyncio.CancelledError):
        async with running(service, configured):
            await asyncio.Event().wait()


async def _do(
    service: Service[SettingsT], verb: Verb[SettingsT], configured: SettingsT, arguments: argparse.Namespace
) -> int:
    """Run a verb until it ends, or until SIGTERM or SIGINT."""
    doing = asyncio.current_task()
    assert doing is not None
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, doing.cancel)
    async with AsyncExitStack() as stack:
        platform = await _connected(service, configured, stack)
        with suppress(asyncio.CancelledError):
            return await verb.run(platform, configured, arguments)
    return _ENDED_BY_SIGNAL


async def _connected(service: Service[SettingsT], configured: SettingsT, stack: AsyncExitStack) -> Platform:
    """Give a platform whose connections are made when they are needed; NATS is connected to when it is started."""
    url = configured.database_url.get_secret_value()
    database = await Database.open(url, configured.database_connections, application=f"millwright-{service.name}")
    stack.push_async_callback(database.close)
    valkey = Valkey(configured.valkey_url.get_secret_value())
    stack.push_async_callback(valkey.close)
    jetstream = JetStream(
        configured.nats_url.get_secret_value(), service.name, configured.event_retention_days, _secure_nats(configured)
    )
    stack.push_async_callback(jetstream.stop)
    return Platform(database, valkey, Signals(), Requests(database, service.name), jetstream)


async def ready(name: str, migrations: Path, database: Database) -> None:
    """Return once the schema of the service `name` is there, however long the database is away.

    Raises RoleTooPowerful for a role that may not serve it.
    """
    await schema.wait(name, schema.newest(migrations), database)
    await persist("checking the role", lambda: database.check_role(name))


def _secure_nats(configured: ServiceSettings) -> Callable[[], ssl.SSLContext] | None:
    if configured.nats_ca is None:
        return None
    files = Files(configured.tls_certificate, configured.tls_key, configured.nats_ca)
    return lambda: client_context(files)


class Running:
    """A service that runs: what `serve` stands on, and tests too."""

    def __init__(self, server: ApiServer, platform: Platform) -> None:
        self.server = server
        self.platform = platform


class running(Generic[SettingsT]):  # noqa: N801 - used as `async with running(…)`
    """Start a service on entering, once its schema is there; drain it on leaving."""

    def __init__(self, service: Service[SettingsT], configured: SettingsT) -> None:
        self._service = service
        self._settings = configured
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Running:
        """Give the running service."""
        try:
            return await self._start()
        except BaseException:
            await self._stack.aclose()
            raise

    async def __aexit__(self, *_exception: object) -> None:
        """Drain: each step was pushed when its counterpart started."""
        await self._stack.aclose()

    async def _start(self) -> Running:
        service, configured, stack = self._service, self._settings, self._stack
        stack.callback(tracing.export(service.name))
        stack.callback(metrics.serve(configured.metrics_listen))

        platform = await _connected(service, configured, stack)
        database, jetstream = platform.database, platform.jetstream
        relay = Relay(database, jetstream.publish, service.name)
        stack.push_async_callback(_flush, relay, jetstream)

        parts = await service.compose(platform, configured)
        for close in parts.closers:
            stack.push_async_callback(close)
        auditing = Auditing(database, service.name)
        stack.push_async_callback(loops.drain, auditing, configured.drain_seconds)  # once the last call has ended
        serving = [*parts.servicers, AuditServicer(platform.reading, service.name)]
        server = ApiServer(configured, serving, auditing, lambda: database.late_seconds)
        await server.start()
        stack.push_async_callback(server.stop, configured.drain_seconds)

        await ready(service.name, service.migrations, database)
        kept = {
            "event": configured.event_log_retention_days,
            "audit_entry": configured.audit_retention_days,
            **parts.keep_days,
        }
        partitions = Partitions(database, service.name, kept)
        await persist("making partitions", partitions.make)
        jetstream.start(platform.signals.notify)
        stack.callback(platform.signals.drain)
        self._start_loops(platform, relay, server, [*parts.loops, partitions, auditing])
        stack.push_async_callback(server.leave)
        await server.set_serving(serving=True)
        _log.info("serving", extra={"service": service.name, "port": server.port})
        stack.callback(_log.info, "draining")
        return Running(server, platform)

    def _start_loops(self, platform: Platform, relay: Relay, server: ApiServer, brought: Sequence[loops.Loop]) -> None:
        async def relaying() -> None:
            with platform.signals.listen(OUTBOX) as listener:
                await relay.run(listener)

        tasks = [
            asyncio.create_task(loops.kept_up("relay", relaying)),
            asyncio.create_task(loops.kept_up("health", lambda: _tell_health(platform.database, server))),
            asyncio.create_task(loops.kept_up("outbox", lambda: _measure_outbox(relay))),
            asyncio.create_task(loops.kept_up("requests", lambda: _forget_requests(platform.requests))),
        ]
        self._stack.push_async_callback(loops.cancel, tasks)
        for loop in brought:
            task = asyncio.create_task(loops.kept_up(loop.name, loop.run))
            self._stack.push_async_callback(loops.cancel, [task])
            self._stack.push_async_callback(loops.drain, loop, self._settings.drain_seconds)


async def _tell_health(database: Database, server: ApiServer) -> None:
    serving = True
    while True:
        await asyncio.sleep(_HEALTH_SECONDS)
        fault = ""
        try:
            await database.ping()
        except Exception as error:  # noqa: BLE001 - whatever it is, the database did not answer
            fault = repr(error)
        if serving == bool(fault):
            serving = not fault
            if fault:
                _log.warning("the database does not answer", extra={"fault": fault})
            else:
                _log.info("the database answers again")
            await server.set_serving(serving=serving)


async def _measure_outbox(relay: Relay) -> None:
    while True:
        metrics.EVENTS_PENDING.set(await relay.pending())
        await asyncio.sleep(_MEASURE_SECONDS)


async def _forget_requests(requests: Requests) -> None:
    while True:
        while await requests.forget():
            pass
        await asyncio.sleep(_FORGET_SECONDS)


async def _flush(relay: Relay, jetstream: JetStream) -> None:
    if jetstream.is_connected:
        await relay.flush()
