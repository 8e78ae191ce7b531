"""A server of four methods, one of each shape, behind the interceptor; and a channel to it."""

from dataclasses import dataclass

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from millwright_runtime.api.access import Rule
from millwright_runtime.api.authentication import Authenticator
from millwright_runtime.api.interceptor import Interceptor, Limits

VIEWER = frozenset({"viewer", "operator"})


class Shapes:
    """Serves `/test.Shapes/…` as the test says: it sets the function that a method runs."""

    def __init__(self):
        self.behavior = {}

    def handler(self, shape):
        behavior = self.behavior
        if shape.endswith("_stream"):

            async def serve(request, context):
                async for response in behavior[shape](request, context):
                    yield response

        else:

            async def serve(request, context):
                return await behavior[shape](request, context)

        make = getattr(grpc, f"{shape}_rpc_method_handler")
        return make(serve, StringValue.FromString, lambda message: message.SerializeToString())


@dataclass
class Served:
    """The server's two ends: what it runs, and the calls that reach it."""

    shapes: Shapes
    interceptor: Interceptor
    channel: grpc.aio.Channel
    metadata: tuple

    def call(self, shape, request="", *, method="", metadata=None, **options):
        """Call the method of `shape` as a viewer, or with other `metadata`."""
        multi_callable = getattr(self.channel, shape)(
            f"/test.Shapes/{method or shape}", StringValue.SerializeToString, StringValue.FromString
        )
        if shape.startswith("stream_"):
            request = iter([StringValue(value=word) for word in request])
        else:
            request = StringValue(value=request)
        return multi_callable(request, metadata=self.metadata if metadata is None else metadata, **options)


SHAPES = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")


@pytest.fixture
async def served(keys, token):
    """The server, with room for two calls and two streams."""
    shapes = Shapes()
    rules = {f"/test.Shapes/{shape}": Rule(f"test.Shapes.{shape}", "viewer", VIEWER, False) for shape in SHAPES}
    for always in ("unary_unary", "unary_stream"):
        rules[f"/test.Shapes/{always}_always"] = Rule(f"test.Shapes.{always}_always", "viewer", VIEWER, True)
    authenticator = Authenticator(str(keys.jwks_file), keys.issuer, keys.audience)
    limits = Limits(calls=2, streams=2, default_deadline_seconds=5, message_bytes=512 * 1024)
    interceptor = Interceptor(rules, authenticator, limits)
    interceptor.open()
    server = grpc.aio.server(interceptors=[interceptor], options=[("grpc.max_receive_message_length", 1024 * 1024)])
    handlers = {method.rpartition("/")[2]: shapes.handler(_shape(method)) for method in rules}
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("test.Shapes", handlers)])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield Served(shapes, interceptor, channel, (("authorization", f"Bearer {token(roles=['viewer'])}"),))
    await server.stop(0)


def _shape(method):
    return method.rpartition("/")[2].removesuffix("_always")
