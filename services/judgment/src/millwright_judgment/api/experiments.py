"""ExperimentService: trying versions on a channel beside the one in use."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from millwright.judgment.v1 import experiment_service_pb2 as pb
from millwright.judgment.v1 import experiment_service_pb2_grpc as pb_grpc
from millwright_runtime.api import calls, pages
from millwright_runtime.events.log import EventLog
from millwright_runtime.postgres.database import Connection
from millwright_runtime.service import Platform

from millwright_judgment.api import experiment_messages as messages
from millwright_judgment.api import experiment_reports, experiment_requests, requests, responses
from millwright_judgment.commands import experimenting
from millwright_judgment.commands.experimenting import Experimented
from millwright_judgment.domain import names
from millwright_judgment.domain.experiment_decisions import Start
from millwright_judgment.domain.experiment_html.report import write_page
from millwright_judgment.domain.experiment_report import report
from millwright_judgment.domain.experiments import Experiment
from millwright_judgment.engine.versions import Versions
from millwright_judgment.store import experiments as store
from millwright_judgment.store import likeness
from millwright_judgment.store import releases as release_store


class ExperimentServicer(pb_grpc.ExperimentServiceServicer):
    """Serves ExperimentService."""

    def __init__(self, platform: Platform, log: EventLog, versions: Versions) -> None:
        self._platform = platform
        self._log = log
        self._versions = versions

    async def StartExperiment(self, request: pb.StartExperimentRequest, _context: Any) -> pb.StartExperimentResponse:
        """Begin an experiment on a channel."""
        ruleset, wish = experiment_requests.start(request)
        actor = requests.actor(request.reason, required=False)
        await self._check_outcomes(ruleset, wish)
        if request.validate_only:
            async with self._platform.reading() as connection:
                done = await experimenting.preview_start(connection, ruleset, wish, actor)
            return pb.StartExperimentResponse(**_decided(done))

        async def start(connection: Connection) -> pb.StartExperimentResponse:
            done = await experimenting.start(connection, self._log, _tenant(), ruleset, wish, actor)
            return pb.StartExperimentResponse(**_decided(done))

        return await self._platform.once(request, pb.StartExperimentResponse, start, names.ruleset(ruleset))

    async def GetExperiment(self, request: pb.GetExperimentRequest, _context: Any) -> pb.GetExperimentResponse:
        """Get one experiment."""
        return pb.GetExperimentResponse(experiment=messages.experiment(await self._read(request.name)))

    async def ListExperiments(self, request: pb.ListExperimentsRequest, _context: Any) -> pb.ListExperimentsResponse:
        """List experiments, newest first."""
        ruleset = names.parse_ruleset(request.ruleset, "ruleset") if request.ruleset else None
        size = pages.size(request.page_size)
        before = pages.read(request.page_token, _position, ruleset)
        async with self._platform.reading() as connection:
            found = await store.page(connection, ruleset, before, size + 1)
        experiments, token = pages.cut(found, size, messages.experiment, _place, ruleset)
        return pb.ListExperimentsResponse(experiments=experiments, next_page_token=token)

    async def StepExperiment(self, request: pb.StepExperimentRequest, _context: Any) -> pb.StepExperimentResponse:
        """Move a canary on, or widen an enrolment."""
        move = experiment_requests.move(request)
        actor = requests.actor(request.reason, required=False)

        async def step(connection: Connection) -> pb.StepExperimentResponse:
            done = await experimenting.step(connection, self._log, _tenant(), move, request.enrolment_bp, actor)
            return pb.StepExperimentResponse(**_decided(done))

        return await self._platform.once(request, pb.StepExperimentResponse, step, await self._ruleset(request.name))

    async def StopExperiment(self, request: pb.StopExperimentRequest, _context: Any) -> pb.StopExperimentResponse:
        """End an experiment."""
        name = names.parse_experiment(request.name, "name")
        actor = requests.actor(request.reason, required=True)

        async def stop(connection: Connection) -> pb.StopExperimentResponse:
            done = await experimenting.stop(connection, self._log, _tenant(), name, actor)
            return pb.StopExperimentResponse(**_decided(done))

        return await self._platform.once(request, pb.StopExperimentResponse, stop, await self._ruleset(request.name))

    async def PromoteArm(self, request: pb.PromoteArmRequest, _context: Any) -> pb.PromoteArmResponse:
        """Point the channel to an arm's version."""
        move = experiment_requests.move(request)
        actor = requests.actor(request.reason, required=False)

        async def promote(connection: Connection) -> pb.PromoteArmResponse:
            done = await experimenting.promote_arm(connection, self._log, _tenant(), move, request.arm, actor)
            channel = done.decision.channel
            assert channel is not None
            return pb.PromoteArmResponse(**_decided(done), channel=responses.channel(done.experiment.ruleset, channel))

        return await self._platform.once(request, pb.PromoteArmResponse, promote, await self._ruleset(request.name))

    async def GetExperimentReport(
        self, request: pb.GetExperimentReportRequest, _context: Any
    ) -> pb.GetExperimentReportResponse:
        """Give what an experiment has shown so far."""
        name, language = names.parse_experiment(request.name, "name"), requests.language(request.language)
        levels = await self._versions.levels(_tenant(), await self._read(request.name))
        async with self._platform.reading() as connection:
            experiment = await store.get(connection, name)
            seen = await store.seen(connection, experiment)
            totals, units = await store.totals(connection, name), await store.units(connection, name)
            is_known = experiment.end_time is None or seen.time < experiment.end_time + store.UNITS_KEPT
            alike = await likeness.read(connection, experiment, levels) if is_known else None
        value = report(experiment, totals, seen, units, levels, alike)
        html = write_page(experiment, value, levels, language) if request.with_html else ""
        return pb.GetExperimentReportResponse(report=experiment_reports.report(experiment, value), html=html)

    async def _check_outcomes(self, ruleset: str, wish: Start) -> None:
        """Raise for guardrails on unknown outcomes. The versions are ready to judge with afterwards."""
        async with self._platform.reading() as connection:
            channel = await release_store.get_channel(connection, ruleset, wish.channel)
        numbers = {channel.version, *(arm.version for arm in wish.trial.arms if arm.version)}
        compiled = [await self._versions.compiled(_tenant(), ruleset, number) for number in sorted(numbers)]
        experiment_requests.check_outcomes(wish, [each.ruleset.levels for each in compiled])

    async def _read(self, name: str) -> Experiment:
        async with self._platform.reading() as connection:
            return await store.get(connection, names.parse_experiment(name, "name"))

    async def _ruleset(self, name: str) -> str:
        """Give the resource whose watchers hear of what becomes of an experiment."""
        return names.ruleset((await self._read(name)).ruleset)


def _tenant() -> str:
    return calls.current().principal.tenant


def _decided(done: Experimented) -> dict[str, Any]:
    release = done.decision.release
    return {
        "experiment": messages.experiment(done.experiment),
        "release": responses.release(done.experiment.ruleset, release) if release else None,
    }


def _place(experiment: Experiment) -> list[str]:
    return [experiment.start_time.isoformat(), experiment.name]


def _position(position: Any) -> tuple[datetime, str]:
    time, name = position
    return datetime.fromisoformat(time), pages.text(name)
