"""The gRPC server of a service: its own servicers, health and reflection, and nothing that knows what they do."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2

from millwright_runtime import loops
from millwright_runtime.api import access, credentials, servicers
from millwright_runtime.api.authentication import Authenticator
from millwright_runtime.api.interceptor import Interceptor, Limits
from millwright_runtime.api.tenants import Tenants
from millwright_runtime.audit.auditing import Auditing
from millwright_runtime.certificates import Certificates, Files
from millwright_runtime.settings import PortTaken, ServiceSettings

_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
_REFLECTION = ("grpc.reflection.v1.ServerReflection", reflection.SERVICE_NAME)

# Why: one process a port (so_reuseport would let a second one steal half the calls unseen); connections end after five
# minutes so that clients behind a plain load balancer spread again, and watch streams resume.
_HARD_LIMIT = 2
"""Times the largest request: up to here we refuse in our own words, past it gRPC does, before it has read all."""

_OPTIONS = (
    ("grpc.so_reuseport", 0),
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

    def __init__(self, settings: ServiceSettings, serving: Sequence[object], auditing: Auditing | None = None) -> None:
        """Assemble the server of these servicers.

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
        self._interceptor = Interceptor(access.rules(descriptors), authenticator, limits, _tenants(settings), auditing)
        self._server = grpc.aio.server(
            interceptors=[self._interceptor],
            options=[*_OPTIONS, ("grpc.max_receive_message_length", _HARD_LIMIT * settings.max_message_bytes)],
        )
        for servicer in serving:
            servicers.add(servicer, self._server)
        self._health = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        self._add_reflection()
        self._probed = grpc.aio.server(options=_OPTIONS) if settings.health_listen else None
        if self._probed:
            health_pb2_grpc.add_HealthServicer_to_server(self._health, self._probed)
        files = Files(settings.tls_certificate, settings.tls_key, settings.tls_client_ca)
        self.certificates = Certificates("serve", files) if files.certificate else None
        self._looking: list[asyncio.Task[None]] = []
        self.port = self.health_port = 0

    async def start(self) -> None:
        """Listen, alive but NOT_SERVING and letting no call in; raise PortTaken if an address is in use."""
        secure = credentials.serving(self.certificates) if self.certificates else None
        self.port = _listen(self._server, self._settings.listen, secure)
        if self._probed and self._settings.health_listen:
            self.health_port = _listen(self._probed, self._settings.health_listen)
        await self.set_serving(serving=False)
        await self._health.set("", _SERVING)
        await self._server.start()
        if self._probed:
            await self._probed.start()
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
        await self._server.stop(grace_seconds)
        if self._probed:
            await self._probed.stop(0)
        await loops.cancel(self._looking)

    def _add_reflection(self) -> None:
        # grpcio-reflection knows v1alpha only (grpc/grpc#38576). The messages of v1 are the same on the wire; it is not
        # listed, because clients that describe all that is listed would stumble over its missing descriptor.
        servicer = reflection.aio.ReflectionServicer([*self._names, health.SERVICE_NAME, reflection.SERVICE_NAME])
        handler = grpc.stream_stream_rpc_method_handler(
            servicer.ServerReflectionInfo,
            request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
            response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
        )
        self._server.add_generic_rpc_handlers(
            [grpc.method_handlers_generic_handler(name, {"ServerReflectionInfo": handler}) for name in _REFLECTION]
        )


def _listen(server: grpc.aio.Server, address: str, secure: grpc.ServerCredentials | None = None) -> int:
    try:
        return server.add_secure_port(address, secure) if secure else server.add_insecure_port(address)
    except RuntimeError:
        raise PortTaken(address) from None


def _tenants(settings: ServiceSettings) -> Tenants:
    """Give the accounts that hold each tenant to its share."""
    return Tenants(settings.tenant_limit, settings.tenant_limits, settings.tenant_share)
