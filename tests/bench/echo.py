"""The peer of `unary`: a bare grpc.aio server that answers every call with the same bytes. `python -m … ADDRESS HEX`.

It does nothing that a service has to do: no token, no deadline, no database. What it costs is gRPC alone.
"""

from __future__ import annotations

import sys
from typing import Any

import grpc
import uvloop


class Echo(grpc.GenericRpcHandler):
    """Answers any method."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer

    def service(self, _details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes]:
        """Return the handler of every method."""

        async def answer(_request: bytes, _context: Any) -> bytes:
            return self._answer

        return grpc.unary_unary_rpc_method_handler(answer)


async def serve(address: str, answer: bytes) -> None:
    """Serve until killed."""
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers([Echo(answer)])
    server.add_insecure_port(address)
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1], bytes.fromhex(sys.argv[2])))
