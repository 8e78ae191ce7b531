"""Following one operation to its end: in a terminal a bar a stage that is drawn anew, elsewhere a line a step.

It folds events into what is known of the operation. How a broken stream is continued is `watching`'s.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from millwright.modules.v1 import module_service_pb2 as pb
from millwright.modules.v1 import operation_pb2
from rich.console import RenderableType
from rich.live import Live

from millwright_cli.connection import Connection
from millwright_cli.drawing import short
from millwright_cli.errors import ExitCode
from millwright_cli.module.modules import Stub
from millwright_cli.module.views import operation as views
from millwright_cli.module.views import problem
from millwright_cli.module.words import Term
from millwright_cli.session import Session
from millwright_cli.watching import Stream
from millwright_cli.words import Words

EXIT_CODES = {
    operation_pb2.STAGE_COMPLETED: ExitCode.OK,
    operation_pb2.STAGE_FAILED: ExitCode.FAULTED,
    operation_pb2.STAGE_ROLLED_BACK: ExitCode.FAULTED,
    operation_pb2.STAGE_CANCELLED: ExitCode.CANCELLED,
}
_LINE_PERCENT = 10
"""In a log, a stage that takes long says so again after as many percent."""


def fold(known: operation_pb2.Operation, event: operation_pb2.OperationEvent) -> operation_pb2.Operation:
    """Give the operation as it is after an event. The one passed in stays as it was: another thread draws it."""
    after = operation_pb2.Operation()
    after.CopyFrom(known)
    after.name = event.operation
    after.module = event.module or known.module
    after.stage = event.stage
    after.progress.CopyFrom(event.progress)
    after.problems.extend(event.problems)
    return after


class Picture:
    """The upload and the operation as far as they are known, drawn whenever it is asked for."""

    def __init__(self, say: Words) -> None:
        self._say = say
        self.sent = (0, 0)
        self.known: operation_pb2.Operation | None = None

    def take_sent(self, done: int, total: int) -> None:
        """Take note of how much of the package is sent."""
        self.sent = (done, total)

    def __rich__(self) -> RenderableType:
        """Draw the bars."""
        return views.bars(self.sent, self.known, self._say)


class OperationWatch:
    """A watch of one operation, and of the upload before it."""

    def __init__(self, session: Session, connection: Connection, stub: Stub) -> None:
        self._session = session
        self._connection = connection
        self._stub = stub
        self._said: tuple[operation_pb2.Stage.ValueType, int, int] = (operation_pb2.STAGE_UNSPECIFIED, 0, 0)
        self.picture = Picture(session.say)

    @contextmanager
    def drawn(self) -> Iterator[None]:
        """Draw the bars meanwhile, if a person watches; they stay as they were in the end."""
        if not self._session.screen.is_live:
            yield
            return
        with Live(self.picture, console=self._session.screen.out, refresh_per_second=12):
            yield

    def run(self, name: str) -> ExitCode:
        """Show what happens until the operation ends, and give the exit code of its end."""
        known = operation_pb2.Operation(name=name)
        try:
            for message in self._session.follow(lambda sequence: self._open(name, sequence)):
                known = self._take(message, known)
                if known.stage in EXIT_CODES:
                    return EXIT_CODES[known.stage]
        except KeyboardInterrupt:
            self._session.screen.notice(self._session.say(Term.GOES_ON, operation=short(name)))
            raise
        raise AssertionError(name)  # `follow` ends with an exception, or not at all

    def _open(self, name: str, sequence: int | None) -> Stream[pb.WatchOperationResponse]:
        return self._connection.stream(
            self._stub.WatchOperation, pb.WatchOperationRequest(name=name, from_sequence=sequence)
        )

    def _take(self, message: pb.WatchOperationResponse, known: operation_pb2.Operation) -> operation_pb2.Operation:
        """Show a message, and give the operation as it is after it."""
        match message.WhichOneof("message"):
            case "snapshot":
                problems, known = message.snapshot.problems, message.snapshot
            case "event":
                problems, known = message.event.problems, fold(known, message.event)
            case _:
                return known
        self.picture.known = known
        screen, say = self._session.screen, self._session.say
        told: list[RenderableType] = [*problem.lines(problems, say)]
        if not screen.is_live and self._is_news(known):
            told.append(views.line(known, say))
        screen.one_of_many(message, *told)
        return known

    def _is_news(self, known: operation_pb2.Operation) -> bool:
        """Tell whether a log wants a line: another stage, so much further in it, or another place in the queue."""
        progress = known.progress
        now = (known.stage, int(progress.percent // _LINE_PERCENT), progress.queue_place)
        is_news = now != self._said
        self._said = now
        return is_news
