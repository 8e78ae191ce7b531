"""A service as its own reflection tells of it: whatever RPC it serves is called here, also one of tomorrow."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf import descriptor_pool, json_format
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from millwright.api.v1 import service_pb2
from millwright_local.testing.refusals import decode

CALL_SECONDS = 20.0
ROLES = ("viewer", "operator", "admin", "worker")
OPENED_BY = {
    service_pb2.ACCESS_VIEWER: {"viewer", "operator", "admin"},
    service_pb2.ACCESS_OPERATOR: {"operator", "admin"},
    service_pb2.ACCESS_ADMIN: {"admin"},
    service_pb2.ACCESS_WORKER: {"worker"},
}
_OTHERS = ("grpc.health.", "grpc.reflection.")


@dataclass(frozen=True)
class Answer:
    """How a call ended: its code and reason, and what was sent before."""

    code: str
    reason: str = ""
    messages: tuple[Message, ...] = ()

    @property
    def message(self) -> Message | None:
        """Give what was sent first, if anything was."""
        return next(iter(self.messages), None)

    @property
    def text(self) -> str:
        """Give what it says as JSON, to look for something in it."""
        return "\n".join(map(json_format.MessageToJson, self.messages))


class Contract:
    """The RPCs that a server serves, and calls of them."""

    def __init__(self, channel: grpc.aio.Channel, methods: list[MethodDescriptor]) -> None:
        self.channel = channel
        self.methods = methods

    @classmethod
    async def of(cls, channel: grpc.aio.Channel) -> "Contract":
        """Ask the server for its services; health and reflection are open to all and left out."""
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        asked = iter([reflection_pb2.ServerReflectionRequest(list_services="")])
        async for answer in stub.ServerReflectionInfo(asked):
            names = [service.name for service in answer.list_services_response.service]
        own = [name for name in names if not name.startswith(_OTHERS)]
        pool = descriptor_pool.Default()
        return cls(channel, [method for name in own for method in pool.FindServiceByName(name).methods])

    @property
    def package(self) -> str:
        """Give the package of what this service alone serves."""
        packages = [method.containing_service.file.package for method in self.methods]
        return next(package for package in packages if package != "millwright.api.v1")

    def find(self, name: str) -> MethodDescriptor:
        """Give the RPC of that name."""
        return next(method for method in self.methods if method.name == name)

    async def call(
        self, method: MethodDescriptor, token: str, *sent: bytes | Message, is_enough: Callable[[str], bool] = bool
    ) -> Answer:
        """Call it, with `token` if there is one, and with nothing or with the messages `sent`.

        A stream of answers is read until `is_enough` says so of the text of a message: the first, unless it is given.
        """
        bodies = [each.SerializeToString() if isinstance(each, Message) else each for each in sent or (b"",)]
        call = self.begin(method, token, iter(bodies) if method.client_streaming else bodies[0])
        messages: list[Message] = []
        try:
            if not method.server_streaming:
                return Answer("OK", messages=(await call,))
            async for message in call:
                messages.append(message)
                if is_enough(json_format.MessageToJson(message)):
                    break
        except grpc.aio.AioRpcError as error:
            if _is_written_over(error):
                return await self.call(method, token, *sent, is_enough=is_enough)
            return Answer(*decode(error).kind, tuple(messages))
        finally:
            call.cancel()
        return Answer("OK", messages=tuple(messages))

    def begin(self, method: MethodDescriptor, token: str, *sent: Any) -> Any:
        """Begin a call that sends bytes: those given, or in a stream what is written to it."""
        sides = [
            ("stream" if is_stream else "unary") for is_stream in (method.client_streaming, method.server_streaming)
        ]
        path = f"/{method.containing_service.full_name}/{method.name}"
        stub = getattr(self.channel, "_".join(sides))(path, None, GetMessageClass(method.output_type).FromString)
        metadata = [("authorization", f"Bearer {token}")] if token else []
        return stub(*sent, timeout=CALL_SECONDS, metadata=metadata)


def _is_written_over(error: grpc.aio.AioRpcError) -> bool:
    """Tell whether asyncio's client lost an answer that came before it had sent its message (grpc/grpc#36066)."""
    return error.code() == grpc.StatusCode.INTERNAL and "SendMessageOperation" in (error.debug_error_string() or "")


def opened_by(method: MethodDescriptor) -> set[str]:
    """Give the roles that the contract opens an RPC to; KeyError if it has no rule."""
    return OPENED_BY[method.GetOptions().Extensions[service_pb2.access]]


def is_read(method: MethodDescriptor) -> bool:
    """Tell whether the contract says that an RPC changes nothing."""
    return bool(method.GetOptions().Extensions[service_pb2.access] == service_pb2.ACCESS_VIEWER)


def about(method: MethodDescriptor, name: str) -> Message:
    """Give a request that names a resource in every field that could be meant to."""
    request = GetMessageClass(method.input_type)()
    for field in method.input_type.fields:
        is_name = field.type == FieldDescriptor.TYPE_STRING and not field.is_repeated
        is_free = field.containing_oneof is None or request.WhichOneof(field.containing_oneof.name) is None
        if is_name and is_free and field.name not in _OTHER_TEXTS:
            setattr(request, field.name, name)
    return request


_OTHER_TEXTS = {"page_token", "request_id", "etag", "reason", "filter"}
