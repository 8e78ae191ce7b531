"""A client of the whole API: every RPC by its name, taken from the descriptors, with a token of a tenant's own."""

from collections.abc import Iterator
from functools import partial

import grpc
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message_factory import GetMessageClass
from millwright.workflow.v1 import (
    approval_service_pb2,
    catalogue_service_pb2,
    event_service_pb2,
    instance_pb2,
    instance_service_pb2,
    release_service_pb2,
    workflow_service_pb2,
)

from workflow_rig.definitions import NAME, PROD, SET, written

Instance, InstanceEvent = instance_pb2.Instance, instance_pb2.InstanceEvent
FINAL = {InstanceEvent.KIND_COMPLETED, InstanceEvent.KIND_FAULTED, InstanceEvent.KIND_CANCELLED}


def _rpcs() -> Iterator[MethodDescriptor]:
    for module in (
        workflow_service_pb2,
        release_service_pb2,
        instance_service_pb2,
        event_service_pb2,
        approval_service_pb2,
        catalogue_service_pb2,
    ):
        for service in module.DESCRIPTOR.services_by_name.values():
            yield from service.methods


RPCS = {method.name: method for method in _rpcs()}


class Client:
    """Calls the service as one caller: `await client.GetWorkflow(name=…)`, `async for … in client.WatchReleases(…)`.

    A call takes the fields of its request, `deadline` in seconds, and `token` to call with another one.
    """

    def __init__(self, channel: grpc.aio.Channel, token: str, tenant: str) -> None:
        """Call over `channel`."""
        self.channel = channel
        self.token = token
        self.tenant = tenant

    def __getattr__(self, rpc: str):
        """Give the RPC of that name."""
        if rpc not in RPCS:
            raise AttributeError(rpc)
        return partial(self._call, RPCS[rpc])

    def _call(self, method, deadline=20.0, token=None, **fields):
        request = GetMessageClass(method.input_type)(**fields)
        return self.send(method, request.SerializeToString(), deadline, self.token if token is None else token)

    def send(self, method: MethodDescriptor, body: bytes, deadline=20.0, token=""):
        """Call `method` with the bytes of a request."""
        kind = "unary_stream" if method.server_streaming else "unary_unary"
        path = f"/{method.containing_service.full_name}/{method.name}"
        answer = GetMessageClass(method.output_type)
        stub = getattr(self.channel, kind)(path, None, answer.FromString)
        return stub(body, timeout=deadline, metadata=[("authorization", f"Bearer {token}")] if token else [])

    async def publish(self, do=SET, version="1.0.0", promote_to="", **sections):
        """Publish a version of `plant.line`."""
        return await self.PublishVersion(definition=written(do, version, **sections), promote_to=promote_to)

    async def release(self, *tasks):
        """Publish the lists of tasks as versions 1, 2, …, each promoted to `prod` in turn."""
        for number, do in enumerate(tasks, 1):
            await self.publish(do, f"{number}.0.0", promote_to="prod")

    async def rollback(self, **fields):
        """Roll `prod` back."""
        return await self.RollbackVersion(**{"channel": PROD, "reason": "it leaks", **fields})

    async def start(self, **fields) -> str:
        """Start an instance of `plant.line` and give its name."""
        return (await self.StartInstance(**{"workflow": NAME, **fields})).instance.name

    async def get(self, instance: str) -> Instance:
        """Give an instance."""
        return (await self.GetInstance(name=instance)).instance

    async def events(self, instance: str) -> list[InstanceEvent]:
        """Give all the events of an instance that has ended."""
        return [answer.event async for answer in self.WatchInstance(name=instance, from_sequence=0)]

    async def reached(self, instance: str, *kinds: InstanceEvent.Kind) -> InstanceEvent:
        """Wait for an event of one of these kinds, however long ago it was; the end of the instance ends the wait."""
        stream = self.WatchInstance(name=instance, from_sequence=0)
        async for answer in stream:
            if answer.WhichOneof("message") == "event" and answer.event.kind in kinds:
                stream.cancel()
                return answer.event
        message = f"{instance} ended without"
        raise AssertionError(message, [InstanceEvent.Kind.Name(kind) for kind in kinds])

    async def ended(self, instance: str) -> Instance:
        """Wait for the end of an instance, and give it."""
        await self.reached(instance, *FINAL)
        return await self.get(instance)

    async def run(self, **fields) -> Instance:
        """Start an instance, wait for its end, and give it."""
        return await self.ended(await self.start(**fields))
