"""A storm: a thousand calls at once that publish, promote, try, roll back and start, and a note of what became of each.

It decides nothing about right and wrong: `history` judges what the database holds afterwards.
"""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
from millwright.workflow.v1.instance_service_pb2 import StartInstanceRequest
from millwright.workflow.v1.release_pb2 import CanaryStep
from millwright.workflow.v1.release_service_pb2 import (
    AbortCanaryRequest,
    PromoteVersionRequest,
    RollbackVersionRequest,
    StartCanaryRequest,
    StepCanaryRequest,
)
from millwright.workflow.v1.workflow_service_pb2 import PublishVersionRequest
from millwright_local.workflow_client import WorkflowClient, to_value

WORKFLOW = "workflows/test.storm"
CHANNELS = ("prod", "canary")
FIRST_VERSIONS = 6
MIX = {"publish": 10, "promote": 25, "rollback": 25, "start": 40, "try": 5, "step": 5, "abort": 3}
ATTEMPTS = 60
# What a call may be told when others move the same channels: the domain's own refusals, and nothing else.
REFUSALS = (grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.ABORTED)


@dataclass(frozen=True, slots=True)
class Call:
    """One call and its answer."""

    kind: str
    begin: float
    end: float
    response: Any  # None if it was refused
    deferrals: int  # how often the service, under load, told it to come back

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.end - self.begin


class Storm:
    """The calls, chosen by chance from a seed, spread over the connections."""

    def __init__(self, clients: Sequence[WorkflowClient], seed: int) -> None:
        self._clients = clients
        self._chance = random.Random(seed)

    async def prepare(self) -> None:
        """Publish some versions and point both channels somewhere."""
        client = self._clients[0]
        for number in range(1, FIRST_VERSIONS + 1):
            await client.call(client.workflows.PublishVersion, _publication(number, "prod" if number > 1 else "canary"))

    async def rage(self, count: int) -> list[Call]:
        """Make the calls at once and return them in no order. Raises AioRpcError for what is no refusal."""
        kinds = self._chance.choices(list(MIX), list(MIX.values()), k=count)
        calls = [self._choose(kind, number) for number, kind in enumerate(kinds)]
        return await asyncio.gather(*calls)

    def _choose(self, kind: str, number: int) -> Coroutine[None, None, Call]:
        client = self._clients[number % len(self._clients)]
        match kind:
            case "publish":
                publication = _publication(FIRST_VERSIONS + 1 + number)
                return _make(client, kind, client.workflows.PublishVersion, publication)
            case "promote":
                return _make(client, kind, client.releases.PromoteVersion, self._promotion())
            case "rollback":
                return _make(client, kind, client.releases.RollbackVersion, self._rollback())
            case "try":
                return _make(client, kind, client.releases.StartCanary, self._canary())
            case "step":
                step = StepCanaryRequest(channel=self._channel(), request_id=_id())
                return _make(client, kind, client.releases.StepCanary, step)
            case "abort":
                abort = AbortCanaryRequest(
                    channel=self._channel(), reason="a storm", mark_bad=self._chance.random() < 0.5, request_id=_id()
                )
                return _make(client, kind, client.releases.AbortCanary, abort)
            case _:
                return _make(client, kind, client.instances.StartInstance, self._start())

    def _promotion(self) -> PromoteVersionRequest:
        request = PromoteVersionRequest(channel=self._channel(), version=self._version(), request_id=_id())
        if self._chance.random() < 0.1:
            request.expected_revision = self._chance.randint(1, 50)
        return request

    def _rollback(self) -> RollbackVersionRequest:
        request = RollbackVersionRequest(
            channel=self._channel(),
            reason="a storm",
            keep_source_good=self._chance.random() < 0.5,
            allow_bad_target=self._chance.random() < 0.7,
            request_id=_id(),
        )
        if self._chance.random() < 0.8:
            request.target_version = self._version()
        return request

    def _canary(self) -> StartCanaryRequest:
        steps = [CanaryStep(weight_bp=weight_bp, min_instances=3) for weight_bp in (3000, 10_000)]
        return StartCanaryRequest(
            channel=self._channel(), version=self._version(), steps=steps, promote_at_end=True, request_id=_id()
        )

    def _start(self) -> StartInstanceRequest:
        request = StartInstanceRequest(workflow=WORKFLOW, input=to_value(None), request_id=_id())
        if self._chance.random() < 0.3:
            request.version = self._version()
        else:
            request.channel = self._chance.choice(CHANNELS)
        return request

    def _channel(self) -> str:
        return f"{WORKFLOW}/channels/{self._chance.choice(CHANNELS)}"

    def _version(self) -> int:
        return self._chance.randint(1, FIRST_VERSIONS)


async def _make(client: WorkflowClient, kind: str, method: Any, request: Any) -> Call:
    begin = time.monotonic()
    for attempt in range(ATTEMPTS):
        try:
            response = await client.call(method, request)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED:
                await asyncio.sleep(_pushback_seconds(error))
                continue
            if error.code() not in REFUSALS:
                raise
            response = None
        return Call(kind, begin, time.monotonic(), response, attempt)
    raise TimeoutError(f"{kind} was told to come back {ATTEMPTS} times")


def _pushback_seconds(error: grpc.aio.AioRpcError) -> float:
    """Return how long the service asks to wait before the next attempt."""
    trailers = dict(error.trailing_metadata())
    return int(trailers["grpc-retry-pushback-ms"]) / 1000


def _publication(number: int, promote_to: str = "") -> PublishVersionRequest:
    document = f"dsl: 1.0.1, namespace: test, name: storm, version: 1.0.{number}"
    definition = f"document: {{{document}}}\ndo: [{{note: {{set: {{number: {number}}}}}}}]\n"
    return PublishVersionRequest(definition=definition, promote_to=promote_to, request_id=_id())


def _id() -> str:
    return str(uuid.uuid4())
