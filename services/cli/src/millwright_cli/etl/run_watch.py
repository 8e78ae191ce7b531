"""Following a run to its end: in a terminal one line that is drawn anew, elsewhere a line an event."""

from collections.abc import Iterator

from millwright.etl.v1 import pipeline_service_pb2, run_pb2
from rich.live import Live

from millwright_cli.connection import Connection
from millwright_cli.errors import ExitCode
from millwright_cli.etl.services import PipelineStub
from millwright_cli.etl.views import run as views
from millwright_cli.session import Session
from millwright_cli.watching import Stream

_EXIT_CODES = {
    run_pb2.Run.STATE_COMPLETED: ExitCode.OK,
    run_pb2.Run.STATE_FAILED: ExitCode.FAULTED,
    run_pb2.Run.STATE_CANCELLED: ExitCode.CANCELLED,
}
_FAILED = run_pb2.Window.STATE_FAILED
_Message = pipeline_service_pb2.WatchRunResponse


class RunWatch:
    """A watch of one run."""

    def __init__(self, session: Session, connection: Connection, stub: PipelineStub) -> None:
        self._session = session
        self._connection = connection
        self._stub = stub

    def run(self, name: str) -> ExitCode:
        """Show what happens until the run ends, then what came of it; give the exit code of its end."""
        screen = self._session.screen
        if screen.is_live:
            self._draw(name)
        else:
            self._tell(name)
        ended = self._connection.call(self._stub.GetRun, pipeline_service_pb2.GetRunRequest(name=name)).run
        screen.lines(*views.run(ended, self._session.say))
        return _EXIT_CODES[ended.state]

    def _draw(self, name: str) -> None:
        known, screen, say = run_pb2.Run(name=name), self._session.screen, self._session.say
        with Live(console=screen.out, transient=True, auto_refresh=False) as live:
            for message in self._messages(name):
                known = fold(known, message)
                if message.event.window.state == _FAILED:
                    screen.lines(views.event_line(message.event, say))
                live.update(views.line(known, say), refresh=True)

    def _tell(self, name: str) -> None:
        screen, say = self._session.screen, self._session.say
        for message in self._messages(name):
            match message.WhichOneof("message"):
                case "snapshot":
                    screen.one_of_many(message, views.line(message.snapshot, say))
                case "event":
                    screen.one_of_many(message, views.event_line(message.event, say))

    def _messages(self, name: str) -> Iterator[_Message]:
        """Give every message up to the one that tells the end."""

        def open_stream(sequence: int | None) -> Stream[_Message]:
            request = pipeline_service_pb2.WatchRunRequest(name=name, from_sequence=sequence)
            return self._connection.stream(self._stub.WatchRun, request)

        for message in self._session.follow(open_stream):
            yield message
            if (message.snapshot.state or message.event.state) in _EXIT_CODES:
                return


def fold(known: run_pb2.Run, message: _Message) -> run_pb2.Run:
    """Give a run as it is after a message."""
    if message.HasField("snapshot"):
        return message.snapshot
    after = run_pb2.Run()
    after.CopyFrom(known)
    if message.HasField("event"):
        after.state = message.event.state
        after.progress.CopyFrom(message.event.progress)
    return after
