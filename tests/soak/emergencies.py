"""The calls that are let in however much is asked for: what they are about is made, then each comes again and again.

Runs, replays, jobs and operations have ended before they are cancelled, lest they take the time of what is measured.
That changes nothing then, and must be let in all the same.
"""

from __future__ import annotations

import asyncio
import importlib
import pkgutil
import time
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from millwright.api.v1 import service_pb2
from millwright.etl.v1.pipeline_service_pb2 import CancelRunRequest, RunPipelineRequest
from millwright.judgment.v1 import release_service_pb2 as of_judgment
from millwright.judgment.v1.experiment_pb2 import Arm, Experiment
from millwright.judgment.v1.experiment_service_pb2 import StartExperimentRequest, StopExperimentRequest
from millwright.judgment.v1.judgment_service_pb2 import ExecutionFilter
from millwright.judgment.v1.replay_pb2 import Selection, Target
from millwright.judgment.v1.replay_service_pb2 import CancelReplayRequest, CreateReplayRequest
from millwright.judgment.v1.ruleset_service_pb2 import PublishVersionRequest as PublishRulesetRequest
from millwright.modules.v1 import module_service_pb2 as of_modules
from millwright.workflow.v1 import release_service_pb2 as of_workflow
from millwright.workflow.v1.instance_service_pb2 import CancelInstanceRequest, PauseInstanceRequest
from millwright.workflow.v1.release_pb2 import RUN_POLICY_MIGRATE_COMPATIBLE, CanaryStep
from millwright.workflow.v1.worker_service_pb2 import CompleteWork, OpenWork, StreamWorkRequest
from millwright.workflow.v1.worker_service_pb2_grpc import WorkerServiceStub
from millwright.workflow.v1.workflow_service_pb2 import PublishVersionRequest
from millwright_local.etl_client import EtlClient
from millwright_local.judgment_client import JudgmentClient
from millwright_local.modules_client import ModulesClient
from millwright_local.service_client import CALL_SECONDS, ServiceClient
from millwright_local.services import SERVICES
from millwright_local.testing.packages import TRUST, manifest, packed
from millwright_local.workflow_client import WorkflowClient, to_value

from tests.soak.mix import CHANNEL, RULES, RULESET, WORKFLOW, Mix, Outcome
from tests.soak.rare import EndedOtherwiseError

ROUNDS = 20
"""How often each comes, if its answers come in time."""
REASON = "overload"
MODULE = "overload"
QUEUE = "overload"
RESTING = "workflows/overload.rest"
WORKING = "workflows/overload.work"
TIGHTER_RULES = RULES.with_name("v2.json")
_RESTING = """
document: {dsl: 1.0.1, namespace: overload, name: rest, version: 1.0.0}
do: [{rest: {wait: {days: 1}}}]
"""
_WORKING = f"""
document: {{dsl: 1.0.1, namespace: overload, name: work, version: 1.0.0}}
do: [{{weld: {{call: task, with: {{queue: {QUEUE}}}}}}}]
"""

VersionT = TypeVar("VersionT", int, str)
Call = Callable[[], Coroutine[Any, Any, Any]]
Calls = Mapping[str, Sequence[Call]]
"""By kind, which is the service and the RPC."""


def kinds() -> Iterator[str]:
    """Give those that the contract has, also one of tomorrow."""
    for service in SERVICES:
        package = importlib.import_module(f"millwright.{service.name}.v1")
        modules = [it.name for it in pkgutil.iter_modules(package.__path__, f"{package.__name__}.")]
        files = [importlib.import_module(name).DESCRIPTOR for name in modules if name.endswith("_service_pb2")]
        methods = [method for file in files for each in file.services_by_name.values() for method in each.methods]
        yield from (
            f"{service.name} {it.name}" for it in methods if it.GetOptions().Extensions[service_pb2.always_admitted]
        )


async def prepare(mix: Mix, rounds: int = ROUNDS) -> Calls:
    """Make what they are about."""
    return {
        **await _of_workflow(mix.workflow, rounds),
        **await _of_judgment(mix.judgment, rounds),
        **await _of_etl(mix.etl, rounds),
        **await _of_modules(mix.modules, rounds),
    }


