"""A client of the whole API of the workflow service."""

from millwright.workflow.v1 import (
    approval_service_pb2,
    catalogue_service_pb2,
    event_service_pb2,
    instance_pb2,
    instance_service_pb2,
    release_service_pb2,
    workflow_service_pb2,
)
from millwright_local.testing.client import ContractClient, rpcs_of

from workflow_rig.definitions import NAME, PROD, SET, written

Instance, InstanceEvent = instance_pb2.Instance, instance_pb2.InstanceEvent
FINAL = {InstanceEvent.KIND_COMPLETED, InstanceEvent.KIND_FAULTED, InstanceEvent.KIND_CANCELLED}


RPCS = rpcs_of(
    (
        workflow_service_pb2,
        release_service_pb2,
        instance_service_pb2,
        event_service_pb2,
        approval_service_pb2,
        catalogue_service_pb2,
    )
)


class Client(ContractClient):
    """Calls the workflow service: `await client.GetWorkflow(name=…)`; and does what tests do often."""

    rpcs = RPCS

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
