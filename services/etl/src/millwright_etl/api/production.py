"""ProductionService: facts as they are read, and the calendar and the names that they are read by."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from datetime import UTC, date, datetime
from functools import partial
from typing import Any

from millwright.etl.v1 import production_service_pb2 as pb
from millwright.etl.v1 import production_service_pb2_grpc as pb_grpc
from millwright_runtime.api import calls, fields, messages, pages
from millwright_runtime.errors import InvalidFields, Violation
from millwright_runtime.service import Platform

from millwright_etl.api import calendars as calendar_messages
from millwright_etl.api import queries
from millwright_etl.api.answers import Answers
from millwright_etl.api.arrow import Encoder
from millwright_etl.commands import changing_calendars
from millwright_etl.domain.queries import Dimension
from millwright_etl.store import calendars, dimensions, freshness, production
from millwright_etl.store.dimensions import Member

_LANGUAGES = ("en", "ko")
_NAME_CHARACTERS = 200
_CODE_CHARACTERS = 63


class ProductionServicer(pb_grpc.ProductionServiceServicer):
    """Serves ProductionService."""

    def __init__(self, platform: Platform, answers: Answers) -> None:
        self._platform = platform
        self._answers = answers

    async def QueryProduction(
        self, request: pb.QueryProductionRequest, _context: Any
    ) -> AsyncGenerator[pb.QueryProductionResponse]:
        """Read facts, as rows or as Arrow."""
        query = queries.query(request)
        keys = len(query.group_by)
        encoder = Encoder(query) if request.arrow else None
        async with aclosing(self._answers.pieces(query)) as pieces:
            async for rows in pieces:
                if encoder:
                    yield pb.QueryProductionResponse(arrow=encoder.encode(rows))
                else:
                    yield pb.QueryProductionResponse(rows=[queries.row(keys, row) for row in rows])
        if encoder:
            yield pb.QueryProductionResponse(arrow=encoder.end())

    async def ListProduction(self, request: pb.ListProductionRequest, _context: Any) -> pb.ListProductionResponse:
        """Read one page of facts."""
        query, size = queries.query(request), pages.size(request.page_size)
        keys = len(query.group_by)
        after = pages.read(request.page_token, lambda position: [pages.text(key) for key in position], query)
        if after is not None and len(after) != keys:
            raise pages.PageTokenMismatch
        async with self._platform.reading() as connection:
            found = await production.page(connection, query, after, size + 1)
        rows, token = pages.cut(found, size, partial(queries.row, keys), lambda row: list(row)[:keys], query)
        return pb.ListProductionResponse(rows=rows, next_page_token=token)

    async def ListDefects(self, request: pb.ListDefectsRequest, _context: Any) -> pb.ListDefectsResponse:
        """Read one page of defects by type."""
        (wanted, group_by), size = queries.grouping(request), pages.size(request.page_size)
        offset = pages.read(request.page_token, pages.number, wanted, group_by) or 0
        async with self._platform.reading() as connection:
            found = await production.defects(connection, wanted, group_by, offset, size + 1)
        numbered = list(enumerate(found, offset + 1))
        rows, token = pages.cut(numbered, size, lambda it: _defect(it[1]), lambda it: it[0], wanted, group_by)
        return pb.ListDefectsResponse(rows=rows, next_page_token=token)

    async def GetFreshness(self, _request: pb.GetFreshnessRequest, _context: Any) -> pb.GetFreshnessResponse:
        """Tell how fresh the facts are."""
        async with self._platform.reading() as connection:
            plant = await calendars.read(connection, calls.current().principal.tenant)
            found = await freshness.read(connection, plant.newest_over(datetime.now(UTC)))
        return pb.GetFreshnessResponse(
            complete_date=_text(found.complete_date),
            last_published_date=_text(found.last_published_date),
            missing_dates=map(_text, found.missing_dates),
            failed_dates=map(_text, found.failed_dates),
            dirty_dates=map(_text, found.dirty_dates),
            sources=[
                pb.SourceFreshness(
                    source_system=source.source_system,
                    newest_event_time=messages.timestamp(source.newest_event_time),
                    newest_ingest_time=messages.timestamp(source.newest_ingest_time),
                )
                for source in found.sources
            ],
        )

    async def GetPlantCalendar(
        self, _request: pb.GetPlantCalendarRequest, _context: Any
    ) -> pb.GetPlantCalendarResponse:
        """Get the plant's calendars, the newest first."""
        tenant = calls.current().principal.tenant
        async with self._platform.reading() as connection:
            plant = await calendars.read(connection, tenant)
            revisions = await calendars.revisions(connection, tenant)
        etags = {valid_from: str(revision) for valid_from, revision in revisions.items()}
        return pb.GetPlantCalendarResponse(
            calendars=[
                calendar_messages.written(each, etags.get(each.valid_from, "")) for each in reversed(plant.calendars)
            ]
        )

    async def SavePlantCalendar(
        self, request: pb.SavePlantCalendarRequest, _context: Any
    ) -> pb.SavePlantCalendarResponse:
        """Change the plant's calendar."""
        calendar = calendar_messages.read(request.calendar)
        tenant = calls.current().principal.tenant
        async with self._platform.database.transaction(tenant) as connection:
            changed = await changing_calendars.change(connection, tenant, calendar, request.calendar.etag)
        return pb.SavePlantCalendarResponse(
            calendar=calendar_messages.written(calendar, changed.etag), dirty_days=changed.dirty_days
        )

    async def ListDimension(self, request: pb.ListDimensionRequest, _context: Any) -> pb.ListDimensionResponse:
        """List the members of a dimension."""
        dimension, size = _dimension(request.dimension), pages.size(request.page_size)
        after = pages.read(request.page_token, pages.text, dimension) or ""
        async with self._platform.reading() as connection:
            found = await dimensions.page(connection, dimension, after, size + 1)
        members, token = pages.cut(found, size, _member, lambda member: member.code, dimension)
        return pb.ListDimensionResponse(members=members, next_page_token=token)

    async def SaveDimensionMember(
        self, request: pb.SaveDimensionMemberRequest, _context: Any
    ) -> pb.SaveDimensionMemberResponse:
        """Name a member."""
        dimension, member = _dimension(request.dimension), request.member
        if not member.code:
            raise InvalidFields([Violation("member.code", "REQUIRED", "must say which one")])
        code = fields.text(member.code, "member.code", _CODE_CHARACTERS)
        for language, name in member.names.items():
            if language not in _LANGUAGES:
                raise InvalidFields([Violation(f"member.names[{language}]", "UNKNOWN_VALUE", "must be en or ko")])
            fields.text(name, f"member.names[{language}]", _NAME_CHARACTERS)
        tenant = calls.current().principal.tenant
        async with self._platform.database.transaction(tenant) as connection:
            saved = await dimensions.save(connection, tenant, dimension, code, member.names)
        return pb.SaveDimensionMemberResponse(member=_member(saved))


def _defect(found: Iterable[Any]) -> pb.DefectRow:
    *keys, kind, pieces = found
    return pb.DefectRow(keys=keys, defect_type=kind, defect_qty=pieces)


def _dimension(value: pb.Dimension.ValueType) -> Dimension:
    dimension = queries.DIMENSIONS.get(value)
    if dimension is None or dimension not in dimensions.MEMBERS:
        raise InvalidFields([Violation("dimension", "UNKNOWN_VALUE", "must be LINE, PRODUCT, SHIFT or EQUIPMENT")])
    return dimension


def _member(member: Member) -> pb.DimensionMember:
    return pb.DimensionMember(code=member.code, names=member.names, inferred=member.inferred)


def _text(day: date | None) -> str:
    return day.isoformat() if day else ""
