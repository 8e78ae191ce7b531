"""CloudEvents as the tests send them, by RPC and over NATS."""

import json
import uuid

from google.protobuf import json_format
from millwright.workflow.v1 import event_service_pb2 as pb
from nats.aio.client import Client as Nats


def event(kind, data=None, source="https://plant.example/line-1", event_id=None, **extensions) -> pb.CloudEvent:
    """Make an event with an id of its own unless told."""
    message = pb.CloudEvent(id=event_id or str(uuid.uuid4()), source=source, type=kind, extensions=extensions)
    if data is not None:
        json_format.ParseDict(data, message.data)
    return message


def listen(to, name="hear", **more) -> dict:
    """Give a task that listens."""
    foreach = {"foreach": more.pop("foreach")} if "foreach" in more else {}
    return {name: {"listen": {"to": to, **more}, **foreach}}


def one(kind, **attributes) -> dict:
    """Give the strategy that wants one event of a type."""
    return {"one": {"with": {"type": kind, **attributes}}}


def emit(kind, name="tell", source="https://plant.example/line-1", **attributes) -> dict:
    """Give a task that emits."""
    return {name: {"emit": {"event": {"with": {"source": source, "type": kind, **attributes}}}}}


class Bus:
    """A plain NATS client of a tenant: what somebody else's system has."""

    def __init__(self, nats: Nats, tenant: str) -> None:
        """Speak for a tenant over a connection."""
        self.nats = nats
        self.tenant = tenant

    async def send(self, kind, data=None, *, source="https://plant.example/line-1", event_id=None, structured=False):
        """Publish an event and wait until JetStream has it."""
        event_id = event_id or str(uuid.uuid4())
        attributes = {"specversion": "1.0", "id": event_id, "source": source, "type": kind}
        body, headers = json.dumps(data).encode(), {f"ce-{name}": value for name, value in attributes.items()}
        if structured:
            headers = {"content-type": "application/cloudevents+json"}
            body = json.dumps({**attributes, "data": data}).encode()
        await self.nats.jetstream().publish(f"millwright.{self.tenant}.events.{kind}", body, headers=headers)
