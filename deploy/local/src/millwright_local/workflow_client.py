"""A client of the workflow service: one connection, with a token on every call. It adds nothing to the contract."""

from collections.abc import Iterable
from typing import Any, Self, TypeVar

import grpc.aio
from google.protobuf import json_format, struct_pb2
from millwright.workflow.v1 import (
    event_service_pb2_grpc,
    instance_pb2,
    instance_service_pb2,
    instance_service_pb2_grpc,
    release_service_pb2_grpc,
    workflow_service_pb2_grpc,
)

from millwright_local.health import OPTIONS

CALL_SECONDS = 20.0
Request = TypeVar("Request")
Response = TypeVar("Response")


class WorkflowClient:
    """The services of one process. An async context manager that closes the connection."""

    def __init__(self, address: str, token: str) -> None:
        self._channel = grpc.aio.insecure_channel(address, options=OPTIONS)
        self._metadata = (("authorization", f"Bearer {token}"),)
        self.workflows = workflow_service_pb2_grpc.WorkflowServiceStub(self._channel)
        self.releases = release_service_pb2_grpc.ReleaseServiceStub(self._channel)
        self.instances = instance_service_pb2_grpc.InstanceServiceStub(self._channel)
        self.events = event_service_pb2_grpc.EventServiceStub(self._channel)

    async def call(self, method: "grpc.aio.UnaryUnaryMultiCallable[Request, Response]", request: Request) -> Response:
        """Call once. Raises grpc.aio.AioRpcError, after CALL_SECONDS at the latest."""
        return await method(request, metadata=self._metadata, timeout=CALL_SECONDS)

    def stream(
        self, method: "grpc.aio.UnaryStreamMultiCallable[Request, Response]", request: Request
    ) -> "grpc.aio.UnaryStreamCall[Request, Response]":
        """Open a stream without a deadline; it is closed with the connection, or by its `cancel`."""
        return method(request, metadata=self._metadata)

    async def start(self, workflow: str, inputs: Iterable[Any]) -> list[str]:
        """Start an instance for each input through the channel `prod`, and return their names."""
        names = []
        for value in inputs:
            request = instance_service_pb2.StartInstanceRequest(workflow=workflow, input=to_value(value))
            names.append((await self.call(self.instances.StartInstance, request)).instance.name)
        return names

    async def end_of(self, instance: str) -> instance_pb2.Instance:
        """Wait until an instance has ended, and return it."""
        watching = instance_service_pb2.WatchInstanceRequest(name=instance)
        async for _ in self.stream(self.instances.WatchInstance, watching):
            pass
        asking = instance_service_pb2.GetInstanceRequest(name=instance)
        return (await self.call(self.instances.GetInstance, asking)).instance

    async def close(self) -> None:
        """Close the connection, and with it what is under way on it."""
        await self._channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def to_value(value: Any) -> struct_pb2.Value:
    """Return JSON as a protobuf Value."""
    return json_format.ParseDict(value, struct_pb2.Value())
