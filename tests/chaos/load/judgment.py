"""The judgment service's load: judgments by a ruleset whose versions change, and replays of them, all watched."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from random import Random

import grpc
from millwright.judgment.v1.judgment_pb2 import Input, Segment, Value
from millwright.judgment.v1.judgment_service_pb2 import BatchInput, ExecutionFilter, JudgeBatchRequest, JudgeRequest
from millwright.judgment.v1.release_service_pb2 import (
    ListReleasesRequest,
    PromoteVersionRequest,
    RollbackVersionRequest,
    WatchReleasesRequest,
)
from millwright.judgment.v1.replay_pb2 import Replay, Selection, Target
from millwright.judgment.v1.replay_service_pb2 import CreateReplayRequest, WatchReplayRequest
from millwright.judgment.v1.ruleset_service_pb2 import PublishVersionRequest
from millwright_local.judgment_client import JudgmentClient

from tests.chaos.book import Book
from tests.chaos.caller import Caller
from tests.chaos.load import follow_log, follow_to_end, turns

SERVICE = "judgment"
DOCUMENT = Path(__file__).parents[3] / "examples" / "rulesets" / "weld" / "v1.json"
RULESET = "rulesets/quality.weld"
CHANNEL = f"{RULESET}/channels/prod"
FINAL = {
    Replay.STATE_COMPLETED,
    Replay.STATE_FAILED,
    Replay.STATE_CANCELLED,
    Replay.STATE_NOT_REPRODUCIBLE,
}
JUDGE_SECONDS = 0.3
BATCH_SECONDS = 1.5
BATCH = 20
MOVES_SECONDS = 2.0
REPLAYS_SECONDS = 4.0
REPLAYED = 500
REFUSED = (grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.ABORTED)


class JudgmentLoad:
    """The load."""

    def __init__(self, book: Book, clients: Sequence[JudgmentClient], chance: Random) -> None:
        self._book = book
        self._chance = chance
        self._caller = Caller(book, SERVICE, clients, chance)
        self._versions = 0

    async def prepare(self) -> None:
        """Publish two versions, promote one after the other, and judge a little, so that there is what to replay."""
        for _ in range(2):
            await self._publish()
            await self._promote(self._versions)
        await self._judge_batch()

    async def run(self, stop: asyncio.Event) -> None:
        """Judge, replay and move the channel until told to stop; return once all of it has ended and was seen."""
        newest: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch_releases(newest))
            group.create_task(self._judge(stop))
            group.create_task(self._judge_batches(stop))
            group.create_task(self._replay(stop, group))
            await self._move(stop)
            answer = await self._caller.read(
                lambda client: client.releases.ListReleases, ListReleasesRequest(ruleset=RULESET, page_size=1)
            )
            newest.set_result(answer.releases[0].revision)

    async def _move(self, stop: asyncio.Event) -> None:
        async for _ in turns(stop, self._chance, MOVES_SECONDS):
            match self._chance.choice(("publish", "promote", "promote", "rollback")):
                case "publish":
                    await self._publish()
                case "promote":
                    await self._promote(self._chance.randint(1, self._versions))
                case "rollback":
                    await self._roll_back()

    async def _publish(self) -> None:
        document = {**json.loads(DOCUMENT.read_text()), "version": f"1.0.{self._versions + 1}"}
        _, answer = await self._caller.call(
            "PublishVersion",
            lambda client: client.rulesets.PublishVersion,
            lambda key: PublishVersionRequest(
                document=json.dumps(document), reason=key, request_id=key, replay_executions=0
            ),
        )
        if answer:
            self._versions += 1
            self._book.tell("ruleset version", answer.version.name)

    async def _promote(self, version: int) -> None:
        _, answer = await self._caller.call(
            "PromoteVersion",
            lambda client: client.releases.PromoteVersion,
            lambda key: PromoteVersionRequest(channel=CHANNEL, version=version, reason=key, request_id=key),
            refusals=REFUSED,
        )
        if answer and answer.changed:
            self._book.tell("ruleset release", answer.release.name)

    async def _roll_back(self) -> None:
        _, answer = await self._caller.call(
            "RollbackVersion",
            lambda client: client.releases.RollbackVersion,
            lambda key: RollbackVersionRequest(channel=CHANNEL, reason=key, request_id=key),
            refusals=REFUSED,
        )
        if answer and answer.changed:
            self._book.tell("ruleset release", answer.release.name)

    async def _judge(self, stop: asyncio.Event) -> None:
        async for _ in turns(stop, self._chance, JUDGE_SECONDS):
            values = self._values()
            _, answer = await self._caller.call(
                "Judge",
                lambda client: client.judgments.Judge,
                lambda key, values=values: JudgeRequest(
                    ruleset=RULESET, input=values, segment=Segment(line="L1", unit=key), idempotency_key=key
                ),
            )
            if answer:
                self._book.tell("execution", answer.execution.name)

    async def _judge_batches(self, stop: asyncio.Event) -> None:
        async for _ in turns(stop, self._chance, BATCH_SECONDS):
            await self._judge_batch()

    async def _judge_batch(self) -> None:
        welds = [self._values() for _ in range(BATCH)]
        _, answer = await self._caller.call(
            "JudgeBatch",
            lambda client: client.judgments.JudgeBatch,
            lambda key: JudgeBatchRequest(ruleset=RULESET, inputs=_batch(key, welds)),
        )
        for result in answer.results if answer else ():
            if result.HasField("judged"):
                self._book.tell("execution", result.judged.execution.name)
            else:
                self._book.surprise(f"judgment JudgeBatch: one input was refused: {result.error.message}")

    async def _replay(self, stop: asyncio.Event, group: asyncio.TaskGroup) -> None:
        async for _ in turns(stop, self._chance, REPLAYS_SECONDS):
            target = Target(version=f"{RULESET}/versions/{self._chance.randint(1, self._versions)}")
            _, answer = await self._caller.call(
                "CreateReplay",
                lambda client: client.replays.CreateReplay,
                lambda key, target=target: CreateReplayRequest(
                    selection=Selection(filter=ExecutionFilter(ruleset=RULESET), max_executions=REPLAYED),
                    targets=[target],
                    request_id=key,
                ),
            )
            if answer:
                self._book.tell("replay", answer.replay.name)
                group.create_task(self._follow(answer.replay.name))

    async def _follow(self, name: str) -> None:
        work = self._book.open_work(SERVICE, "replay", name)
        stream = self._book.open_stream(SERVICE, "WatchReplay", name)
        last = await follow_to_end(
            self._caller,
            stream,
            lambda client: client.replays.WatchReplay,
            lambda sequence: WatchReplayRequest(name=name, from_sequence=sequence),
            lambda message: message.event.state in FINAL,
        )
        self._book.close_work(work, Replay.State.Name(last.event.state).removeprefix("STATE_"))

    async def _watch_releases(self, newest: asyncio.Future[int]) -> None:
        await follow_log(
            self._caller,
            self._book.open_stream(SERVICE, "WatchReleases", RULESET),
            lambda client: client.releases.WatchReleases,
            lambda sequence: WatchReleasesRequest(ruleset=RULESET, from_sequence=sequence),
            newest,
        )

    def _values(self) -> Input:
        values = {
            "defect_rate": Value(number=round(self._chance.uniform(0, 0.15), 3)),
            "temperature": Value(number=round(self._chance.gauss(95, 12), 1)),
            "product": Value(text=self._chance.choice(("gear", "widget"))),
        }
        return Input(values=values)


def _batch(key: str, welds: Sequence[Input]) -> list[BatchInput]:
    keys = [f"{key}-{number}" for number in range(len(welds))]
    return [
        BatchInput(input=weld, segment=Segment(line="L2", unit=each), idempotency_key=each)
        for each, weld in zip(keys, welds, strict=True)
    ]
