"""A client of the workflow service. It adds nothing to the contract."""

from collections.abc import Iterable
from typing import Any

from google.protobuf import json_format, struct_pb2
from millwright.workflow.v1 import (
    approval_service_pb2_grpc,
    event_service_pb2_grpc,
    instance_pb2,
    instance_service_pb2,
    instance_service_pb2_grpc,
    release_service_pb2_grpc,
    workflow_service_pb2_grpc,
)

from millwright_local.service_client import ServiceClient


class WorkflowClient(ServiceClient):
    """The services of one process of the workflow service."""

    def __init__(self, address: str, token: str) -> None:
        super().__init__(address, token)
        self.workflows = workflow_service_pb2_grpc.WorkflowServiceStub(self._channel)
        self.releases = release_service_pb2_grpc.ReleaseServiceStub(self._channel)
        self.instances = instance_service_pb2_grpc.InstanceServiceStub(self._channel)
        self.approvals = approval_service_pb2_grpc.ApprovalServiceStub(self._channel)
        self.events = event_service_pb2_grpc.EventServiceStub(self._channel)

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


def to_value(value: Any) -> struct_pb2.Value:
    """Return JSON as a protobuf Value."""
    return json_format.ParseDict(value, struct_pb2.Value())
