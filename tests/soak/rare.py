"""Calls that come seldom and take long: each goes on until what it began has ended, and watches it do so."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import suppress
from random import Random
from typing import Any, Self

from google.protobuf.duration_pb2 import Duration
from millwright.judgment.v1.judgment_service_pb2 import ExecutionFilter
from millwright.judgment.v1.replay_pb2 import Replay, Selection, Target
from millwright.judgment.v1.replay_service_pb2 import CreateReplayRequest, WatchReplayRequest
from millwright.modules.v1 import module_service_pb2 as modules_pb
from millwright.modules.v1.operation_pb2 import STAGE_COMPLETED, Stage
from millwright.workflow.v1.instance_pb2 import InstanceEvent
from millwright.workflow.v1.instance_service_pb2 import StartInstanceRequest, WatchInstanceRequest
from millwright.workflow.v1.release_service_pb2 import RollbackVersionRequest
from millwright.workflow.v1.workflow_service_pb2 import PublishVersionRequest
from millwright_local.judgment_client import JudgmentClient
from millwright_local.modules_client import ModulesClient
from millwright_local.testing.packages import TRUST, manifest, packed
from millwright_local.workflow_client import WorkflowClient, to_value
from millwright_worker import Task, worker

WORK = "workflows/soak.work"
QUEUE = "soak"
WORKERS_TASKS = 8
_DEFINITION = f"""
document: {{dsl: 1.0.1, namespace: soak, name: work, version: 1.0.0}}
do: [{{weld: {{call: task, with: {{queue: {QUEUE}, input: '${{ .part }}'}}}}}}]
"""
_MODULES = 4
_REPLAYED = 500
_BALLAST_BYTES = 50_000


class EndedOtherwiseError(Exception):
    """What a call began did not end well; the text is how it ended."""


class Rare:
    """The calls. An async context manager: meanwhile a worker is there for the work."""

    def __init__(
        self, workflow: WorkflowClient, judgment: JudgmentClient, modules: ModulesClient, worker: tuple[str, str]
    ) -> None:
        """`worker` is the endpoint and the token of the worker."""
        self._workflow = workflow
        self._judgment = judgment
        self._modules = modules
        self._endpoint, self._token = worker
        self._versions = itertools.count(1)
        self._numbers = itertools.count()
        # Of one module there is one operation at a time.
        self._turns = {f"soak-{number}": asyncio.Lock() for number in range(_MODULES)}
        self._working: asyncio.Task[None] | None = None

    async def install(self) -> None:
        """Upload a new version of a module, and install it."""
        code = f"soak-{next(self._numbers) % _MODULES}"
        async with self._turns[code]:
            package = _package(code, f"1.{next(self._versions)}.0")
            upload = await self._modules.upload(package)
            options = modules_pb.InstallOptions(health_time=Duration())
            asking = modules_pb.InstallModuleRequest(upload=upload, options=options)
            name = (await self._modules.call(self._modules.modules.InstallModule, asking)).operation.name
            watching = modules_pb.WatchOperationRequest(name=name, from_sequence=0)
            last = await _last(self._modules.stream(self._modules.modules.WatchOperation, watching))
            _require(last.event.stage == STAGE_COMPLETED, Stage.Name(last.event.stage))

    async def replay(self, ruleset: str) -> None:
        """Judge the newest executions again."""
        asking = CreateReplayRequest(
            selection=Selection(filter=ExecutionFilter(ruleset=ruleset), max_executions=_REPLAYED),
            targets=[Target(version=f"{ruleset}/versions/1")],
        )
        name = (await self._judgment.call(self._judgment.replays.CreateReplay, asking)).replay.name
        watching = WatchReplayRequest(name=name, from_sequence=0)
        last = await _last(self._judgment.stream(self._judgment.replays.WatchReplay, watching))
        _require(last.event.state == Replay.STATE_COMPLETED, Replay.State.Name(last.event.state))

    async def roll_back(self, channel: str) -> None:
        """Roll a channel back, to one version and the other."""
        asking = RollbackVersionRequest(
            channel=channel, reason="soak", target_version=1 + next(self._numbers) % 2, keep_source_good=True
        )
        await self._workflow.call(self._workflow.releases.RollbackVersion, asking)

    async def work(self) -> None:
        """Have the worker do something for an instance."""
        await self.watch(WORK)

    async def watch(self, workflow: str) -> None:
        """Start an instance, and watch it from its first event to its last."""
        client = self._workflow
        asking = StartInstanceRequest(workflow=workflow, input=to_value({"part": 1}))
        name = (await client.call(client.instances.StartInstance, asking)).instance.name
        last = await _last(
            client.stream(client.instances.WatchInstance, WatchInstanceRequest(name=name, from_sequence=0))
        )
        kind = last.event.kind
        _require(kind == InstanceEvent.KIND_COMPLETED, InstanceEvent.Kind.Name(kind))

    async def __aenter__(self) -> Self:
        publishing = PublishVersionRequest(definition=_DEFINITION, promote_to="prod")
        await self._workflow.call(self._workflow.workflows.PublishVersion, publishing)
        await self._modules.call(self._modules.modules.AddSigningKey, TRUST)
        self._working = asyncio.create_task(self._work())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._working
        self._working.cancel()
        with suppress(asyncio.CancelledError):
            await self._working

    async def _work(self) -> None:
        async with worker(QUEUE, endpoint=self._endpoint, token=self._token, concurrency=WORKERS_TASKS) as tasks:
            await tasks.run(_weld)


async def _weld(task: Task) -> Any:
    return task.input


async def _last(messages: Any) -> Any:
    """Give the last message of a watch."""
    last = None
    async for message in messages:
        if message.WhichOneof("message") != "heartbeat":
            last = message
    _require(last is not None, "SILENT")
    return last


def _require(is_so: bool, otherwise: str) -> None:
    if not is_so:
        raise EndedOtherwiseError(otherwise)


def _package(code: str, version: str) -> bytes:
    """Give a package whose frontend was built before."""
    picture = Random(f"{code}-{version}").randbytes(_BALLAST_BYTES)
    page = f"export default {version!r};\n".encode()
    return packed(manifest(code, version, code), {"dist/page.js": page, "dist/picture.png": picture})
