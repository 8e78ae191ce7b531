"""Following one instance to its end: in a terminal a tree of its tasks that is drawn anew, elsewhere a line an event.

It folds events into what is known of the instance. How a broken stream is continued is `watching`'s.
"""

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress

import grpc
from millwright.workflow.v1 import (
    instance_pb2,
    instance_service_pb2,
    instance_service_pb2_grpc,
    workflow_pb2,
    workflow_service_pb2,
    workflow_service_pb2_grpc,
)
from rich.console import Group, RenderableType
from rich.live import Live

from millwright_cli.connection import Connection
from millwright_cli.drawing import facts
from millwright_cli.errors import ExitCode
from millwright_cli.session import Session
from millwright_cli.watching import Stream
from millwright_cli.words import Words
from millwright_cli.workflow.task_tree import TaskTree
from millwright_cli.workflow.views import instance as views
from millwright_cli.workflow.views.task_tree import task_tree

_Event, _Instance = instance_pb2.InstanceEvent, instance_pb2.Instance

# The state that an event leaves its instance in; the others leave it as it is.
_STATES = {
    _Event.KIND_CREATED: _Instance.STATE_PENDING,
    _Event.KIND_STARTED: _Instance.STATE_RUNNING,
    _Event.KIND_PAUSED: _Instance.STATE_PAUSED,
    _Event.KIND_RESUMED: _Instance.STATE_RUNNING,
    _Event.KIND_COMPENSATION_STARTED: _Instance.STATE_COMPENSATING,
    _Event.KIND_COMPLETED: _Instance.STATE_COMPLETED,
    _Event.KIND_FAULTED: _Instance.STATE_FAULTED,
    _Event.KIND_CANCELLED: _Instance.STATE_CANCELLED,
}
_EXIT_CODES = {
    _Instance.STATE_COMPLETED: ExitCode.OK,
    _Instance.STATE_FAULTED: ExitCode.FAULTED,
    _Instance.STATE_CANCELLED: ExitCode.CANCELLED,
}


def fold(known: instance_pb2.Instance, event: instance_pb2.InstanceEvent) -> instance_pb2.Instance:
    """Give the instance as it is after an event. The instance passed in stays as it was: another thread draws it."""
    after = instance_pb2.Instance()
    after.CopyFrom(known)
    after.sequence = event.sequence
    after.version = event.version or known.version
    after.state = _STATES.get(event.kind, known.state)
    if event.kind == _Event.KIND_STARTED:
        after.start_time.CopyFrom(event.event_time)
    if event.kind == _Event.KIND_TASK_COMPLETED:
        after.finished_tasks += 1
    if after.state in _EXIT_CODES:
        after.end_time.CopyFrom(event.event_time)
    return after


class Picture:
    """The instance and its tasks as far as they are known, drawn whenever it is asked for: time passes, too."""

    def __init__(self, say: Words, outline: Callable[[str], workflow_pb2.Version | None]) -> None:
        self._say = say
        self._outline = outline
        self._version: workflow_pb2.Version | None = None
        self._events: list[instance_pb2.InstanceEvent] = []
        self._tree = TaskTree(())
        self.known = instance_pb2.Instance()

    def take(self, event: instance_pb2.InstanceEvent) -> None:
        """Take note of an event; one from before the instance was read tells of its tasks alone."""
        if event.sequence > self.known.sequence:
            self.known = fold(self.known, event)
        self._events.append(event)
        if not self._learn():
            self._tree.take(event)

    def _learn(self) -> bool:
        """Read the outline once the version is known, or is another one; tell whether the tree was made of it."""
        name = f"{self.known.workflow}/versions/{self.known.version}"
        if not self.known.version or (self._version is not None and self._version.name == name):
            return False
        found = self._outline(name)
        if found is None:
            return False
        self._version, tree = found, TaskTree(found.outline)
        for event in self._events:
            tree.take(event)
        self._tree = tree
        return True

    def __rich__(self) -> RenderableType:
        """Draw the line that says where the instance stands, and the tree."""
        total = self._version.task_count if self._version else 0
        return Group(
            views.progress(self.known, self._say, total), task_tree(self._tree, self._say, now_seconds=time.time())
        )


