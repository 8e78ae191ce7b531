"""The sixth act: a night's run starts a workflow that all services take part in, in one trace.

It asks judgment about each line, and a person about those that are critical; then a ruleset is taken back, and a module
is installed.
"""

from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote

import nats
from google.protobuf import json_format
from millwright.etl.v1.ingest_service_pb2 import IngestBatchRequest
from millwright.etl.v1.pipeline_service_pb2 import ListRunsRequest
from millwright.etl.v1.run_pb2 import Run
from millwright.judgment.v1.release_service_pb2 import GetChannelRequest
from millwright.judgment.v1.ruleset_service_pb2 import PublishVersionRequest as PublishRulesetRequest
from millwright.modules.v1.module_service_pb2 import GetModuleRequest
from millwright.workflow.v1.approval_service_pb2 import Approval, DecideApprovalRequest, ListApprovalsRequest
from millwright.workflow.v1.instance_pb2 import Instance
from millwright.workflow.v1.instance_service_pb2 import ListInstancesRequest
from millwright.workflow.v1.workflow_service_pb2 import PublishVersionRequest

from millwright_local.demo.orders import work_order, yesterday
from millwright_local.demo.packing import MODULE, pack
from millwright_local.demo.scene import EXAMPLES, Scene
from millwright_local.etl_client import EtlClient
from millwright_local.judgment_client import JudgmentClient
from millwright_local.modules_client import ModulesClient
from millwright_local.processes import until
from millwright_local.scratch import scratch_directory
from millwright_local.stack import TENANT
from millwright_local.workflow_client import WorkflowClient

RULESET = "plant.line"
WORKFLOW = "workflows/plant.nightly-review"
VERSION = "1.2.0"
LINE = "L98"
OF_ONE_TRACE = {
    ("runs", "run.created"),
    ("runs", "run.completed"),
    ("instances", "workflow.completed"),
    ("rulesets", "channel.rolled-back"),
    ("modules", "module.upgraded"),
}
NIGHT_SECONDS = 120.0
ASKED_SECONDS = 30.0
HEARD_SECONDS = 1.0


