"""A mix of calls to all four services of a stack, at a rate of its own or as fast as answers come."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, Self
from zoneinfo import ZoneInfo

import grpc
from millwright.etl.v1.ingest_service_pb2 import IngestBatchRequest
from millwright.etl.v1.pipeline_service_pb2 import RunPipelineRequest
from millwright.etl.v1.record_pb2 import RECORD_TYPE_WORK_ORDER, SOURCE_TYPE_MES, Record
from millwright.judgment.v1.judgment_pb2 import Input, Segment, Value
from millwright.judgment.v1.judgment_service_pb2 import JudgeRequest
from millwright.judgment.v1.ruleset_service_pb2 import PublishVersionRequest as PublishRulesetRequest
from millwright.modules.v1.module_service_pb2 import ListModulesRequest
from millwright.workflow.v1.instance_service_pb2 import GetInstanceRequest, StartInstanceRequest
from millwright.workflow.v1.workflow_service_pb2 import PublishVersionRequest
from millwright_local.etl_client import EtlClient
from millwright_local.judgment_client import JudgmentClient
from millwright_local.modules_client import ModulesClient
from millwright_local.stack import TENANT, Stack
from millwright_local.workflow_client import WorkflowClient, to_value

from tests.soak.rare import EndedOtherwiseError, Rare

WORKFLOW = "workflows/soak.part"
CHANNEL = f"{WORKFLOW}/channels/prod"
RULESET = "rulesets/quality.weld"
RULES = Path(__file__).parents[2] / "examples" / "rulesets" / "weld" / "v1.json"
PLANT_TIME = ZoneInfo("Asia/Seoul")
ROWS = 20
WEIGHTS = {"judge": 40.0, "start": 20.0, "read": 25.0, "land": 10.0, "list": 4.0, "run": 1.0}
RARE_WEIGHTS = {"install": 0.05, "replay": 0.1, "rollback": 0.1, "work": 0.2, "watch": 0.3}
"""Less than a hundredth of all, for they take long by themselves."""
ALL_WEIGHTS = WEIGHTS | RARE_WEIGHTS
DEAR_WEIGHTS = WEIGHTS | {"judge": 20.0, "start": 40.0, "read": 15.0, "land": 20.0}
"""More of what costs a service much more than its caller: so few callers are a flood."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a call."""

    kind: str
    begin: float
    seconds: float
    code: str
    has_hint: bool
    """Whether a refusal says when to come again."""


def token_of(stack: Stack) -> str:
    """Make a token that the calls are made with."""
    return stack.keys.token(tenant=TENANT, roles=("operator", "admin", "worker"), lifetime=timedelta(days=2))


