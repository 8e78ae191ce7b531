"""The first act: three versions of a workflow, the third one broken, and the way back.

Each step does something with the real services and claims what must hold afterwards. It starts and stops nothing.
"""

import time
from collections.abc import Sequence
from typing import Any

import grpc
from google.protobuf import json_format
from millwright.workflow.v1.instance_pb2 import Instance
from millwright.workflow.v1.release_pb2 import Release
from millwright.workflow.v1.release_service_pb2 import (
    ListReleasesRequest,
    PromoteVersionRequest,
    RollbackVersionRequest,
    RollbackVersionResponse,
)
from millwright.workflow.v1.workflow_pb2 import Version
from millwright.workflow.v1.workflow_service_pb2 import PublishVersionRequest

from millwright_local.demo.scene import EXAMPLES, Scene, new_id
from millwright_local.demo.stage import ClaimBroken, milliseconds
from millwright_local.listeners import subscribed, watched
from millwright_local.stack import TENANT
from millwright_local.workflow_client import WorkflowClient

DEFINITIONS = EXAMPLES / "workflows" / "defect-alert"
WORKFLOW = "workflows/quality.defect-alert"
CHANNEL = f"{WORKFLOW}/channels/prod"
REASON = "every inspection faults since 1.2.0"
# Line, parts inspected, defective parts: the second and the third are over their lines' limits.
INSPECTIONS = (("press-1", 400, 6), ("press-2", 400, 22), ("weld-1", 250, 15))
ALERTED = ["press-2", "weld-1"]
NEWS_SECONDS = 2.0  # far above what is usual: a figure, not a race, shall be shown


