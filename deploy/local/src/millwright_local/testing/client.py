"""A client of a whole contract: every RPC by its name, taken from the descriptors, with a token of a tenant's own."""

from collections.abc import Mapping, Sequence
from functools import partial
from types import ModuleType
from typing import Any, ClassVar

import grpc
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message_factory import GetMessageClass

CALL_SECONDS = 20.0


def rpcs_of(contract: Sequence[ModuleType]) -> Mapping[str, MethodDescriptor]:
    """Give the RPCs of the services in these generated modules, by name."""
    services = [service for module in contract for service in module.DESCRIPTOR.services_by_name.values()]
    return {method.name: method for service in services for method in service.methods}


class ContractClient:
    """Calls a service as one caller: `await client.GetRuleset(name=…)`, `async for … in client.WatchReleases(…)`.

    A call takes the fields of its request, `deadline` in seconds, and `token` to call with another one. A subclass
    names the RPCs, and adds what its tests do often.
    """

    rpcs: ClassVar[Mapping[str, MethodDescriptor]]

    def __init__(self, channel: grpc.aio.Channel, token: str, tenant: str) -> None:
        """Call over `channel`."""
        self.channel = channel
        self.token = token
        self.tenant = tenant

    def __getattr__(self, rpc: str) -> Any:
        """Give the RPC of that name."""
        if rpc not in self.rpcs:
            raise AttributeError(rpc)
        return partial(self._call, self.rpcs[rpc])

    def _call(
        self, method: MethodDescriptor, deadline: float = CALL_SECONDS, token: str | None = None, **fields: Any
    ) -> Any:
        request = GetMessageClass(method.input_type)(**fields)
        return self.send(method, request.SerializeToString(), deadline, self.token if token is None else token)

    def send(self, method: MethodDescriptor, body: bytes, deadline: float = CALL_SECONDS, token: str = "") -> Any:
        """Call `method` with the bytes of a request."""
        kind = "unary_stream" if method.server_streaming else "unary_unary"
        path = f"/{method.containing_service.full_name}/{method.name}"
        answer = GetMessageClass(method.output_type)
        stub = getattr(self.channel, kind)(path, None, answer.FromString)
        return stub(body, timeout=deadline, metadata=[("authorization", f"Bearer {token}")] if token else [])