class Mix:
    """The calls, of kinds by chance, once what they need was prepared. An async context manager."""

    def __init__(
        self, endpoints: Mapping[str, str], token: str, seed: int, weights: Mapping[str, float] = WEIGHTS
    ) -> None:
        self.weights = weights
        self.workflow = WorkflowClient(endpoints["workflow"], token)
        self.judgment = JudgmentClient(endpoints["judgment"], token)
        self.etl = EtlClient(endpoints["etl"], token)
        self.modules = ModulesClient(endpoints["modules"], token)
        self.outcomes: list[Outcome] = []
        self._chance = Random(seed)
        self._opened = AsyncExitStack()
        self._rare = Rare(self.workflow, self.judgment, self.modules, (endpoints["workflow"], token))
        self._instance = ""
        self._noon = datetime.now(PLANT_TIME).replace(hour=12) - timedelta(days=2)

    async def one(self) -> Outcome:
        """Make one call, of some kind."""
        (kind,) = self._chance.choices(list(self.weights), list(self.weights.values()))
        return await self.noted(kind, self._call(kind))

    async def each(self) -> None:
        """Make one call of each kind, all at once."""
        await asyncio.gather(*(self.noted(kind, self._call(kind)) for kind in self.weights))

    async def noted(self, kind: str, call: Coroutine[Any, Any, Any]) -> Outcome:
        """Make a call and note what became of it."""
        begin = time.monotonic()
        code, has_hint = "OK", False
        try:
            await call
        except grpc.aio.AioRpcError as error:
            code = error.code().name
            has_hint = "grpc-retry-pushback-ms" in dict(error.trailing_metadata() or ())
        except EndedOtherwiseError as error:
            code = str(error)
        outcome = Outcome(kind, begin, time.monotonic() - begin, code, has_hint)
        self.outcomes.append(outcome)
        return outcome

    async def capacity(self, seconds: float, callers: int) -> float:
        """Let so many callers call as fast as answers come; give the calls a second."""
        end = time.monotonic() + seconds
        before = len(self.outcomes)

        async def call_on() -> None:
            while time.monotonic() < end:
                await self.one()

        await asyncio.gather(*(call_on() for _ in range(callers)))
        return (len(self.outcomes) - before) / seconds

    async def at(self, rate: float, seconds: float) -> list[Outcome]:
        """Begin so many calls a second, as the function `at` does."""
        return await at(rate, seconds, self.one)

    async def start(self) -> None:
        """Start an instance; it is the one that is read until the next is started."""
        request = StartInstanceRequest(workflow=WORKFLOW, input=to_value({"part": 1}))
        self._instance = (await self.workflow.call(self.workflow.instances.StartInstance, request)).instance.name

    async def prepare(self) -> None:
        """Publish what the calls are about; once for a stack."""
        for number in (1, 2):
            request = PublishVersionRequest(definition=_definition(number), promote_to="prod")
            await self.workflow.call(self.workflow.workflows.PublishVersion, request)
        rules = PublishRulesetRequest(document=RULES.read_text(), promote_to="prod")
        await self.judgment.call(self.judgment.rulesets.PublishVersion, rules)
        if not RARE_WEIGHTS.keys().isdisjoint(self.weights):
            await self._opened.enter_async_context(self._rare)
        await self.start()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._opened.aclose()
        for client in (self.workflow, self.judgment, self.etl, self.modules):
            await client.close()

    def _call(self, kind: str) -> Coroutine[Any, Any, Any]:
        calls: dict[str, Callable[[], Coroutine[Any, Any, Any]]] = {
            "judge": lambda: self.judgment.call(self.judgment.judgments.Judge, self._judging()),
            "start": self.start,
            "read": lambda: self.workflow.call(
                self.workflow.instances.GetInstance, GetInstanceRequest(name=self._instance)
            ),
            "land": lambda: self.etl.call(self.etl.ingest.IngestBatch, self._landing()),
            "list": lambda: self.modules.call(self.modules.modules.ListModules, ListModulesRequest()),
            "run": lambda: self.etl.call(self.etl.pipelines.RunPipeline, RunPipelineRequest()),
            "install": self._rare.install,
            "replay": lambda: self._rare.replay(RULESET),
            "rollback": lambda: self._rare.roll_back(CHANNEL),
            "work": self._rare.work,
            "watch": lambda: self._rare.watch(WORKFLOW),
        }
        return calls[kind]()

    def _judging(self) -> JudgeRequest:
        values = {
            "defect_rate": Value(number=round(self._chance.uniform(0, 0.15), 3)),
            "temperature": Value(number=round(self._chance.gauss(95, 12), 1)),
            "product": Value(text="gear"),
        }
        return JudgeRequest(ruleset=RULESET, input=Input(values=values), segment=Segment(line="L1"))

    def _landing(self) -> IngestBatchRequest:
        """Rows of a plant with a limited number of orders: most of them are corrections."""
        records = []
        for order in self._chance.sample(range(5_000), ROWS):
            quantity = self._chance.randint(1, 100)
            quantities = {"total_qty": quantity, "good_qty": quantity, "defect_qty": 0}
            payload = {"line_code": "L1", "product_code": "P1", **quantities}
            record = Record(
                source_type=SOURCE_TYPE_MES,
                source_system="soak",
                record_type=RECORD_TYPE_WORK_ORDER,
                external_id=str(order),
                payload=json.dumps(payload),
            )
            record.event_time.FromDatetime(self._noon)
            records.append(record)
        return IngestBatchRequest(records=records)


async def at(
    rate: float, seconds: float, one: Callable[[], Coroutine[Any, Any, Outcome]], at_once: int | None = None
) -> list[Outcome]:
    """Begin so many calls a second, whatever becomes of those before; give the outcomes once all are there.

    With `at_once`, no more than that are under way: those that would be are not made.
    """
    begin, number = time.monotonic(), 0
    made: list[asyncio.Task[Outcome]] = []
    under_way: set[asyncio.Task[Outcome]] = set()
    async with asyncio.TaskGroup() as group:
        while (now := time.monotonic()) < begin + seconds:
            while number < (now - begin) * rate:
                number += 1
                if at_once is None or len(under_way) < at_once:
                    task = group.create_task(one())
                    made.append(task)
                    under_way.add(task)
                    task.add_done_callback(under_way.discard)
            await asyncio.sleep(0.01)
    return [task.result() for task in made]


def _definition(number: int) -> str:
    document = f"{{dsl: 1.0.1, namespace: soak, name: part, version: 1.0.{number}}}"
    return f"document: {document}\ndo: [{{note: {{set: {{number: {number}}}}}}}, {{grade: {{set: {{ok: true}}}}}}]\n"
