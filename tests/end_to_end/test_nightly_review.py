"""A night's run starts a workflow that all services take part in, in one trace, although its processes are killed.

The workflow asks judgment about each line, and a person about a critical one; then a ruleset goes back, and a module is
installed.
"""

import asyncio
from datetime import timedelta
from pathlib import Path

import nats as nats_client
import pytest
from google.protobuf import json_format
from millwright.etl.v1.ingest_service_pb2 import IngestBatchRequest
from millwright.etl.v1.pipeline_service_pb2 import RunPipelineRequest
from millwright.judgment.v1.release_service_pb2 import GetChannelRequest
from millwright.judgment.v1.ruleset_service_pb2 import PublishVersionRequest as PublishRulesetRequest
from millwright.modules.v1.module_service_pb2 import GetModuleRequest
from millwright.workflow.v1.approval_service_pb2 import DecideApprovalRequest, ListApprovalsRequest
from millwright.workflow.v1.instance_pb2 import Instance
from millwright.workflow.v1.instance_service_pb2 import ListInstancesRequest
from millwright.workflow.v1.workflow_service_pb2 import PublishVersionRequest
from millwright_local.demo.orders import work_order, yesterday
from millwright_local.etl_client import EtlClient
from millwright_local.judgment_client import JudgmentClient
from millwright_local.modules_client import ModulesClient
from millwright_local.processes import until
from millwright_local.testing.packages import TRUST, manifest, packed
from millwright_local.workflow_client import WorkflowClient

EXAMPLES = Path(__file__).parents[2] / "examples"
DEFINITION = (EXAMPLES / "workflows" / "nightly-review" / "v1.yaml").read_text()
RESTING = "document: {dsl: 1.0.1, namespace: plant, name: rest, version: 1.0.0}\ndo: [{rest: {wait: {hours: 1}}}]"
DAY = yesterday() - timedelta(days=1)
DEFECTS = {"L1": 5, "L2": 0}
SECONDS = 40.0


def orders():
    """A work order of a hundred pieces a line."""
    return [
        work_order(line, line, DAY, total=100, good=100 - defects, defect=defects) for line, defects in DEFECTS.items()
    ]


def package():
    """A package of a module that has a page."""
    return packed(manifest("line-analytics", "1.0.0", "Line analytics"), {"dist/page.js": b"export default 1;"})


class Plant:
    """Clients of all four services, in a plant of the test's own."""

    def __init__(self, replicas, tenant):
        stack = replicas.stack
        token = stack.keys.token(tenant=tenant, roles=("operator", "admin"))
        self.workflow = WorkflowClient(replicas.second.address, token)
        self.judgment = JudgmentClient(stack.endpoints["judgment"], token)
        self.etl = EtlClient(stack.endpoints["etl"], token)
        self.modules = ModulesClient(stack.endpoints["modules"], token)

    async def prepare(self):
        """Have two versions of the ruleset, the second too strict, a package, and the workflow in force."""
        for number in (1, 2):
            document = (EXAMPLES / "rulesets" / "line" / f"v{number}.json").read_text()
            request = PublishRulesetRequest(document=document, promote_to="prod")
            await self.judgment.call(self.judgment.rulesets.PublishVersion, request)
        await self.modules.call(self.modules.modules.AddSigningKey, TRUST)
        upload = await self.modules.upload(package())
        definition = DEFINITION.replace("PACKAGE", upload)
        await self.workflow.call(
            self.workflow.workflows.PublishVersion, PublishVersionRequest(definition=definition, promote_to="prod")
        )

    async def rest(self):
        """Start an instance that is under way for long."""
        publication = PublishVersionRequest(definition=RESTING, promote_to="prod")
        await self.workflow.call(self.workflow.workflows.PublishVersion, publication)
        await self.workflow.start("workflows/plant.rest", [None])

    async def night(self):
        """Land a day and run it; give the run."""
        await self.etl.call(self.etl.ingest.IngestBatch, IngestBatchRequest(records=orders()))
        request = RunPipelineRequest(pipeline="daily-production", dates=[str(DAY)])
        run = (await self.etl.call(self.etl.pipelines.RunPipeline, request)).run
        return await self.etl.end_of(run.name)

    async def approval(self):
        """Wait for the question to a person."""
        found = []

        async def is_asked():
            answer = await self.workflow.call(self.workflow.approvals.ListApprovals, ListApprovalsRequest())
            found[:] = answer.approvals
            return bool(found)

        await until(is_asked, SECONDS)
        return found[0]

    async def close(self):
        for client in (self.workflow, self.judgment, self.etl, self.modules):
            await client.close()


