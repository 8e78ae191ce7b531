"""The gRPC server of a service: its own servicers, health and reflection, and nothing that knows what they do."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2

from millwright_runtime import loops
from millwright_runtime.api import access, servicers
from millwright_runtime.api.authentication import Authenticator
from millwright_runtime.api.interceptor import Interceptor, Limits
from millwright_runtime.api.listeners import Listeners
from millwright_runtime.api.tenants import Tenants
from millwright_runtime.audit.auditing import Auditing
from millwright_runtime.certificates import Certificates, Files
from millwright_runtime.concurrency.admission import Queued, nothing_queued
from millwright_runtime.settings import ServiceSettings

_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
_REFLECTION = ("grpc.reflection.v1.ServerReflection", reflection.SERVICE_NAME)

_LISTENERS = 16
"""Each costs a few milliseconds at start and some 100 kB: decision 0040."""
_HARD_LIMIT = 2
"""Times the largest request: up to here we refuse in our own words, past it gRPC does, before it has read all."""
# Why: connections end after five minutes so that clients behind a plain load balancer spread again, and watch streams
# resume.
_OPTIONS = (
    ("grpc.max_connection_age_ms", 300_000),
    ("grpc.max_connection_age_grace_ms", 60_000),
    ("grpc.max_connection_idle_ms", 300_000),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.max_metadata_size", 16 * 1024),
)


class ApiServer:
    """Listens from `start` on, answers health truthfully, and ends calls in an orderly way."""

    def __init__(
        self,
        settings: ServiceSettings,
        serving: Sequence[object],
        auditing: Auditing | None = None,
        queued: Queued = nothing_queued,
    ) -> None:
        """Assemble the server of these servicers; fewer calls are let in while what is `queued` is late.

        Raises access.AccessRuleMissing if an RPC lacks its rule, CertificateUnusable if there can be no TLS as is set.
        """
        self._settings = settings
        descriptors = [servicers.descriptor(servicer) for servicer in serving]
        self._names = [descriptor.full_name for descriptor in descriptors]
        authenticator = Authenticator(settings.jwks, settings.jwt_issuer, settings.jwt_audience)
        limits = Limits(
            calls=settings.max_concurrent_calls,
            streams=settings.max_watch_streams,
            default_deadline_seconds=settings.default_deadline_seconds,
            message_bytes=settings.max_message_bytes,
            late_seconds=settings.late_seconds,
        )
        rules = access.rules(descriptors)
        self._interceptor = Interceptor(rules, authenticator, limits, _tenants(settings), auditing, queued)
        largest = ("grpc.max_receive_message_length", _HARD_LIMIT * settings.max_message_bytes)
        self._health = health.aio.HealthServicer()
        add_health = partial(health_pb2_grpc.add_HealthServicer_to_server, self._health)
        self._called = Listeners(_LISTENERS, [*_OPTIONS, largest], [self._interceptor])
        for servicer in serving:
            self._called.each(partial(servicers.add, servicer))
        self._called.each(add_health)
        self._called.each(self._add_reflection)
        self._probed = Listeners(1, _OPTIONS) if settings.health_listen else None
        if self._probed:
            self._probed.each(add_health)
        files = Files(settings.tls_certificate, settings.tls_key, settings.tls_client_ca)
        self.certificates = Certificates("serve", files) if files.certificate else None
        self._looking: list[asyncio.Task[None]] = []
        self.port = self.health_port = 0

    async def start(self) -> None:
        """Listen, alive but NOT_SERVING and letting no call in; raise PortTaken if an address is in use."""
        await self.set_serving(serving=False)
        await self._health.set("", _SERVING)
        self.port = await self._called.start(self._settings.listen, self.certificates)
        if self._probed and self._settings.health_listen:
            self.health_port = await self._probed.start(self._settings.health_listen)
        admission = self._interceptor.admission
        watches = [(admission.name, admission.run)]
        if self.certificates:
            watches.append((self.certificates.name, self.certificates.run))
        self._looking = [asyncio.create_task(loops.kept_up(name, run), name=name) for name, run in watches]

    async def set_serving(self, *, serving: bool) -> None:
        """Say of every service of ours whether it can be used; `""` only tells that the process is alive.

        Calls are let in from the first time that it can be.
        """
        if serving:
            self._interceptor.open()
        for name in self._names:
            await self._health.set(name, _SERVING if serving else _NOT_SERVING)

    async def leave(self) -> None:
        """Tell everybody who asks that this replica is going away; it still serves."""
        await self._health.enter_graceful_shutdown()

    async def stop(self, grace_seconds: float) -> None:
        """Take no more calls, give those in progress `grace_seconds`, then end them; probes are answered to the end."""
        await self._called.stop(grace_seconds)
        if self._probed:
            await self._probed.stop(0)
        await loops.cancel(self._looking)

    def _add_reflection(self, server: grpc.aio.Server) -> None:
        # grpcio-reflection knows v1alpha only (grpc/grpc#38576). The messages of v1 are the same on the wire; it is not
        # listed, because clients that describe all that is listed would stumble over its missing descriptor.
        servicer = reflection.aio.ReflectionServicer([*self._names, health.SERVICE_NAME, reflection.SERVICE_NAME])
        handler = grpc.stream_stream_rpc_method_handler(
            servicer.ServerReflectionInfo,
            request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
            response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
        )
        server.add_generic_rpc_handlers(
            [grpc.method_handlers_generic_handler(name, {"ServerReflectionInfo": handler}) for name in _REFLECTION]
        )


def _tenants(settings: ServiceSettings) -> Tenants:
    """Give the accounts that hold each tenant to its share."""
    return Tenants(settings.tenant_limit, settings.tenant_limits, settings.tenant_share)
