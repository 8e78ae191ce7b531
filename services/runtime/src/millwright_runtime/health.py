"""Asks a gRPC server whether one of its services is healthy, by the standard health protocol.

`python -m millwright_runtime.health HOST:PORT SERVICE` does so where there is nothing else to ask with, as in an image.
"""

from __future__ import annotations

import argparse
import asyncio
import sys

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


def main() -> None:
    """Exit with 0 if the service serves, with 1 and a line if it does not. In plaintext: with TLS ask HEALTH_LISTEN."""
    parser = argparse.ArgumentParser(prog="python -m millwright_runtime.health", description=main.__doc__)
    parser.add_argument("address", metavar="HOST:PORT")
    parser.add_argument("service", metavar="SERVICE", help='its full name in the contract, or "" for the process')
    asked = parser.parse_args()
    if not asyncio.run(is_serving(asked.address, asked.service, seconds=3.0)):
        sys.exit(f"{asked.service or asked.address} does not serve")


if __name__ == "__main__":
    main()