async def call(mix: Mix, calls: Calls, seconds: float) -> list[Outcome]:
    """Make them, those of a kind one after the other, spread over the time; give what became of them."""
    begin = time.monotonic()

    async def call_on(kind: str, calls: Sequence[Call], delay: float) -> list[Outcome]:
        outcomes = []
        for number, call in enumerate(calls):
            due = begin + delay + number * seconds / len(calls)
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            if time.monotonic() >= begin + seconds:
                break
            outcomes.append(await mix.noted(kind, call()))
        return outcomes

    async with asyncio.TaskGroup() as group:
        calling = [
            group.create_task(call_on(kind, each, place / len(calls) * seconds / len(each)))
            for place, (kind, each) in enumerate(calls.items())
        ]
    return [outcome for task in calling for outcome in task.result()]


async def _of_workflow(client: WorkflowClient, rounds: int) -> Calls:
    for definition in (_RESTING, _WORKING):
        publishing = PublishVersionRequest(definition=definition, promote_to="prod")
        await client.call(client.workflows.PublishVersion, publishing)
    cancelled, paused = [await client.start(RESTING, [None] * rounds) for _ in range(2)]
    await client.start(WORKING, [None] * rounds)
    trials = [f"{WORKFLOW}/channels/trial-{number}" for number in range(rounds)]
    for channel in trials:
        await _promote(client, channel, 1)
        trying = of_workflow.StartCanaryRequest(channel=channel, version=2, steps=[CanaryStep(weight_bp=100)])
        await client.call(client.releases.StartCanary, trying)
    job = await _job(client)
    backs = (
        of_workflow.RollbackVersionRequest(channel=CHANNEL, reason=REASON, target_version=it, keep_source_good=True)
        for it in _there_and_back(rounds, 1, 2)
    )
    aborts = (of_workflow.AbortCanaryRequest(channel=it, reason=REASON) for it in trials)
    cancels = (CancelInstanceRequest(name=it, reason=REASON) for it in cancelled)
    pauses = (PauseInstanceRequest(name=it) for it in paused)
    return {
        "workflow RollbackVersion": _each(client, client.releases.RollbackVersion, backs),
        "workflow AbortCanary": _each(client, client.releases.AbortCanary, aborts),
        "workflow CancelRunJob": _each(
            client, client.releases.CancelRunJob, [of_workflow.CancelRunJobRequest(name=job)] * rounds
        ),
        "workflow CancelInstance": _each(client, client.instances.CancelInstance, cancels),
        "workflow PauseInstance": _each(client, client.instances.PauseInstance, pauses),
        "workflow StreamWork": [partial(_work, client)] * rounds,
    }


async def _job(client: WorkflowClient) -> str:
    """Give a job that carries out what a rollback was to do with instances, of which there are none."""
    channel = f"{WORKFLOW}/channels/left"
    for version in (1, 2):
        await _promote(client, channel, version)
    back = of_workflow.RollbackVersionRequest(
        channel=channel, reason=REASON, keep_source_good=True, run_policy=RUN_POLICY_MIGRATE_COMPATIBLE
    )
    return (await client.call(client.releases.RollbackVersion, back)).release.run_job


async def _promote(client: WorkflowClient, channel: str, version: int) -> None:
    promoting = of_workflow.PromoteVersionRequest(channel=channel, version=version)
    await client.call(client.releases.PromoteVersion, promoting)


async def _work(client: WorkflowClient) -> None:
    """Take a task from the queue and complete it; one that was acknowledged too late comes again."""
    saying: asyncio.Queue[StreamWorkRequest | None] = asyncio.Queue()
    saying.put_nowait(StreamWorkRequest(open=OpenWork(worker=f"overload-{uuid.uuid4().hex}", queues=[QUEUE])))
    saying.put_nowait(StreamWorkRequest(credit=1))
    stub = WorkerServiceStub(client._channel)
    stream = stub.StreamWork(_said(saying), metadata=client._metadata, timeout=CALL_SECONDS)
    try:
        async for message in stream:
            match message.WhichOneof("message"):
                case "item":
                    done = CompleteWork(id=message.item.id, output=to_value(None))
                    saying.put_nowait(StreamWorkRequest(acknowledge=message.item.id))
                    saying.put_nowait(StreamWorkRequest(complete=done))
                case "settled" if message.settled.accepted:
                    return
                case _:
                    saying.put_nowait(StreamWorkRequest(credit=1))
    finally:
        saying.put_nowait(None)
        stream.cancel()
    raise EndedOtherwiseError("SILENT")