class Reviewing:
    """The act."""

    title = "A night's run has its lines judged, a person asked, a ruleset taken back and a module installed"

    def __init__(self, scene: Scene) -> None:
        self.stage = scene.stage
        self.stack = scene.stack
        token = scene.stack.admin_token_file.read_text()
        self.workflow = WorkflowClient(scene.stack.endpoints["workflow"], token)
        self.judgment = JudgmentClient(scene.stack.endpoints["judgment"], token)
        self.etl = EtlClient(scene.stack.endpoints["etl"], token)
        self.modules = ModulesClient(scene.stack.endpoints["modules"], token)

    async def tell(self) -> None:
        """Tell the act from its beginning to its end. Raises ClaimBroken, or what a call raises."""
        async with self.workflow, self.judgment, self.etl, self.modules:
            await self._prepare()
            approval = await self._run_the_night()
            await self._decide(approval)
            await self._follow_the_trace()

    async def _prepare(self) -> None:
        with self.stage.step("Publish a ruleset for lines, a stricter version, and the workflow that reviews nights"):
            for number in (1, 2):
                document = (EXAMPLES / "rulesets" / "line" / f"v{number}.json").read_text()
                rules = PublishRulesetRequest(document=document, promote_to="prod")
                await self.judgment.call(self.judgment.rulesets.PublishVersion, rules)
            with scratch_directory() as directory:
                package = await pack(directory, VERSION, self.stack.logs)
            upload = await self.modules.upload(package)
            definition = (EXAMPLES / "workflows" / "nightly-review" / "v1.yaml").read_text().replace("PACKAGE", upload)
            request = PublishVersionRequest(definition=definition, promote_to="prod")
            await self.workflow.call(self.workflow.workflows.PublishVersion, request)

    async def _run_the_night(self) -> Approval:
        with self.stage.step("Land a day of which one line is bad, and run the night"):
            order = work_order("review", LINE, yesterday(), total=1000, good=950, defect=50)
            await self.etl.call(self.etl.ingest.IngestBatch, IngestBatchRequest(records=[order]))
            await self.stack.services["etl"].run_once("run", "--due", seconds=NIGHT_SECONDS)
            newest = await self.etl.call(self.etl.pipelines.ListRuns, ListRunsRequest(page_size=1))
            self.run = newest.runs[0]
            self.stage.claim("the run completes", holds=self.run.state == Run.STATE_COMPLETED, measured=self.run.name)
            approval = await self._approval()
            lines: Any = json_format.MessageToDict(approval.details)
            rows = [(it["line"], int(it["total_qty"]), it["defect_rate"], it["why"]) for it in lines]
            self.stage.table(("line", "pieces", "defects", "why"), rows)
            is_asked = LINE in {line for line, *_ in rows}
            self.stage.claim("its end starts a workflow, which asks a person", holds=is_asked, measured=approval.title)
        return approval

    async def _decide(self, approval: Approval) -> None:
        with self.stage.step("Agree that the ruleset is too strict"):
            decision = DecideApprovalRequest(name=approval.name, approve=True, comment="3 % is no reason to stop")
            await self.workflow.call(self.workflow.approvals.DecideApproval, decision)
            asking = ListInstancesRequest(workflow=WORKFLOW, page_size=1)
            listed = await self.workflow.call(self.workflow.instances.ListInstances, asking)
            self.instance = await self.workflow.end_of(listed.instances[0].name)
            is_completed = self.instance.state == Instance.STATE_COMPLETED
            self.stage.claim("the workflow completes", holds=is_completed, measured=self.instance.error.detail)
            channel = GetChannelRequest(name=f"rulesets/{RULESET}/channels/prod")
            version = (await self.judgment.call(self.judgment.releases.GetChannel, channel)).channel.version
            self.stage.claim("the ruleset is back at version 1", holds=version == 1)
            asked = GetModuleRequest(name=MODULE)
            live = (await self.modules.call(self.modules.modules.GetModule, asked)).module.active_version
            self.stage.claim("the module that shows lines is live", holds=live == VERSION, measured=live)

    async def _follow_the_trace(self) -> None:
        with self.stage.step("Follow the trace of it over NATS"):
            told: list[tuple[str, str, str]] = []

            async def is_all_told() -> bool:
                told[:] = await self._told()
                return {(name.partition("/")[0], kind) for name, kind, _ in told} >= OF_ONE_TRACE

            await until(is_all_told, ASKED_SECONDS)
            (origin,) = (trace for name, kind, trace in told if (name, kind) == (self.run.name, "run.created"))
            rows = [(name.partition("/")[0], kind) for name, kind, trace in told if trace == origin]
            counts = {row: rows.count(row) for row in rows}
            self.stage.table(("what", "event", "times"), [(*row, count) for row, count in counts.items()])
            is_one = counts.keys() >= OF_ONE_TRACE
            self.stage.claim("run, workflow, rollback and install are one trace", holds=is_one, measured=origin)

    async def _approval(self) -> Approval:
        """Wait for the question to a person."""
        found: list[Approval] = []

        async def is_asked() -> bool:
            answer = await self.workflow.call(self.workflow.approvals.ListApprovals, ListApprovalsRequest(page_size=1))
            found[:] = answer.approvals
            return bool(found)

        await until(is_asked, ASKED_SECONDS)
        return found[0]

    async def _told(self) -> Sequence[tuple[str, str, str]]:
        """Give what the services told: of which resource, what, and in which trace."""
        assert self.stack.nats
        connection = await nats.connect(self.stack.nats.url)
        found = []
        try:
            for service in ("etl", "workflow", "judgment", "modules"):
                subject = f"millwright.{TENANT}.{service}.>"
                subscription = await connection.jetstream().subscribe(subject, ordered_consumer=True)
                while True:
                    try:
                        headers = (await subscription.next_msg(timeout=HEARD_SECONDS)).headers or {}
                    except nats.errors.TimeoutError:
                        break
                    kind = ".".join(headers["ce-type"].removesuffix(".v1").split(".")[-2:])
                    found.append((unquote(headers["ce-subject"]), kind, headers.get("traceparent", "--").split("-")[1]))
        finally:
            await connection.close()
        return found
