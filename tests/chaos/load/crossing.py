"""The load that crosses services: instances that ask judgment, etl and modules for something, one after the other.

Whatever they are told comes out of them, so that it can be held against what is there. A call that fails because what
it calls is away is made again, for as long as it takes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from random import Random
from typing import Any

from google.protobuf import json_format
from millwright.workflow.v1.instance_service_pb2 import (
    GetInstanceRequest,
    StartInstanceRequest,
)
from millwright.workflow.v1.workflow_service_pb2 import PublishVersionRequest
from millwright_local.modules_client import ModulesClient
from millwright_local.workflow_client import WorkflowClient, to_value

from tests.chaos.book import Book
from tests.chaos.caller import Caller
from tests.chaos.checker import Crossing
from tests.chaos.load import turns
from tests.chaos.load.modules import bring, package
from tests.chaos.load.workflow import follow_instance

SERVICE = "workflow"
WORKFLOW = "workflows/chaos.crossing"
MODULE = "crossing"
VERSION = "1.0.0"
TASKS = ("judge", "run", "read", "install")
STARTS_SECONDS = 2.0
_COMMUNICATION = "https://serverlessworkflow.io/spec/1.0.0/errors/communication"
_DEFINITION = """
document: {{dsl: 1.0.1, namespace: chaos, name: crossing, version: 1.0.0}}
use:
  retries:
    again: {{delay: {{milliseconds: 500}}, backoff: {{constant: {{}}}}, limit: {{attempt: {{count: 1000}}}}}}
do:
{tasks}
"""
_TASK = """
- {name}:
    try:
    - ask: {{call: {function}, with: {arguments}, output: {{as: '${{ $input + {output} }}'}}}}
    catch: {{errors: {{with: {{type: {communication}}}}}, when: '${{ $error.status >= 424 }}', retry: again}}
"""


class CrossingLoad:
    """The load. `ends` are what instances were told."""

    def __init__(
        self, book: Book, clients: Sequence[WorkflowClient], modules: Sequence[ModulesClient], chance: Random
    ) -> None:
        self.ends: list[Crossing] = []
        self._book = book
        self._chance = chance
        self._caller = Caller(book, SERVICE, clients, chance)
        self._modules = Caller(book, "modules", modules, chance)

    async def prepare(self) -> None:
        """Upload the module that instances install, and publish their workflow."""
        upload = await bring(self._modules, package(MODULE, VERSION), f"{MODULE}.zip")
        await self._caller.call(
            "PublishVersion",
            lambda client: client.workflows.PublishVersion,
            lambda key: PublishVersionRequest(
                definition=_definition(upload), promote_to="prod", reason=key, request_id=key
            ),
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Start instances until told to stop; return once all have ended."""
        async with asyncio.TaskGroup() as group:
            async for _ in turns(stop, self._chance, STARTS_SECONDS):
                _, answer = await self._caller.call(
                    "StartInstance",
                    lambda client: client.instances.StartInstance,
                    lambda key: StartInstanceRequest(workflow=WORKFLOW, input=to_value({"part": key}), request_id=key),
                )
                if answer:
                    self._book.tell("crossing", answer.instance.name)
                    group.create_task(self._follow(answer.instance.name))

    async def _follow(self, name: str) -> None:
        work = self._book.open_work(SERVICE, "crossing", name)
        state = await follow_instance(self._caller, work, TASKS)
        await self._note(name)
        self._book.close_work(work, state)

    async def _note(self, name: str) -> None:
        """Note what came out of an instance."""
        answer = await self._caller.read(lambda client: client.instances.GetInstance, GetInstanceRequest(name=name))
        output: Any = json_format.MessageToDict(answer.instance.output)
        if output:
            self._book.tell("execution", output["execution"])
            self._book.told["module of workflows"][output["version"]] = 1  # by whichever of them
            self.ends.append(Crossing(name, output["run"], output["operation"], output["pieces"]))


def _definition(upload: str) -> str:
    """Write the version: a judgment, a run, a look at the facts and an install."""
    weld = "{defect_rate: 0.01, temperature: 90, product: gear}"
    days = "from: '2020-01-01', to: '2029-12-31'"
    calls = (
        ("judge", f"{{ruleset: quality.weld, input: {weld}, segment: {{line: L3}}}}", "{execution: .execution}"),
        ("run-pipeline", "{pipeline: daily-production}", "{run: .run}"),
        ("query-production", f"{{{days}, measures: [total_qty]}}", "{pieces: (.[0].total_qty // 0)}"),
        ("install-module", f"{{upload: {upload}}}", "{operation: .operation, version: .version}"),
    )
    tasks = (
        _TASK.format(
            name=name, function=function, arguments=arguments, output=output, communication=_COMMUNICATION
        ).strip()
        for name, (function, arguments, output) in zip(TASKS, calls, strict=True)
    )
    return _DEFINITION.format(tasks="\n".join(tasks))
