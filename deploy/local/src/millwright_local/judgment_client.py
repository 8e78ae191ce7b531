"""A client of the judgment service. It adds nothing to the contract."""

import asyncio
from collections.abc import Sequence

from millwright.judgment.v1 import (
    experiment_service_pb2_grpc,
    judgment_service_pb2,
    judgment_service_pb2_grpc,
    release_service_pb2_grpc,
    replay_pb2,
    replay_service_pb2,
    replay_service_pb2_grpc,
    ruleset_service_pb2_grpc,
)
from millwright.judgment.v1.judgment_pb2 import Execution

from millwright_local.service_client import ServiceClient

BATCH = 1_000
BATCHES_AT_ONCE = 2


class JudgmentClient(ServiceClient):
    """The services of one process of the judgment service."""

    def __init__(self, address: str, token: str) -> None:
        super().__init__(address, token)
        self.rulesets = ruleset_service_pb2_grpc.RulesetServiceStub(self._channel)
        self.releases = release_service_pb2_grpc.ReleaseServiceStub(self._channel)
        self.judgments = judgment_service_pb2_grpc.JudgmentServiceStub(self._channel)
        self.replays = replay_service_pb2_grpc.ReplayServiceStub(self._channel)
        self.experiments = experiment_service_pb2_grpc.ExperimentServiceStub(self._channel)

    async def judge(self, ruleset: str, inputs: Sequence[judgment_service_pb2.BatchInput]) -> list[Execution]:
        """Judge inputs in batches, two at once, and give the executions of those that were not refused, in order."""
        room = asyncio.Semaphore(BATCHES_AT_ONCE)

        async def send(batch: Sequence[judgment_service_pb2.BatchInput]) -> judgment_service_pb2.JudgeBatchResponse:
            async with room:
                request = judgment_service_pb2.JudgeBatchRequest(ruleset=ruleset, inputs=batch)
                return await self.call(self.judgments.JudgeBatch, request)

        batches = [inputs[begin : begin + BATCH] for begin in range(0, len(inputs), BATCH)]
        answers = await asyncio.gather(*map(send, batches))
        return [it.judged.execution for answer in answers for it in answer.results if it.HasField("judged")]

    async def end_of(self, replay: str) -> replay_pb2.Replay:
        """Wait until a replay has ended, and return it."""
        async for _ in self.stream(self.replays.WatchReplay, replay_service_pb2.WatchReplayRequest(name=replay)):
            pass
        return (await self.call(self.replays.GetReplay, replay_service_pb2.GetReplayRequest(name=replay))).replay
