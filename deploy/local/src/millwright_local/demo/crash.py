"""The second act: a long instance, the service killed at two thirds, and the instance goes on where it was.

The worker that does the long task is the example that the documentation tells of. It is killed too, so that all that is
left of its work is what it saved.
"""

import os
import re
import sys
import time
from contextlib import AsyncExitStack

from google.protobuf import json_format
from millwright.workflow.v1.instance_pb2 import Instance, InstanceEvent
from millwright.workflow.v1.instance_service_pb2 import GetInstanceRequest, WatchInstanceRequest
from millwright.workflow.v1.workflow_service_pb2 import PublishVersionRequest

from millwright_local.demo.scene import EXAMPLES, Scene, new_id
from millwright_local.demo.stage import ClaimBroken
from millwright_local.processes import Process, until
from millwright_local.workflow_client import WorkflowClient

DEFINITION = EXAMPLES / "workflows" / "lot-release" / "v1.yaml"
WORKER = EXAMPLES / "workers" / "python" / "inspector.py"
WORKFLOW = "workflows/quality.lot-release"
PARTS = 9
SAVED_PARTS = 6
LOT = {"lot": "L-7", "line": "press-1", "parts": PARTS}
WORK_SECONDS = 60.0


class Crash:
    """The act."""

    title = "The service is killed in the middle of a long instance"

    def __init__(self, scene: Scene) -> None:
        self.stage = scene.stage
        self.plant = scene.plant
        self.stack = scene.stack
        self.token = scene.token
        self._workers: list[Process] = []
        self._asked_before = scene.plant.questions

    async def tell(self) -> None:
        """Tell the act from its beginning to its end. Raises ClaimBroken, or what a call raises."""
        async with AsyncExitStack() as cleanup:
            cleanup.push_async_callback(self._dismiss)
            instance, worked_seconds = await self._work_and_kill()
            await self._go_on(instance, worked_seconds)

    async def _work_and_kill(self) -> tuple[str, float]:
        """Start the long instance and kill at two thirds; give its name, and for how long it had worked."""
        title = f"Inspect a lot of {PARTS} parts, and kill worker and service with SIGKILL after part {SAVED_PARTS}"
        with self.stage.step(title):
            async with self._client() as client:
                definition = DEFINITION.read_text()
                request = PublishVersionRequest(definition=definition, promote_to="prod", request_id=new_id())
                await client.call(client.workflows.PublishVersion, request)
                begin = time.monotonic()
                (instance,) = await client.start(WORKFLOW, [{"plant": self.plant.url, **LOT}])
                await self._look_at(SAVED_PARTS)
                worked_seconds = time.monotonic() - begin
                await self._workers[-1].kill()
                await self._saved(client, instance)
                await self.stack.services["workflow"].kill()
            looked_at = self._parts()
            measured = f"{len(looked_at)} of {PARTS} parts, in {worked_seconds:.1f} s"
            self.stage.claim("the work is under way", holds=SAVED_PARTS <= len(looked_at) < PARTS, measured=measured)
        return instance, worked_seconds

    async def _go_on(self, name: str, worked_seconds: float) -> None:
        saved = len(self._parts())
        with self.stage.step("Start both again"):
            begin = time.monotonic()
            await self.stack.services["workflow"].start()
            self.stage.ready("workflow", time.monotonic() - begin)
            await self._look_at(PARTS)
            async with self._client() as client:
                instance = await client.end_of(name)
            is_completed = instance.state == Instance.STATE_COMPLETED
            state = Instance.State.Name(instance.state).partition("_")[2]
            self.stage.claim("the instance goes on by itself, and completes", holds=is_completed, measured=state)
            parts = self._parts()
            first = f"it began with part {parts[saved]}" if len(parts) > saved else ""
            is_whole = parts == list(range(1, PARTS + 1))
            self.stage.claim("the next worker goes on from what the last one saved", holds=is_whole, measured=first)
            once = self.plant.questions - self._asked_before == len(self.plant.reports) == 1
            said = "the limit was asked for once, each part looked at once, one report filed"
            self.stage.claim("nothing ran twice", holds=once and is_whole, measured=said)
            output = json_format.MessageToDict(instance.output)
            self.stage.claim("the plant has the report", holds=bool(output), measured=str(self.plant.reports[0]))
            self.stage.say(f"Saved: {worked_seconds:.1f} s, {saved} of {PARTS} parts, that were not worked again.")

    async def _look_at(self, part: int) -> None:
        """Have a new worker work until it has looked at a part."""
        number = len(self._workers) + 1
        worker = Process(
            f"inspector {number}",
            [sys.executable, str(WORKER), self.stack.endpoints["workflow"], "inspect"],
            log=self.stack.logs / f"inspector-{number}.log",
            environment={**os.environ, "MILLWRIGHT_TOKEN": self.stack.worker_token_file.read_text()},
        )
        self._workers.append(worker)
        worker.start()

        async def has_looked() -> bool:
            if not worker.is_running:
                raise worker.ended()
            return part in self._parts()

        await until(has_looked, WORK_SECONDS)

    async def _saved(self, client: WorkflowClient, name: str) -> None:
        """Wait until the instance's log tells that all parts looked at are saved."""
        share = 100 * len(self._parts()) / PARTS
        watching = WatchInstanceRequest(name=name, from_sequence=0)
        async for message in client.stream(client.instances.WatchInstance, watching):
            if message.event.kind == InstanceEvent.KIND_TASK_PROGRESS and message.event.percent >= share - 0.1:
                return
        ended = await client.call(client.instances.GetInstance, GetInstanceRequest(name=name))
        raise ClaimBroken(f"the instance ended before it was killed: {ended.instance.error.detail}")

    def _parts(self) -> list[int]:
        """Give the parts that were looked at, in order, as the workers tell."""
        logs = [worker.log.read_text() for worker in self._workers if worker.log.exists()]
        return [int(number) for log in logs for number in re.findall(r"^part (\d+) of", log, re.MULTILINE)]

    def _client(self) -> WorkflowClient:
        return WorkflowClient(self.stack.endpoints["workflow"], self.token)

    async def _dismiss(self) -> None:
        for worker in self._workers:
            await worker.kill()
