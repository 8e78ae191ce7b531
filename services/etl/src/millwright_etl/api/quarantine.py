"""QuarantineService: rows that cannot be used, why, and the way back."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

from google.protobuf import json_format, struct_pb2
from millwright.etl.v1 import quarantine_service_pb2 as pb
from millwright.etl.v1 import quarantine_service_pb2_grpc as pb_grpc
from millwright.etl.v1 import record_pb2
from millwright_runtime.api import calls, fields, messages, pages
from millwright_runtime.errors import InvalidFields, Violation
from millwright_runtime.events.log import EventLog
from millwright_runtime.json import Json
from millwright_runtime.postgres.database import Connection
from millwright_runtime.service import Platform

from millwright_etl.api import runs as run_messages
from millwright_etl.commands import quarantining, running
from millwright_etl.commands.running import Order
from millwright_etl.domain import names, planning
from millwright_etl.domain.quarantine import MOST_RECORDS, NOTE_CHARACTERS, Actor, Quarantined, Redrive, State, Wanted
from millwright_etl.domain.runs import Kind
from millwright_etl.engine.working import WORK
from millwright_etl.store import quarantine

STATES = {pb.QuarantinedRecord.State.Value(f"STATE_{state}"): state for state in State}
_CODE_CHARACTERS = 63


class QuarantineServicer(pb_grpc.QuarantineServiceServicer):
    """Serves QuarantineService."""

    def __init__(self, platform: Platform, log: EventLog) -> None:
        self._platform = platform
        self._log = log

    async def ListQuarantinedRecords(
        self, request: pb.ListQuarantinedRecordsRequest, _context: Any
    ) -> pb.ListQuarantinedRecordsResponse:
        """List quarantined rows, the newest first."""
        wanted, size = _wanted(request), pages.size(request.page_size)
        before = pages.read(request.page_token, lambda position: uuid.UUID(pages.text(position)), wanted)
        async with self._platform.reading() as connection:
            found = await quarantine.page(connection, wanted, before, size + 1, pages.ANSWER_BYTES)
        records, token = pages.cut(found, size, _message, lambda each: str(each.id), wanted)
        return pb.ListQuarantinedRecordsResponse(records=records, next_page_token=token)

    async def RedriveRecords(self, request: pb.RedriveRecordsRequest, _context: Any) -> pb.RedriveRecordsResponse:
        """Send quarantined rows through again."""
        ids = _ids([redrive.name for redrive in request.redrives], "redrives", ".name")
        redrives = [
            Redrive(each, _corrections(redrive.corrections, f"redrives[{place}].corrections"))
            for place, (each, redrive) in enumerate(zip(ids, request.redrives, strict=True))
        ]
        principal = calls.current().principal
        actor = Actor(principal.subject, fields.text(request.note, "note", NOTE_CHARACTERS))
        order = Order(principal.tenant, Kind.REDRIVE, principal.subject)

        async def redrive(connection: Connection) -> pb.RedriveRecordsResponse:
            days = await quarantining.correct(connection, principal.tenant, redrives, actor, datetime.now(UTC))
            run = await running.start(connection, self._log, order, planning.asked(days))
            return pb.RedriveRecordsResponse(run=run_messages.run(run))

        response = await self._platform.once(request, pb.RedriveRecordsResponse, redrive)
        self._platform.committed(principal.tenant, response.run.name)
        await self._platform.wake(WORK)
        return response

    async def IgnoreRecords(self, request: pb.IgnoreRecordsRequest, _context: Any) -> pb.IgnoreRecordsResponse:
        """Leave quarantined rows out for good."""
        ids = _ids(request.names, "names")
        if not request.note.strip():
            raise InvalidFields([Violation("note", "REQUIRED", "must say why; it is kept with the rows")])
        principal = calls.current().principal
        actor = Actor(principal.subject, fields.text(request.note, "note", NOTE_CHARACTERS))

        async def ignore(connection: Connection) -> pb.IgnoreRecordsResponse:
            await quarantining.ignore(connection, principal.tenant, ids, actor)
            return pb.IgnoreRecordsResponse(records=map(_message, await quarantine.find(connection, ids)))

        return await self._platform.once(request, pb.IgnoreRecordsResponse, ignore)


def _wanted(request: pb.ListQuarantinedRecordsRequest) -> Wanted:
    """Give which rows are looked for; raise InvalidFields with every filter that is none."""
    wrong: list[Violation] = []
    state = STATES.get(request.state) if request.state else State.OPEN
    if state is None:
        wrong.append(Violation("state", "UNKNOWN_VALUE", "must be a state that there is"))
    from_date, to_date = _date(request.from_date, "from_date", wrong), _date(request.to_date, "to_date", wrong)
    if wrong or state is None:
        raise InvalidFields(wrong)
    return Wanted(state, from_date, to_date, fields.text(request.code, "code", _CODE_CHARACTERS))


def _date(text: str, field: str, wrong: list[Violation]) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        wrong.append(Violation(field, "NOT_A_DATE", "must be a date, as 2026-11-01, or empty"))
        return None


def _ids(given: Sequence[str], field: str, part: str = "") -> list[uuid.UUID]:
    """Give the ids in names of rows; raise InvalidFields unless there are 1 to MOST_RECORDS, each once."""
    if not 1 <= len(given) <= MOST_RECORDS:
        raise InvalidFields([Violation(field, "OUT_OF_RANGE", f"must be 1 to {MOST_RECORDS:,}")])
    ids = [names.parse_quarantined(name, f"{field}[{place}]{part}") for place, name in enumerate(given)]
    if len(set(ids)) < len(ids):
        raise InvalidFields([Violation(field, "DUPLICATE", "must name each row once")])
    return ids


def _corrections(given: struct_pb2.Struct, field: str) -> dict[str, Json]:
    return {name: fields.json(value, f"{field}.{name}") for name, value in given.fields.items()}


def _message(found: Quarantined) -> pb.QuarantinedRecord:
    return pb.QuarantinedRecord(
        name=names.quarantined(found.id),
        date=found.date.isoformat() if found.date else "",
        record=record_pb2.Record(
            source_type=f"SOURCE_TYPE_{found.source_type}",  # type: ignore[arg-type]
            source_system=found.source_system,
            record_type=f"RECORD_TYPE_{found.record_type}",  # type: ignore[arg-type]
            external_id=found.external_id,
            payload=found.payload,
            event_time=messages.timestamp(found.event_time),
            source_time=messages.timestamp(found.source_time),
        ),
        reasons=[pb.QuarantineReason(**reason) for reason in found.reasons],
        state=f"STATE_{found.state}",  # type: ignore[arg-type]
        note=found.note,
        actor=found.actor,
        run=names.run(found.run),
        create_time=messages.timestamp(found.create_time),
        update_time=messages.timestamp(found.update_time),
        corrections=json_format.ParseDict(dict(found.corrections), struct_pb2.Struct()) if found.corrections else None,
    )
