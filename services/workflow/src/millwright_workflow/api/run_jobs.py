"""Run jobs as callers get them, and the calls of ReleaseService that concern them."""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator

from millwright.workflow.v1 import release_pb2
from millwright.workflow.v1 import release_service_pb2 as pb
from millwright_runtime.api import calls, messages, pages
from millwright_runtime.errors import InvalidFields, Violation
from millwright_runtime.events.watch import HEARTBEAT_SECONDS
from millwright_runtime.service import Platform

from millwright_workflow.commands import migrating
from millwright_workflow.domain import names
from millwright_workflow.domain.run_jobs import JobState, Outcome, OutcomeKind, RunJob
from millwright_workflow.engine.running.worker import WORK
from millwright_workflow.store import run_jobs as store

_LOOK_SECONDS = 1.0
_KINDS = {release_pb2.RunJobOutcome.Kind.Value(f"KIND_{kind.value}"): kind for kind in OutcomeKind}


class RunJobCalls:
    """Serves the part of ReleaseService that is about run jobs."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def get(self, request: pb.GetRunJobRequest) -> pb.GetRunJobResponse:
        """Get a job."""
        return pb.GetRunJobResponse(run_job=_message(await self._read(names.parse_run_job(request.name, "name"))))

    async def list_outcomes(self, request: pb.ListRunJobOutcomesRequest) -> pb.ListRunJobOutcomesResponse:
        """List what became of a job's instances."""
        run_job = names.parse_run_job(request.run_job, "run_job")
        if request.kind and request.kind not in _KINDS:
            raise InvalidFields([Violation("kind", "UNKNOWN_VALUE", "must be a kind that is listed")])
        kind = _KINDS.get(request.kind)
        size = pages.size(request.page_size)
        after = pages.read(request.page_token, pages.time_and_id, str(run_job), request.kind)
        async with self._platform.reading() as connection:
            await store.get(connection, run_job)
            found = await store.outcomes(connection, run_job, kind, after, size + 1)
        outcomes, token = pages.cut(found, size, _outcome, _place, str(run_job), request.kind)
        return pb.ListRunJobOutcomesResponse(outcomes=outcomes, next_page_token=token)

    async def cancel(self, request: pb.CancelRunJobRequest) -> pb.CancelRunJobResponse:
        """Stop a job."""
        run_job = names.parse_run_job(request.name, "name")
        tenant = calls.current().principal.tenant
        async with self._platform.database.transaction(tenant) as connection:
            job = await migrating.cancel(connection, run_job)
        self._platform.committed(tenant, request.name)
        self._platform.signals.notify(WORK)
        return pb.CancelRunJobResponse(run_job=_message(job))

    async def watch(self, request: pb.WatchRunJobRequest) -> AsyncGenerator[pb.WatchRunJobResponse]:
        """Watch a job until it ends. What changes between two looks is told together."""
        run_job = names.parse_run_job(request.name, "name")
        tenant = calls.current().principal.tenant
        told, quiet_seconds = None, 0.0
        with self._platform.signals.listen(f"{tenant}/{request.name}") as listener:
            while True:
                job = await self._read(run_job)
                if job != told:
                    told, quiet_seconds = job, 0.0
                    yield pb.WatchRunJobResponse(run_job=_message(job))
                elif quiet_seconds >= HEARTBEAT_SECONDS:
                    quiet_seconds = 0.0
                    yield pb.WatchRunJobResponse(heartbeat=messages.now())
                if job.state is not JobState.RUNNING:
                    return
                await listener.wait(_LOOK_SECONDS)
                quiet_seconds += _LOOK_SECONDS

    async def _read(self, run_job: uuid.UUID) -> RunJob:
        async with self._platform.reading() as connection:
            return await store.get(connection, run_job)


def _message(job: RunJob) -> release_pb2.RunJob:
    return release_pb2.RunJob(
        name=names.run_job(job.run_job),
        release=names.release(job.workflow, job.revision),
        run_policy=release_pb2.RunPolicy.Value(f"RUN_POLICY_{job.run_policy.value}"),
        state=release_pb2.RunJob.State.Value(f"STATE_{job.state.value}"),
        total=job.total,
        counts=release_pb2.RunJobCounts(
            migrated=job.count(OutcomeKind.MIGRATED),
            forked=job.count(OutcomeKind.FORKED),
            paused=job.count(OutcomeKind.PAUSED),
            cancelled=job.count(OutcomeKind.CANCELLED),
            ended=job.ended,
            failed=job.count(OutcomeKind.FAILED),
        ),
        create_time=messages.timestamp(job.create_time),
        end_time=messages.timestamp(job.end_time),
    )


def _outcome(value: Outcome) -> release_pb2.RunJobOutcome:
    return release_pb2.RunJobOutcome(
        instance=names.instance(value.instance),
        kind=release_pb2.RunJobOutcome.Kind.Value(f"KIND_{value.kind.value}"),
        reason=value.reason,
        successor=names.instance(value.successor) if value.successor else "",
        outcome_time=messages.timestamp(value.outcome_time),
    )


def _place(value: Outcome) -> list[str]:
    return pages.of_time_and_id(value.outcome_time, value.instance)