class InstanceWatch:
    """A watch of one instance."""

    def __init__(
        self, session: Session, connection: Connection, stub: instance_service_pb2_grpc.InstanceServiceStub
    ) -> None:
        self._session = session
        self._connection = connection
        self._stub = stub
        self._picture = Picture(session.say, self._outline)

    def run(self, name: str, *, known: instance_pb2.Instance | None = None) -> ExitCode:
        """Show what happens until the instance ends, and give the exit code of its end.

        `known` is the instance as a call just answered it: the watch goes on from its sequence.
        """
        if self._session.screen.is_live:
            return self._draw(name, known or self._get(name))
        return self._tell(name, known)

    def _draw(self, name: str, known: instance_pb2.Instance) -> ExitCode:
        """Draw the tree until the instance ends. Its whole log is read, as far as it is kept: it tells what is done."""
        picture, screen = self._picture, self._session.screen
        picture.known = known
        with Live(picture, console=screen.out, transient=True, refresh_per_second=8):
            for message in self._whole(name, known.sequence):
                if message.HasField("snapshot"):
                    picture.known = message.snapshot
                elif message.HasField("event"):
                    picture.take(message.event)
                if message.sequence >= picture.known.sequence and picture.known.state in _EXIT_CODES:
                    break
        picture.known = self._get(name)
        screen.lines(picture, facts(views.outcome(picture.known), self._session.say))
        return _EXIT_CODES[picture.known.state]

    def _whole(self, name: str, newest: int) -> Generator[instance_service_pb2.WatchInstanceResponse, None, None]:
        """Follow from the first event, or from the state as it is if the first ones are not kept any more."""
        try:
            yield from self._follow(name, 0)
        except grpc.RpcError as error:
            if not isinstance(error, grpc.Call) or error.code() is not grpc.StatusCode.OUT_OF_RANGE:
                raise
            yield from self._follow(name, newest)

    def _tell(self, name: str, known: instance_pb2.Instance | None) -> ExitCode:
        """Print each message until the instance ends."""
        now = known or instance_pb2.Instance()
        messages = self._messages(name, known)
        for message in messages:
            now = self._print(message, now)
            if now.state in _EXIT_CODES:
                break
        messages.close()
        if not self._session.screen.is_json:  # what it ended with, which no event carries
            ended, say = self._get(name), self._session.say
            self._session.screen.lines(views.progress(ended, say), facts(views.outcome(ended), say))
        return _EXIT_CODES[now.state]

    def _messages(
        self, name: str, known: instance_pb2.Instance | None
    ) -> Generator[instance_service_pb2.WatchInstanceResponse, None, None]:
        if known is not None:
            yield instance_service_pb2.WatchInstanceResponse(sequence=known.sequence, snapshot=known)
        yield from self._follow(name, known.sequence if known else None)

    def _follow(self, name: str, sequence: int | None) -> Iterator[instance_service_pb2.WatchInstanceResponse]:
        def open_stream(sequence: int | None) -> Stream[instance_service_pb2.WatchInstanceResponse]:
            request = instance_service_pb2.WatchInstanceRequest(name=name, from_sequence=sequence)
            return self._connection.stream(self._stub.WatchInstance, request)

        return self._session.follow(open_stream, sequence)

    def _print(
        self, message: instance_service_pb2.WatchInstanceResponse, known: instance_pb2.Instance
    ) -> instance_pb2.Instance:
        """Print a message, and give the instance as it is after it."""
        screen, say = self._session.screen, self._session.say
        match message.WhichOneof("message"):
            case "snapshot":
                known = message.snapshot
                screen.one_of_many(message, views.progress(known, say))
            case "event":
                known = fold(known, message.event)
                screen.one_of_many(message, views.event_line(message.event, say))
        return known

    def _get(self, name: str) -> instance_pb2.Instance:
        request = instance_service_pb2.GetInstanceRequest(name=name)
        return self._connection.call(self._stub.GetInstance, request).instance

    def _outline(self, version: str) -> workflow_pb2.Version | None:
        """Read a version's outline; None while the service cannot be reached."""
        stub = workflow_service_pb2_grpc.WorkflowServiceStub(self._connection.channel)
        with suppress(grpc.RpcError):
            return self._connection.call(stub.GetVersion, workflow_service_pb2.GetVersionRequest(name=version)).version
        return None
