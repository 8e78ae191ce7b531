"""Following one instance to its end: each event a line, and in a terminal one line that shows where it stands.

It folds events into what is known of the instance. How a broken stream is continued is `watching`'s.
"""

from collections.abc import Generator, Iterator
from contextlib import contextmanager

from millwright.workflow.v1 import instance_pb2, instance_service_pb2, instance_service_pb2_grpc
from rich.live import Live
from rich.text import Text

from millwright_cli.connection import Connection
from millwright_cli.drawing import facts
from millwright_cli.errors import ExitCode
from millwright_cli.session import Session
from millwright_cli.watching import Stream
from millwright_cli.workflow.views import instance as views

_Event, _Instance = instance_pb2.InstanceEvent, instance_pb2.Instance

# The state that an event leaves its instance in; the others leave it as it is.
_STATES = {
    _Event.KIND_CREATED: _Instance.STATE_PENDING,
    _Event.KIND_STARTED: _Instance.STATE_RUNNING,
    _Event.KIND_PAUSED: _Instance.STATE_PAUSED,
    _Event.KIND_RESUMED: _Instance.STATE_RUNNING,
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


class InstanceWatch:
    """A watch of one instance."""

    def __init__(
        self, session: Session, connection: Connection, stub: instance_service_pb2_grpc.InstanceServiceStub
    ) -> None:
        self._session = session
        self._connection = connection
        self._stub = stub
        self._known = instance_pb2.Instance()

    def run(self, name: str, *, known: instance_pb2.Instance | None = None) -> ExitCode:
        """Print what happens until the instance ends, and give the exit code of its end.

        `known` is the instance as a call just answered it: the watch goes on from its sequence.
        """
        self._known = known or self._known
        messages = self._messages(name, known)
        with self._live():
            for message in messages:
                self._take(message)
                if self._known.state in _EXIT_CODES:
                    break
        messages.close()
        self._print_end(name)
        return _EXIT_CODES[self._known.state]

    def __rich__(self) -> Text:
        """Draw where the instance stands now: time passes between events too."""
        return views.progress(self._known, self._session.say)

    def _messages(
        self, name: str, known: instance_pb2.Instance | None
    ) -> Generator[instance_service_pb2.WatchInstanceResponse, None, None]:
        def open_stream(sequence: int | None) -> Stream[instance_service_pb2.WatchInstanceResponse]:
            request = instance_service_pb2.WatchInstanceRequest(name=name, from_sequence=sequence)
            return self._connection.stream(self._stub.WatchInstance, request)

        if known is not None:
            yield instance_service_pb2.WatchInstanceResponse(sequence=known.sequence, snapshot=known)
        yield from self._session.follow(open_stream, known.sequence if known else None)

    def _take(self, message: instance_service_pb2.WatchInstanceResponse) -> None:
        screen, say = self._session.screen, self._session.say
        match message.WhichOneof("message"):
            case "snapshot":
                self._known = message.snapshot
                screen.one_of_many(message, *([] if screen.is_live else [views.progress(self._known, say)]))
            case "event":
                self._known = fold(self._known, message.event)
                screen.one_of_many(message, views.event_line(message.event, say))

    @contextmanager
    def _live(self) -> Iterator[None]:
        screen = self._session.screen
        if not screen.is_live:
            yield
            return
        with Live(self, console=screen.out, transient=True, refresh_per_second=8):
            yield

    def _print_end(self, name: str) -> None:
        """Print what the instance ended with, which no event carries."""
        screen, say = self._session.screen, self._session.say
        if screen.is_json:
            return
        request = instance_service_pb2.GetInstanceRequest(name=name)
        ended = self._connection.call(self._stub.GetInstance, request).instance
        screen.lines(views.progress(ended, say), facts(views.outcome(ended), say))
