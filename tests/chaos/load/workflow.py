"""The workflow service's load: versions are published, promoted and rolled back while instances run; all is watched."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from random import Random
from typing import Any

import grpc
from millwright.workflow.v1.instance_pb2 import InstanceEvent
from millwright.workflow.v1.instance_service_pb2 import (
    CancelInstanceRequest,
    StartInstanceRequest,
    WatchInstanceRequest,
)
from millwright.workflow.v1.release_service_pb2 import (
    ListReleasesRequest,
    PromoteVersionRequest,
    RollbackVersionRequest,
    WatchReleasesRequest,
)
from millwright.workflow.v1.workflow_service_pb2 import PublishVersionRequest
from millwright_local.workflow_client import WorkflowClient, to_value

from tests.chaos.book import Book, Stream, Work
from tests.chaos.caller import Caller
from tests.chaos.checker import Cancellation, Result
from tests.chaos.load import follow_log, follow_to_end, turns
from tests.history import Answer
from tests.machine import Machine

SERVICE = "workflow"
WORKFLOW = "workflows/chaos.part"
CHANNEL = f"{WORKFLOW}/channels/prod"
TASKS = ("press", "rest", "weld", "grade")
CALLING = {"press", "weld"}
"""The tasks that call the machine."""
FINAL = {InstanceEvent.KIND_COMPLETED, InstanceEvent.KIND_FAULTED, InstanceEvent.KIND_CANCELLED}
STARTS_SECONDS = 0.5
MOVES_SECONDS = 1.5
CANCELLED_SHARE = 0.05
SLOW_READER_SECONDS = 1.0
# Others move the same channel, and some versions were marked bad on the way.
REFUSED = (grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.ABORTED)


class WorkflowLoad:
    """The load.

    `results` are the tasks whose results watches have told of, `starts` says when each instance was asked for,
    `rollbacks` when each rollback was answered, and `cancellations` are those that were acknowledged.
    """

    def __init__(self, book: Book, clients: Sequence[WorkflowClient], chance: Random, machine: Machine) -> None:
        self.results: list[Result] = []
        self.starts: dict[str, float] = {}
        self.rollbacks: list[Answer] = []
        self.cancellations: list[Cancellation] = []
        self._book = book
        self._chance = chance
        self._machine = machine
        self._caller = Caller(book, SERVICE, clients, chance)
        self._versions = 0

    async def prepare(self) -> None:
        """Publish two versions, and promote one after the other, so that there is something to roll back to."""
        for _ in range(2):
            await self._publish()
            await self._promote(self._versions)

    async def run(self, stop: asyncio.Event) -> None:
        """Start instances and move the channel until told to stop; return once all of it has ended and was seen."""
        newest: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        async with asyncio.TaskGroup() as group:
            for pause_seconds in (0.0, SLOW_READER_SECONDS):
                stream = self._book.open_stream(SERVICE, "WatchReleases", WORKFLOW)
                group.create_task(follow_releases(self._caller, stream, newest, pause_seconds))
            for _ in range(2):
                group.create_task(self._start(stop, group))
            await self._move(stop)
            newest.set_result(await read_newest_revision(self._caller, WORKFLOW))

    async def _move(self, stop: asyncio.Event) -> None:
        async for _ in turns(stop, self._chance, MOVES_SECONDS):
            match self._chance.choice(("publish", "promote", "promote", "rollback")):
                case "publish":
                    await self._publish()
                case "promote":
                    await self._promote(self._chance.randint(1, self._versions))
                case "rollback":
                    await self._roll_back()

    async def _publish(self) -> None:
        number = self._versions + 1
        _, answer = await self._caller.call(
            "PublishVersion",
            lambda client: client.workflows.PublishVersion,
            lambda key: PublishVersionRequest(definition=_definition(number), reason=key, request_id=key),
        )
        if answer:
            self._versions = answer.version.number
            self._book.tell("workflow version", str(answer.version.number))

    async def _promote(self, version: int) -> None:
        _, answer = await self._caller.call(
            "PromoteVersion",
            lambda client: client.releases.PromoteVersion,
            lambda key: PromoteVersionRequest(channel=CHANNEL, version=version, reason=key, request_id=key),
            refusals=REFUSED,
        )
        if answer and answer.changed:
            self._book.tell("workflow release", answer.release.name)

    async def _roll_back(self) -> None:
        call, answer = await self._caller.call(
            "RollbackVersion",
            lambda client: client.releases.RollbackVersion,
            lambda key: RollbackVersionRequest(channel=CHANNEL, reason=key, request_id=key),
            refusals=REFUSED,
        )
        if answer and answer.changed:
            self._book.tell("workflow release", answer.release.name)
            self.rollbacks.append(Answer(answer.release.revision, call.end or 0.0))

    async def _start(self, stop: asyncio.Event, group: asyncio.TaskGroup) -> None:
        async for _ in turns(stop, self._chance, STARTS_SECONDS):
            call, answer = await self._caller.call(
                "StartInstance",
                lambda client: client.instances.StartInstance,
                lambda key: StartInstanceRequest(
                    workflow=WORKFLOW, input=to_value({"machine": self._machine.url, "part": key}), request_id=key
                ),
            )
            if answer:
                self._book.tell("instance", answer.instance.name)
                self.starts[answer.instance.name] = call.begin
                group.create_task(self._follow(answer.instance.name, call.id))
                if self._chance.random() < CANCELLED_SHARE:
                    group.create_task(self._cancel(answer.instance.name))

    async def _cancel(self, name: str) -> None:
        call, answer = await self._caller.call(
            "CancelInstance",
            lambda client: client.instances.CancelInstance,
            lambda key: CancelInstanceRequest(name=name, reason=key),
            refusals=REFUSED,  # it may have ended meanwhile
        )
        if answer:
            self.cancellations.append(Cancellation(name, call.id, datetime.now(UTC)))

    async def _follow(self, name: str, part: str) -> None:
        work = self._book.open_work(SERVICE, "instance", name)
        stream = self._book.open_stream(SERVICE, "WatchInstance", name)
        messages = self._caller.watch(
            stream,
            lambda client: client.instances.WatchInstance,
            lambda sequence: WatchInstanceRequest(name=name, from_sequence=sequence),
        )
        async with aclosing(messages):
            async for message in messages:
                event = message.event
                if event.kind == InstanceEvent.KIND_TASK_COMPLETED:
                    task = event.task.rpartition("/")[2]
                    work.steps.append(task)
                    if task in CALLING:
                        self.results.append(Result(f"{part}-{task}", event.event_time.ToDatetime(UTC)))
                if event.kind in FINAL:
                    break
        stream.has_ended = True
        self._book.close_work(work, InstanceEvent.Kind.Name(event.kind).removeprefix("KIND_"))


async def follow_instance(caller: Caller[WorkflowClient], work: Work, tasks: Collection[str] | None = None) -> str:
    """Watch an instance to its end, and give the state that it has then.

    The tasks that are completed are noted as steps of its work: of `tasks` alone, if they are given.
    """

    def is_last(message: Any) -> bool:
        event = message.event
        task = event.task.rpartition("/")[2]
        if event.kind == InstanceEvent.KIND_TASK_COMPLETED and (tasks is None or task in tasks):
            work.steps.append(task)
        return event.kind in FINAL

    last = await follow_to_end(
        caller,
        caller.book.open_stream(SERVICE, "WatchInstance", work.name),
        lambda client: client.instances.WatchInstance,
        lambda sequence: WatchInstanceRequest(name=work.name, from_sequence=sequence),
        is_last,
    )
    return InstanceEvent.Kind.Name(last.event.kind).removeprefix("KIND_")


async def follow_releases(
    caller: Caller[WorkflowClient], stream: Stream, newest: asyncio.Future[int], pause_seconds: float
) -> None:
    """Watch the releases of the workflow that the stream is named after, up to the newest, resting after each."""
    await follow_log(
        caller,
        stream,
        lambda client: client.releases.WatchReleases,
        lambda sequence: WatchReleasesRequest(workflow=stream.name, from_sequence=sequence),
        newest,
        pause_seconds=pause_seconds,
    )


async def read_newest_revision(caller: Caller[WorkflowClient], workflow: str) -> int:
    """Return the revision of a workflow's newest release."""
    answer = await caller.read(
        lambda client: client.releases.ListReleases, ListReleasesRequest(workflow=workflow, page_size=1)
    )
    return answer.releases[0].revision


def _definition(number: int) -> str:
    """Write a version: two calls of the machine with a rest between them, and a mark of the version."""
    endpoint = """'${{ .machine + "/" + .part + "-{0}" }}'"""
    call = f"call: http, with: {{{{method: get, endpoint: {endpoint}}}}}, output: {{{{as: $input}}}}"
    return f"""
document: {{dsl: 1.0.1, namespace: chaos, name: part, version: 1.0.{number}}}
do:
- press: {{{call.format("press")}}}
- rest: {{wait: {{milliseconds: 300}}, output: {{as: $input}}}}
- weld: {{{call.format("weld")}}}
- grade: {{set: {{version: {number}}}}}
"""