async def _said(saying: asyncio.Queue[StreamWorkRequest | None]) -> AsyncIterator[StreamWorkRequest]:
    while (message := await saying.get()) is not None:
        yield message


async def _of_judgment(client: JudgmentClient, rounds: int) -> Calls:
    rules = PublishRulesetRequest(document=TIGHTER_RULES.read_text(), replay_executions=0)
    await client.call(client.rulesets.PublishVersion, rules)
    trials = [f"trial-{number}" for number in range(rounds)]
    for trial in trials:
        channel = f"{RULESET}/channels/{trial}"
        promoting = of_judgment.PromoteVersionRequest(channel=channel, version=1)
        await client.call(client.releases.PromoteVersion, promoting)
        experiment = Experiment(
            name=f"experiments/{trial}",
            channel=channel,
            mode=Experiment.MODE_SHADOW,
            arms=[Arm(name="tighter", version=2)],
            enrolment_bp=100,
        )
        await client.call(client.experiments.StartExperiment, StartExperimentRequest(experiment=experiment))
    asking = CreateReplayRequest(
        selection=Selection(filter=ExecutionFilter(ruleset=RULESET), max_executions=1),
        targets=[Target(version=f"{RULESET}/versions/1")],
    )
    replay = (await client.call(client.replays.CreateReplay, asking)).replay.name
    await client.end_of(replay)
    backs = (
        of_judgment.RollbackVersionRequest(
            channel=f"{RULESET}/channels/prod", reason=REASON, target_version=it, keep_source_good=True
        )
        for it in _there_and_back(rounds, 2, 1)
    )
    stops = (StopExperimentRequest(name=f"experiments/{it}", reason=REASON) for it in trials)
    return {
        "judgment RollbackVersion": _each(client, client.releases.RollbackVersion, backs),
        "judgment StopExperiment": _each(client, client.experiments.StopExperiment, stops),
        "judgment CancelReplay": _each(
            client, client.replays.CancelReplay, [CancelReplayRequest(name=replay)] * rounds
        ),
    }


async def _of_etl(client: EtlClient, rounds: int) -> Calls:
    run = (await client.call(client.pipelines.RunPipeline, RunPipelineRequest())).run.name
    await client.end_of(run)
    return {"etl CancelRun": _each(client, client.pipelines.CancelRun, [CancelRunRequest(name=run)] * rounds)}


async def _of_modules(client: ModulesClient, rounds: int) -> Calls:
    await client.call(client.modules.AddSigningKey, TRUST)
    operations = [await _install(client, version) for version in ("1.0.0", "2.0.0")]
    name = f"modules/{MODULE}"
    backs = (
        of_modules.RollbackModuleRequest(name=name, reason=REASON, target_version=it)
        for it in _there_and_back(rounds, "1.0.0", "2.0.0")
    )
    disabling = of_modules.DisableModuleRequest(name=name, reason=REASON)
    cancelling = of_modules.CancelOperationRequest(name=operations[0])
    return {
        "modules DisableModule": _each(client, client.modules.DisableModule, [disabling] * rounds),
        "modules RollbackModule": _each(client, client.modules.RollbackModule, backs),
        "modules CancelOperation": _each(client, client.modules.CancelOperation, [cancelling] * rounds),
    }


async def _install(client: ModulesClient, version: str) -> str:
    """Install a version of the module to its end; give the operation."""
    package = packed(manifest(MODULE, version, MODULE), {"dist/page.js": b"export default 1;\n"})
    operation = (await client.install(package, str(uuid.uuid4()), health_seconds=0)).name
    async for _ in client.events(operation):
        pass
    return operation


def _each(client: ServiceClient, method: Any, requests: Iterable[Any]) -> Sequence[Call]:
    return [partial(client.call, method, request) for request in requests]


def _there_and_back(rounds: int, there: VersionT, back: VersionT) -> Sequence[VersionT]:
    return [back if number % 2 else there for number in range(rounds)]
