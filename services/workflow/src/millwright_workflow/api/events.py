"""EventService: events that callers publish."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from millwright.workflow.v1 import event_service_pb2 as pb
from millwright.workflow.v1 import event_service_pb2_grpc as pb_grpc
from millwright_runtime.api import calls, fields
from millwright_runtime.errors import InvalidFields, Violation
from millwright_runtime.json import JsonObject

from millwright_workflow.domain import cloud_events
from millwright_workflow.domain.cloud_events import BATCH_LIMIT, DATA_LIMIT_BYTES, InvalidEvent, OversizedData
from millwright_workflow.domain.errors import EventTooLarge
from millwright_workflow.engine.events.intake import Intake

_OWN = frozenset({"specversion", "id", "source", "type", "subject", "time", "data", "data_base64"})


class EventServicer(pb_grpc.EventServiceServicer):
    """Serves EventService."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    async def PublishEvents(self, request: pb.PublishEventsRequest, _context: Any) -> pb.PublishEventsResponse:
        """Take events in."""
        taken = await self._intake.take(calls.current().principal.tenant, _events(request))
        return pb.PublishEventsResponse(accepted=taken.accepted, deliveries=taken.deliveries)


def _events(request: pb.PublishEventsRequest) -> list[JsonObject]:
    """Give the events of a request; raise InvalidFields with every fault, and EventTooLarge."""
    if not 1 <= len(request.events) <= BATCH_LIMIT:
        raise InvalidFields([Violation("events", "OUT_OF_RANGE", f"must be 1 to {BATCH_LIMIT} events")])
    now = datetime.now(UTC)
    events, violations = [], []
    for place, message in enumerate(request.events):
        try:
            events.append(cloud_events.check(_event(message, f"events[{place}]", now)))
        except OversizedData as fault:
            raise EventTooLarge(place=place, size=fault.size, limit=DATA_LIMIT_BYTES) from None
        except InvalidEvent as fault:
            violations.append(Violation(f"events[{place}].{fault.attribute}", "INVALID_EVENT", fault.fault))
    if violations:
        raise InvalidFields(violations)
    return events


def _event(message: pb.CloudEvent, path: str, now: datetime) -> JsonObject:
    """Give an event in the JSON format of CloudEvents."""
    if taken := sorted(_OWN & message.extensions.keys()):
        raise InvalidEvent("extensions", f"must not hold {taken[0]}, which has a field of its own")
    time = message.time.ToDatetime(UTC) if message.HasField("time") else now
    event: JsonObject = {
        "specversion": "1.0",
        "id": message.id,
        "source": message.source,
        "type": message.type,
        "time": time.isoformat().replace("+00:00", "Z"),
    }
    if message.subject:
        event["subject"] = message.subject
    if message.HasField("data"):
        event["datacontenttype"] = "application/json"
        event["data"] = fields.json(message.data, f"{path}.data")
    event.update(message.extensions)
    return event
