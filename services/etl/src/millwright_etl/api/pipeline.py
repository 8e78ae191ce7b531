"""PipelineService: running pipelines, following their runs, and the rules that their data must meet."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from datetime import UTC, date
from typing import Any

from millwright.etl.v1 import pipeline_service_pb2 as pb
from millwright.etl.v1 import pipeline_service_pb2_grpc as pb_grpc
from millwright.etl.v1 import run_pb2
from millwright_runtime.api import calls, fields, messages, pages
from millwright_runtime.errors import InvalidFields, Violation
from millwright_runtime.events import watch
from millwright_runtime.events.log import EventLog, LoggedEvent
from millwright_runtime.events.watch import Feed
from millwright_runtime.postgres.database import Connection
from millwright_runtime.service import Platform

from millwright_etl.api import runs as run_messages
from millwright_etl.api.plans import PlanRequests
from millwright_etl.api.quality_rules import QualityRulesServicer
from millwright_etl.commands import running
from millwright_etl.commands.running import Order
from millwright_etl.domain import names
from millwright_etl.domain.planning import Planned
from millwright_etl.domain.runs import Kind, Run
from millwright_etl.engine.working import WORK
from millwright_etl.store import runs as store

_BACKFILL_WINDOWS_TOLD = 400


class PipelineServicer(QualityRulesServicer, pb_grpc.PipelineServiceServicer):
    """Serves PipelineService."""

    def __init__(self, platform: Platform, log: EventLog) -> None:
        self._platform = platform
        self._log = log
        self._plans = PlanRequests(platform)

    async def RunPipeline(self, request: pb.RunPipelineRequest, _context: Any) -> pb.RunPipelineResponse:
        """Run everything that is due, or days that are named."""
        wish = await self._plans.run(request)
        principal = calls.current().principal
        kind = Kind.ASKED if request.dates else Kind.DUE
        order = Order(principal.tenant, kind, principal.subject, pipeline=wish.pipeline)

        async def start(connection: Connection) -> pb.RunPipelineResponse:
            run, planned = await running.order(connection, self._log, order, wish.plan)
            windows = [run_messages.planned(day, run) for day in planned]
            return pb.RunPipelineResponse(run=run_messages.run(run), windows=windows)

        if request.validate_only:
            planned = await self._preview(wish.plan)
            windows = map(run_messages.planned, planned)
            return pb.RunPipelineResponse(run=run_messages.preview(wish.pipeline, kind, planned), windows=windows)
        response = await self._platform.requests.once(request, pb.RunPipelineResponse, start)
        await self._ordered(principal.tenant, response.run.name)
        return response

    async def Backfill(self, request: pb.BackfillRequest, _context: Any) -> pb.BackfillResponse:
        """Run a range of days."""
        wish = await self._plans.backfill(request)
        principal = calls.current().principal
        order = Order(principal.tenant, Kind.BACKFILL, principal.subject, wish.parallel, wish.pipeline)

        def answer(planned: Sequence[Planned], run: run_pb2.Run, of: Run | None) -> pb.BackfillResponse:
            told = [run_messages.planned(day, of) for day in planned[:_BACKFILL_WINDOWS_TOLD]]
            return pb.BackfillResponse(run=run, windows=told, windows_total=len(planned))

        async def start(connection: Connection) -> pb.BackfillResponse:
            run, planned = await running.order(connection, self._log, order, wish.plan)
            return answer(planned, run_messages.run(run), run)

        if request.validate_only:
            planned = await self._preview(wish.plan)
            return answer(planned, run_messages.preview(wish.pipeline, Kind.BACKFILL, planned), None)
        response = await self._platform.requests.once(request, pb.BackfillResponse, start)
        await self._ordered(principal.tenant, response.run.name)
        return response

    async def GetRun(self, request: pb.GetRunRequest, _context: Any) -> pb.GetRunResponse:
        """Get one run."""
        return pb.GetRunResponse(run=(await self._get(request.name))[1])

    async def ListRuns(self, request: pb.ListRunsRequest, _context: Any) -> pb.ListRunsResponse:
        """List runs, newest first."""
        state = _state(request.state, run_messages.RUN_STATES)
        size = pages.size(request.page_size)
        before = pages.read(request.page_token, pages.time_and_id, state)
        async with self._platform.reading() as connection:
            found = await store.page(connection, state, before, size + 1)
            paces = {run.run: await store.latest_pace(connection, run.tenant, run.run) for run in found[:size]}
        runs, token = pages.cut(found, size, lambda run: run_messages.run(run, paces[run.run]), _place, state)
        return pb.ListRunsResponse(runs=runs, next_page_token=token)

    async def ListWindows(self, request: pb.ListWindowsRequest, _context: Any) -> pb.ListWindowsResponse:
        """List the windows of a run by day."""
        run_id = names.parse_run(request.run, "run")
        state = _state(request.state, run_messages.WINDOW_STATES)
        size = pages.size(request.page_size)
        after = pages.read(request.page_token, date.fromisoformat, run_id, state)
        async with self._platform.reading() as connection:
            await store.get(connection, run_id)
            found = await store.windows(connection, run_id, state, after, size + 1)
        windows, token = pages.cut(
            found, size, run_messages.window, lambda window: window.date.isoformat(), run_id, state
        )
        return pb.ListWindowsResponse(windows=windows, next_page_token=token)

    async def CancelRun(self, request: pb.CancelRunRequest, _context: Any) -> pb.CancelRunResponse:
        """Stop a run."""
        tenant, run_id = calls.current().principal.tenant, names.parse_run(request.name, "name")
        async with self._platform.database.transaction(tenant) as connection:
            run = await running.cancel(connection, self._log, tenant, run_id)
            pace = await store.latest_pace(connection, tenant, run_id)
        self._platform.committed(tenant, request.name)
        return pb.CancelRunResponse(run=run_messages.run(run, pace))

    async def WatchRun(self, request: pb.WatchRunRequest, _context: Any) -> AsyncGenerator[pb.WatchRunResponse]:
        """Watch a run until it ends."""
        run, snapshot = await self._get(request.name)
        sequence = run.sequence
        if request.HasField("from_sequence"):
            sequence = fields.from_sequence(request.from_sequence)
            watch.check_start(sequence, run.sequence)
        else:
            yield pb.WatchRunResponse(sequence=sequence, snapshot=snapshot)
        if run.state.is_terminal and sequence == run.sequence:
            return
        async with aclosing(self._feed(run).follow(sequence, run.sequence)) as items:
            async for item in items:
                if item is None:
                    yield pb.WatchRunResponse(sequence=sequence, heartbeat=messages.now())
                    continue
                sequence, event = item.sequence, run_messages.event(item)
                yield pb.WatchRunResponse(sequence=sequence, event=event)
                if run_messages.RUN_STATES[event.state].is_terminal:
                    return

    async def ListRunEvents(self, request: pb.ListRunEventsRequest, _context: Any) -> pb.ListRunEventsResponse:
        """Wait for what happens next to a run."""
        sequence = fields.from_sequence(request.from_sequence)
        seconds, size = fields.wait_seconds(request.wait), pages.size(request.page_size)
        run, _ = await self._get(request.name)
        watch.check_start(sequence, run.sequence)
        if run.state.is_terminal:
            seconds = 0.0
        found = await self._feed(run).poll(sequence, size, seconds, run.sequence)
        return pb.ListRunEventsResponse(
            events=map(run_messages.event, found), sequence=found[-1].sequence if found else sequence
        )

    async def _get(self, name: str) -> tuple[Run, run_pb2.Run]:
        run_id = names.parse_run(name, "name")
        async with self._platform.reading() as connection:
            run = await store.get(connection, run_id)
            return run, run_messages.run(run, await store.latest_pace(connection, run.tenant, run_id))

    async def _preview(self, plan: running.Plan) -> Sequence[Planned]:
        async with self._platform.reading() as connection:
            return await plan(connection)

    async def _ordered(self, tenant: str, name: str) -> None:
        self._platform.committed(tenant, name)
        await self._platform.wake(WORK)

    def _feed(self, run: Run) -> Feed[LoggedEvent]:
        name, day = names.run(run.run), run.create_time.astimezone(UTC).date()

        async def read(connection: Connection, after: int, limit: int) -> Sequence[LoggedEvent]:
            return await self._log.after(connection, name, after, limit, day)

        return self._platform.feed(name, read)


def _state(value: int, known: dict[int, Any]) -> Any:
    if value and value not in known:
        raise InvalidFields([Violation("state", "UNKNOWN_VALUE", "must be a state that there is")])
    return known.get(value)


def _place(run: Run) -> list[str]:
    return pages.of_time_and_id(run.create_time, run.run)
