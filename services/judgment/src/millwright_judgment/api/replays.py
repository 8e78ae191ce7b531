"""ReplayService: past executions judged again, one at once, many in the background. No execution is stored here."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import orjson
from millwright.judgment.v1 import judgment_pb2, replay_pb2
from millwright.judgment.v1 import replay_service_pb2 as pb
from millwright.judgment.v1 import replay_service_pb2_grpc as pb_grpc
from millwright_runtime.api import calls, fields, messages, pages
from millwright_runtime.errors import InvalidFields, Violation
from millwright_runtime.events import watch
from millwright_runtime.events.log import EventLog, LoggedEvent
from millwright_runtime.events.watch import Feed
from millwright_runtime.postgres.database import Connection
from millwright_runtime.service import Platform

from millwright_judgment.api import executions, replay_requests, replay_responses, requests
from millwright_judgment.api.datasets import DatasetRpcs
from millwright_judgment.commands import replaying
from millwright_judgment.domain import names
from millwright_judgment.domain.errors import NothingSelected, ReplayNotCompleted
from millwright_judgment.domain.evaluation.rows import Evaluator
from millwright_judgment.domain.input.changes import InputChange, change_input
from millwright_judgment.domain.replays.html.report import write_page
from millwright_judgment.domain.replays.replay import Order, Progress, Replay, ReplayState, Selection, Target
from millwright_judgment.domain.replays.report import Report, make_report, rank
from millwright_judgment.domain.replays.single import Comparison, compare_one
from millwright_judgment.engine.datasets.receiving import Receiving
from millwright_judgment.engine.judging import Judged, Judging
from millwright_judgment.engine.replaying.replays import WAITING
from millwright_judgment.engine.replaying.targets import evaluator_of, resolve
from millwright_judgment.engine.versions import Versions
from millwright_judgment.store import datasets, execution_pages, rulesets
from millwright_judgment.store import executions as execution_store
from millwright_judgment.store import replays as store
from millwright_judgment.store.replays import DifferenceFilter

_ENDED = frozenset(replay_pb2.Replay.State.Value(f"STATE_{state.value}") for state in ReplayState if state.is_terminal)
_LABEL_LIMIT = 63


class ReplayServicer(DatasetRpcs, pb_grpc.ReplayServiceServicer):
    """Serves ReplayService."""

    def __init__(
        self, platform: Platform, log: EventLog, versions: Versions, judging: Judging, receiving: Receiving
    ) -> None:
        self._platform = platform
        self._log = log
        self._versions = versions
        self._judging = judging
        self._receiving = receiving

    async def ReplayExecution(self, request: pb.ReplayExecutionRequest, _context: Any) -> pb.ReplayExecutionResponse:
        """Judge one past execution again."""
        execution_id = names.parse_execution(request.execution, "execution")
        named = replay_requests.targets(request.targets)
        changes = replay_requests.changes(request.input_changes)
        async with self._platform.reading() as connection:
            found = await execution_store.get(connection, execution_id)
            replay_requests.check_ruleset(named, found.ruleset, "targets")
            targets = [await resolve(connection, each) for each in named]
        original = await self._judging.read(found)
        evaluators = await self._evaluators(found.ruleset, targets, original.version.evaluator)
        for evaluator in evaluators:
            replay_requests.check_changes(changes, evaluator.ruleset.fields)
        given = orjson.loads(found.input)
        recorded = original.version.evaluator
        compared = await asyncio.to_thread(compare_one, found, given, recorded, evaluators, changes)
        return pb.ReplayExecutionResponse(
            original=executions.execution(original),
            input=_input(compared[0], change_input(given, changes)),
            comparisons=[_comparison(original, target, each) for target, each in zip(targets, compared, strict=True)],
        )

    async def CreateReplay(self, request: pb.CreateReplayRequest, _context: Any) -> pb.CreateReplayResponse:
        """Judge many past executions again, in the background."""
        order, total = await self._order(request)
        principal = calls.current().principal
        now = datetime.now(UTC)
        if request.validate_only:
            subject = principal.subject
            unstored = Replay(uuid.UUID(int=0), order, ReplayState.PENDING, Progress(total), "", subject, 0, now)
            return pb.CreateReplayResponse(replay=replay_responses.replay(unstored, is_stored=False))

        async def create(connection: Connection) -> pb.CreateReplayResponse:
            made = await replaying.create(connection, self._log, principal.tenant, order, total, principal.subject, now)
            return pb.CreateReplayResponse(replay=replay_responses.replay(made))

        response = await self._platform.once(request, pb.CreateReplayResponse, create)
        self._platform.committed(principal.tenant, response.replay.name)
        self._platform.signals.notify(WAITING)
        return response

    async def GetReplay(self, request: pb.GetReplayRequest, _context: Any) -> pb.GetReplayResponse:
        """Get one replay."""
        return pb.GetReplayResponse(replay=replay_responses.replay(await self._read(request.name)))

    async def ListReplays(self, request: pb.ListReplaysRequest, _context: Any) -> pb.ListReplaysResponse:
        """List replays, newest first."""
        ruleset = names.parse_ruleset(request.ruleset, "ruleset") if request.ruleset else None
        size = pages.size(request.page_size)
        before = pages.read(request.page_token, pages.time_and_id, ruleset)
        async with self._platform.reading() as connection:
            found = await store.page(connection, ruleset, before, size + 1)
        replays, token = pages.cut(found, size, replay_responses.replay, _place, ruleset)
        return pb.ListReplaysResponse(replays=replays, next_page_token=token)

    async def CancelReplay(self, request: pb.CancelReplayRequest, _context: Any) -> pb.CancelReplayResponse:
        """Stop a replay."""
        replay = names.parse_replay(request.name, "name")
        tenant = calls.current().principal.tenant
        async with self._platform.database.transaction(tenant) as connection:
            found = await replaying.cancel(connection, self._log, tenant, replay, datetime.now(UTC))
        self._platform.committed(tenant, request.name)
        return pb.CancelReplayResponse(replay=replay_responses.replay(found))

    async def WatchReplay(
        self, request: pb.WatchReplayRequest, _context: Any
    ) -> AsyncGenerator[pb.WatchReplayResponse]:
        """Watch a replay until it ends."""
        found = await self._read(request.name)
        sequence = found.sequence
        if request.HasField("from_sequence"):
            sequence = fields.from_sequence(request.from_sequence)
            watch.check_start(sequence, found.sequence)
        else:
            yield pb.WatchReplayResponse(sequence=sequence, snapshot=replay_responses.replay(found))
        if found.state.is_terminal and sequence == found.sequence:
            return
        feed = self._feed(request.name, found.create_time.date())
        async with aclosing(feed.follow(sequence, found.sequence)) as items:
            async for event in items:
                if event is None:
                    yield pb.WatchReplayResponse(sequence=sequence, heartbeat=messages.now())
                    continue
                sequence = event.sequence
                message = replay_responses.event(event)
                yield pb.WatchReplayResponse(sequence=sequence, event=message)
                if message.state in _ENDED:
                    return

    async def ListReplayEvents(self, request: pb.ListReplayEventsRequest, _context: Any) -> pb.ListReplayEventsResponse:
        """Wait for what happens next to a replay."""
        sequence = fields.from_sequence(request.from_sequence)
        seconds, size = fields.wait_seconds(request.wait), pages.size(request.page_size)
        found = await self._read(request.name)
        watch.check_start(sequence, found.sequence)
        if found.state.is_terminal:
            seconds = 0.0
        feed = self._feed(request.name, found.create_time.date())
        events = await feed.poll(sequence, size, seconds, found.sequence)
        return pb.ListReplayEventsResponse(
            events=map(replay_responses.event, events), sequence=events[-1].sequence if events else sequence
        )

    async def GetReplayReport(self, request: pb.GetReplayReportRequest, _context: Any) -> pb.GetReplayReportResponse:
        """Get the report of a replay that has completed."""
        language = requests.language(request.language)
        report = await self._report(request.name)
        html = await asyncio.to_thread(write_page, request.name, report, language) if request.with_html else ""
        return pb.GetReplayReportResponse(report=replay_responses.report(request.name, report), html=html)

    async def ListReplayDifferences(
        self, request: pb.ListReplayDifferencesRequest, _context: Any
    ) -> pb.ListReplayDifferencesResponse:
        """List what differs, execution by execution."""
        replay = names.parse_replay(request.replay, "replay")
        wanted = (request.target, request.change, request.cause, request.from_outcome, request.to_outcome)
        size = pages.size(request.page_size)
        after = pages.read(request.page_token, pages.text, str(replay), *wanted) or ""
        for name in ("cause", "from_outcome", "to_outcome"):
            fields.text(getattr(request, name), name, _LABEL_LIMIT)
        async with self._platform.reading() as connection:
            found = await store.get(connection, replay)
            if not 0 <= request.target < len(found.order.targets):
                what = f"must be the index of a target, from 0 to {len(found.order.targets) - 1}"
                raise InvalidFields([Violation("target", "OUT_OF_RANGE", what)])
            tally = await store.read_tally(connection, replay)
            ranked = rank(tally.targets[request.target]) if tally else []
            ids = {place: f"c{number}" for number, place in enumerate(ranked, 1)}
            cause = next((place for place, id_ in ids.items() if id_ == request.cause), -1 if request.cause else None)
            differences = await store.page_of_differences(
                connection,
                replay,
                DifferenceFilter(
                    request.target,
                    request.change or None,
                    cause,
                    request.from_outcome or None,
                    request.to_outcome or None,
                ),
                after,
                size + 1,
            )
        listed, token = pages.cut(
            differences,
            size,
            lambda each: replay_responses.difference(each, ids.get(each.cause, "")),
            lambda each: each.execution,
            str(replay),
            *wanted,
        )
        return pb.ListReplayDifferencesResponse(differences=listed, next_page_token=token)

    async def _order(self, request: pb.CreateReplayRequest) -> tuple[Order, int]:
        """Give what is asked for, every target resolved, and how many executions that concerns."""
        selection = replay_requests.selection(request.selection)
        baseline = replay_requests.target(request.baseline, "baseline") if request.HasField("baseline") else None
        named = replay_requests.targets(request.targets)
        changes = replay_requests.changes(request.input_changes)
        tolerance = replay_requests.tolerance(request.confidence_tolerance)
        async with self._platform.reading() as connection:
            if selection.dataset:
                replay_requests.check_known(named, "targets")
                baseline = baseline or named[0]
                dataset = await datasets.get(connection, selection.dataset)
                selection = replace(selection, content=dataset.content.content.hex())
                ruleset, total = dataset.content.ruleset, selection.share_of(dataset.content.rows)
            else:
                ruleset = await self._ruleset(connection, selection)
                total = await execution_pages.count(connection, selection)
            replay_requests.check_ruleset(named, ruleset, "targets")
            replay_requests.check_ruleset([baseline], ruleset, "baseline")
            targets = [await resolve(connection, each) for each in named]
            order = Order(ruleset, selection, await resolve(connection, baseline), tuple(targets), changes, tolerance)
        if not total:
            raise NothingSelected
        await self._check_changes(order, changes)
        return order, total

    async def _ruleset(self, connection: Connection, selection: Selection) -> str:
        """Give the one ruleset that is replayed; raise RulesetNotFound, ExecutionNotFound, InvalidFields."""
        if selection.filter is not None:
            assert selection.filter.ruleset is not None
            return (await rulesets.get(connection, selection.filter.ruleset)).ruleset
        found = await execution_pages.rulesets_of(connection, selection.executions)
        if len(found) > 1:
            what = f"must be of one ruleset; these are of {', '.join(sorted(found))}"
            raise InvalidFields([Violation("selection.executions.names", "MISMATCH", what)])
        return found.pop()

    async def _check_changes(self, order: Order, changes: Sequence[InputChange]) -> None:
        if changes:
            for evaluator in await self._evaluators(order.ruleset, order.targets, None):
                replay_requests.check_changes(changes, evaluator.ruleset.fields)

    async def _evaluators(self, ruleset: str, targets: Sequence[Target], recorded: Evaluator | None) -> list[Evaluator]:
        """Give what judges for each target; for the recorded version, `recorded` or the newest that there is."""
        tenant = calls.current().principal.tenant
        found = []
        for target in targets:
            evaluator = await evaluator_of(self._versions, tenant, ruleset, target) or recorded
            if evaluator is None:
                async with self._platform.reading() as connection:
                    latest = (await rulesets.get(connection, ruleset)).latest_version
                evaluator = (await self._versions.compiled(tenant, ruleset, latest)).evaluator
            found.append(evaluator)
        return found

    async def _read(self, name: str) -> Replay:
        replay = names.parse_replay(name, "name")
        async with self._platform.reading() as connection:
            return await store.get(connection, replay)

    async def _report(self, name: str) -> Report:
        replay = names.parse_replay(name, "name")
        async with self._platform.reading() as connection:
            found = await store.get(connection, replay)
            tally = await store.read_tally(connection, replay)
        if found.state is not ReplayState.COMPLETED or tally is None:
            raise ReplayNotCompleted(replay=replay, state=found.state.value)
        evaluators = await self._evaluators(found.order.ruleset, found.order.targets, None)
        levels = [evaluator.ruleset.levels for evaluator in evaluators]
        return await asyncio.to_thread(make_report, found.order, tally, levels)

    def _feed(self, name: str, day: date) -> Feed[LoggedEvent]:
        async def read(connection: Connection, after: int, limit: int) -> Sequence[LoggedEvent]:
            return await self._log.after(connection, name, after, limit, day)

        return self._platform.feed(name, read)


def _input(first: Comparison, changed: dict[str, Any]) -> judgment_pb2.Input:
    """Give the input after the changes: as the first target judged it, or as it would have been given to it."""
    if first.judgment is not None:
        changed = dict(zip(first.evaluator.names, first.judgment.values, strict=True))
    return judgment_pb2.Input(values=executions.values(changed.items()))


def _comparison(original: Judged, target: Target, compared: Comparison) -> replay_pb2.Comparison:
    name = target.name(original.execution.ruleset) or original.version.name
    judged = executions.judgment(compared.evaluator, compared.judgment) if compared.judgment else None
    return replay_pb2.Comparison(
        target=name,
        content_hash=target.content_hash or original.version.content_hash,
        judgment=judged,
        change=compared.change.value,  # type: ignore[arg-type]  # numbered as the contract does
        cause=replay_responses.cause(compared.cause) if compared.cause else None,
        problems=[
            judgment_pb2.InputProblem(field=it.field, code=it.reason, message=it.description)
            for it in compared.problems
        ],
    )


def _place(value: Replay) -> list[str]:
    return pages.of_time_and_id(value.create_time, value.replay)