@pytest.fixture
async def plant(replicas, tenant):
    plant = Plant(replicas, tenant)
    yield plant
    await plant.close()


async def traces(nats, tenant):
    """Give the traces of a tenant's events, by their types."""
    connection = await nats_client.connect(nats.url)
    found = {}
    context = connection.jetstream()
    for service in ("workflow", "judgment", "etl", "modules"):
        subscription = await context.subscribe(f"millwright.{tenant}.{service}.>", ordered_consumer=True)
        try:
            while True:
                message = await subscription.next_msg(timeout=0.3)
                found.setdefault(message.headers["ce-type"], set()).add(message.headers["traceparent"].split("-")[1])
        except nats_client.errors.TimeoutError:
            pass
    await connection.close()
    return found


@pytest.fixture
async def watched(watcher, plant):
    """What `millwright watch` has shown: of which service, what, and how it stands."""
    seen = set()

    async def look():
        async for told in watcher:
            for kind, thing in told.items():
                if isinstance(thing, dict):  # else it is the service's name, or whether it answers
                    state = thing.get("state") or thing.get("stage") or thing.get("operation")
                    seen.add((told["service"], kind, state))

    looking = asyncio.create_task(look())

    async def sees_what_is_open():
        return ("workflow", "instance", "STATE_RUNNING") in seen

    await plant.rest()
    await until(sees_what_is_open, SECONDS)  # from now on, whatever comes about is news
    yield seen
    looking.cancel()


async def test_a_night_ends_in_a_ruleset_taken_back_and_a_module_installed_in_one_trace(
    replicas, plant, tenant, watched
):
    await plant.prepare()
    run = await plant.night()
    approval = await plant.approval()
    assert approval.title == f"1 of 2 lines are critical on {DAY}: is the ruleset too strict?"
    (critical,) = json_format.MessageToDict(approval.details)
    assert (critical["line"], critical["defect_rate"]) == ("L1", 0.05)

    async def is_seen():
        return ("workflow", "approval", "STATE_WAITING") in watched

    await until(is_seen, SECONDS)
    for process in (replicas.first, replicas.second):  # one of them runs the instance
        await process.kill()
    for process in (replicas.first, replicas.second):
        await process.start()
    request = DecideApprovalRequest(name=approval.name, approve=True, comment="3 % is no reason to stop")
    await plant.workflow.call(plant.workflow.approvals.DecideApproval, request)
    asking = ListInstancesRequest(workflow="workflows/plant.nightly-review")
    (listed,) = (await plant.workflow.call(plant.workflow.instances.ListInstances, asking)).instances
    async with asyncio.timeout(SECONDS):
        instance = await plant.workflow.end_of(listed.name)

    assert instance.state == Instance.STATE_COMPLETED, instance.error
    output = json_format.MessageToDict(instance.output)
    assert (output["run"], output["ruleset"]["version"], output["ruleset"]["fromVersion"]) == (run.name, 1, 2)
    channel = GetChannelRequest(name="rulesets/plant.line/channels/prod")
    assert (await plant.judgment.call(plant.judgment.releases.GetChannel, channel)).channel.version == 1
    module = GetModuleRequest(name=output["module"]["module"])
    assert (await plant.modules.call(plant.modules.modules.GetModule, module)).module.active_version == "1.0.0"

    told = {}
    of_the_night = {
        "io.millwright.etl.run.created.v1",
        "io.millwright.etl.run.completed.v1",
        "io.serverlessworkflow.workflow.completed.v1",
        "io.millwright.judgment.channel.rolled-back.v1",
        "io.millwright.modules.operation.completed.v1",
        "io.millwright.modules.module.installed.v1",
    }

    async def is_all_told():
        told.update(await traces(replicas.stack.nats, tenant))
        return of_the_night <= told.keys()

    await until(is_all_told, SECONDS)
    (trace,) = told["io.millwright.etl.run.created.v1"]
    assert {kind: told[kind] for kind in of_the_night} == {kind: {trace} for kind in of_the_night}

    shown = {
        ("etl", "run", "STATE_COMPLETED"),
        ("workflow", "instance", "STATE_COMPLETED"),
        ("judgment", "release", "OPERATION_ROLLBACK"),
        ("modules", "operation", "STAGE_COMPLETED"),
    }

    async def is_all_shown():
        return shown <= watched

    await until(is_all_shown, SECONDS)
