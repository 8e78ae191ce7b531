"""Which days callers ask for, checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from millwright.etl.v1 import pipeline_service_pb2 as pb
from millwright_runtime.api import calls
from millwright_runtime.errors import InvalidFields, Violation
from millwright_runtime.postgres.database import Connection
from millwright_runtime.service import Platform

from millwright_etl.commands import running
from millwright_etl.commands.running import Plan
from millwright_etl.domain import planning, runs
from millwright_etl.domain.errors import PipelineNotFound
from millwright_etl.domain.planning import Planned, Redo

_REDO = {
    pb.BackfillRequest.REDO_UNSPECIFIED: Redo.MISSING,
    **{getattr(pb.BackfillRequest, f"REDO_{redo}"): redo for redo in Redo},
}


@dataclass(frozen=True, slots=True)
class Wish:
    """Which days of which pipeline."""

    pipeline: str
    plan: Plan
    """Gives the days, in the order in which they are begun."""
    parallel: int = planning.MOST_PARALLEL


class PlanRequests:
    """Reads requests for runs; each is checked against the day that it is at the plant."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def run(self, request: pb.RunPipelineRequest) -> Wish:
        """Give what RunPipeline asks for; raise PipelineNotFound, or InvalidFields with every wrong date."""
        pipeline, tenant = _pipeline(request.pipeline), calls.current().principal.tenant
        if not request.dates:
            return Wish(pipeline, lambda connection: running.plan_due(connection, tenant, pipeline))
        if len(request.dates) > planning.MOST_ASKED_DAYS:
            what = f"must be at most {planning.MOST_ASKED_DAYS} days; Backfill takes ranges"
            raise InvalidFields([Violation("dates", "TOO_MANY", what)])
        wrong: list[Violation] = []
        dates = [_date(text, f"dates[{place}]", wrong) for place, text in enumerate(request.dates)]
        today = await self._today()
        for place, day in enumerate(dates):
            wrong += planning.date_faults(f"dates[{place}]", day, today) if day else []
        if wrong:
            raise InvalidFields(wrong)
        planned = planning.asked([day for day in dates if day])

        async def plan(_connection: Connection) -> Sequence[Planned]:
            return planned

        return Wish(pipeline, plan)

    async def backfill(self, request: pb.BackfillRequest) -> Wish:
        """Give what Backfill asks for; raise PipelineNotFound, or InvalidFields with everything that is wrong."""
        pipeline, wrong = _pipeline(request.pipeline), list[Violation]()
        from_date = _date(request.from_date, "from_date", wrong)
        to_date = _date(request.to_date, "to_date", wrong)
        if from_date and to_date:
            wrong += planning.range_faults(from_date, to_date, await self._today())
        redo = _REDO.get(request.redo)
        if redo is None:
            wrong.append(Violation("redo", "UNKNOWN_VALUE", "must be one of those that there are"))
        if not 0 <= request.parallel <= planning.MOST_PARALLEL:
            wrong.append(Violation("parallel", "OUT_OF_RANGE", f"must be 1 to {planning.MOST_PARALLEL}, or 0"))
        if wrong or not (from_date and to_date and redo):
            raise InvalidFields(wrong)

        async def plan(connection: Connection) -> Sequence[Planned]:
            planned = await running.plan_backfill(connection, pipeline, from_date, to_date, redo)
            return planned[::-1] if request.newest_first else planned

        return Wish(pipeline, plan, request.parallel or planning.BACKFILL_PARALLEL)

    async def _today(self) -> date:
        async with self._platform.reading() as connection:
            return await running.today(connection, calls.current().principal.tenant)


def _pipeline(name: str) -> str:
    if name not in {"", runs.DAILY_PRODUCTION}:
        raise PipelineNotFound(pipeline=name[:100])
    return runs.DAILY_PRODUCTION


def _date(text: str, field: str, wrong: list[Violation]) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        wrong.append(Violation(field, "NOT_A_DATE", "must be a date, as 2026-11-01"))
        return None