class Rollback:
    """The act."""

    title = "A bad version is taken back"

    def __init__(self, scene: Scene) -> None:
        self.stage = scene.stage
        self.plant = scene.plant
        self.client = WorkflowClient(scene.stack.endpoints["workflow"], scene.token)
        assert scene.stack.nats is not None
        self.nats_url = scene.stack.nats.url

    async def tell(self) -> None:
        """Tell the act from its beginning to its end. Raises ClaimBroken, or what a call raises."""
        async with self.client:
            await self._publish()
            await self._see_it_break()
            await self._roll_back()
            await self._refuse_the_bad_version()
            await self._see_it_work()
            await self._show_the_log()

    async def _publish(self) -> None:
        with self.stage.step("Publish a defect alert in three versions, and promote each to prod"):
            versions = []
            for file in sorted(DEFINITIONS.glob("v*.yaml")):
                text, reason = file.read_text(), f"release of {file.name}"
                request = PublishVersionRequest(definition=text, promote_to="prod", reason=reason, request_id=new_id())
                answer = await self.client.call(self.client.workflows.PublishVersion, request)
                versions.append(answer.version)
                last = answer.channel
            self.stage.table(
                ("version", "semver", "content", "state"),
                ([it.number, it.semver, it.content_hash[:12], _name(Version.State, it.state)] for it in versions),
            )
            self.stage.claim("prod points to the newest version", holds=last.version == 3, measured=f"v{last.version}")

    async def _see_it_break(self) -> None:
        with self.stage.step("Run inspections through prod: v3 carries a bug"):
            ended = await self._inspect()
            self.stage.table(
                ("line", "version", "state", "task"),
                ([_line(it), f"v{it.version}", _name(Instance.State, it.state), it.error.instance] for it in ended),
            )
            self.stage.say(ended[0].error.detail)
            are_faulted = [it.state == Instance.STATE_FAULTED and it.version == 3 for it in ended]
            count = f"{sum(are_faulted)} of {len(ended)}"
            self.stage.claim("every instance on v3 faults", holds=all(are_faulted), measured=count)
            self.stage.claim("no alert has reached the plant", holds=not self.plant.alerts)

    async def _roll_back(self) -> None:
        with self.stage.step("Roll prod back in one call, while a NATS subscriber and a watch stream listen"):
            async with (
                subscribed(self.nats_url, TENANT, WORKFLOW) as subscriber,
                watched(self.client, WORKFLOW) as watcher,
            ):
                request = RollbackVersionRequest(channel=CHANNEL, reason=REASON, request_id=new_id())
                begin = time.perf_counter()
                answer = await self.client.call(self.client.releases.RollbackVersion, request)
                call_seconds = time.perf_counter() - begin
                release = answer.release
                event = await subscriber.wait_for(release.revision)
                seen = await watcher.wait_for(release.revision)
            self._claim_rolled_back(answer, call_seconds)
            # On the service's clock, just before the commit: the true times are a little shorter.
            decided = release.create_time.ToNanoseconds() / 1e9
            is_rollback = event.what == "io.millwright.workflow.channel.rolled-back.v1"
            self._claim_soon("the NATS subscriber has the event", event.time - decided, holds=is_rollback)
            self._claim_soon("the watch stream has the release", seen.time - decided, holds=seen.what == release.name)

    def _claim_rolled_back(self, answer: RollbackVersionResponse, seconds: float) -> None:
        version = answer.channel.version
        self.stage.claim("the call is answered", holds=answer.changed, measured=f"after {milliseconds(seconds)}")
        self.stage.claim("prod points to the last good version", holds=version == 2, measured=f"v{version}")
        self.stage.claim("v3 is marked bad in the same transaction", holds=answer.release.marked_bad)

    def _claim_soon(self, what: str, seconds: float, *, holds: bool) -> None:
        measured = f"{milliseconds(seconds)} after the decision"
        self.stage.claim(what, holds=holds and seconds < NEWS_SECONDS, measured=measured)

    async def _refuse_the_bad_version(self) -> None:
        with self.stage.step("Try to promote v3 once more"):
            request = PromoteVersionRequest(channel=CHANNEL, version=3, reason="a try", request_id=new_id())
            try:
                await self.client.call(self.client.releases.PromoteVersion, request)
            except grpc.aio.AioRpcError as error:
                is_refused = error.code() is grpc.StatusCode.FAILED_PRECONDITION
                self.stage.claim("a bad version is refused", holds=is_refused, measured=error.details() or "")
            else:
                raise ClaimBroken("a bad version is refused")

    async def _see_it_work(self) -> None:
        with self.stage.step("Run the same inspections again"):
            ended = await self._inspect()
            outputs = [json_format.MessageToDict(it.output) or {} for it in ended]
            self.stage.table(
                ("line", "version", "state", "defects", "limit", "decision"),
                (
                    [_line(it), f"v{it.version}", _name(Instance.State, it.state), *_decision(output)]
                    for it, output in zip(ended, outputs, strict=True)
                ),
            )
            are_completed = all(it.state == Instance.STATE_COMPLETED and it.version == 2 for it in ended)
            took = max(it.end_time.ToNanoseconds() - it.create_time.ToNanoseconds() for it in ended) / 1e9
            slowest = f"{milliseconds(took)} for the slowest"
            self.stage.claim("every instance completes on v2", holds=are_completed, measured=slowest)
            self.stage.claim(
                "each alert got through once, although the plant refused it at first",
                holds=sorted(self.plant.alerts) == ALERTED and self.plant.refusals == len(ALERTED),
                measured=f"{len(self.plant.alerts)} alerts",
            )

    async def _show_the_log(self) -> None:
        with self.stage.step("Read the release log"):
            asking = ListReleasesRequest(workflow=WORKFLOW)
            releases = (await self.client.call(self.client.releases.ListReleases, asking)).releases
            self.stage.table(
                ("revision", "operation", "channel", "from", "to", "who", "why"), (_row(it) for it in releases)
            )
            revisions = [it.revision for it in reversed(releases)]
            is_dense = revisions == list(range(1, len(revisions) + 1))
            self.stage.claim("the log has no gap", holds=is_dense, measured=f"1 to {len(revisions)}")

    async def _inspect(self) -> Sequence[Instance]:
        """Run the inspections and return how they ended."""
        inputs = [
            {
                "plant": self.plant.url,
                "inspection": {"id": new_id(), "line": line, "inspected": inspected, "defective": defective},
            }
            for line, inspected, defective in INSPECTIONS
        ]
        names = await self.client.start(WORKFLOW, inputs)
        return [await self.client.end_of(name) for name in names]


def _name(enum: Any, value: int) -> str:
    return str(enum.Name(value)).partition("_")[2]


def _line(instance: Instance) -> str:
    return str(json_format.MessageToDict(instance.input)["inspection"]["line"])


def _decision(output: dict[str, Any]) -> tuple[float, float, str]:
    return output["rate"], output["limit"], output["decision"]


def _row(release: Release) -> Sequence[object]:
    source = f"v{release.from_version}" if release.from_version else ""
    operation = _name(Release.Operation, release.operation)
    return release.revision, operation, release.channel, source, f"v{release.to_version}", release.actor, release.reason
