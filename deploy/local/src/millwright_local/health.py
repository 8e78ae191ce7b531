"""Asks a gRPC server whether one of its services is healthy, by the standard health protocol."""

import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

# A proxy of the environment must not come between us and loopback, and a channel of its own has no memory of the
# refused attempts of the one before.
OPTIONS = [("grpc.enable_http_proxy", 0), ("grpc.use_local_subchannel_pool", 1)]


async def is_serving(address: str, service: str, *, seconds: float = 1.0) -> bool:
    """Tell whether the server at `host:port` says SERVING for the service. No answer in time is a no."""
    async with grpc.aio.insecure_channel(address, options=OPTIONS) as channel:
        request = health_pb2.HealthCheckRequest(service=service)
        try:
            response = await health_pb2_grpc.HealthStub(channel).Check(request, timeout=seconds)
        except grpc.aio.AioRpcError:
            return False
        return bool(response.status == health_pb2.HealthCheckResponse.SERVING)
