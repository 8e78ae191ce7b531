"""Following a replay: a bar that is drawn anew, or a line for each event; at its end the report."""

from contextlib import ExitStack

from millwright.judgment.v1 import replay_pb2
from millwright.judgment.v1 import replay_service_pb2 as pb
from rich.live import Live

from millwright_cli.connection import Connection
from millwright_cli.errors import ExitCode
from millwright_cli.judgment.replays import Stub
from millwright_cli.judgment.views import replay as views
from millwright_cli.judgment.views import report as report_views
from millwright_cli.session import Session
from millwright_cli.watching import Stream

_Replay = replay_pb2.Replay
_EXIT_CODES = {
    _Replay.STATE_COMPLETED: ExitCode.OK,
    _Replay.STATE_FAILED: ExitCode.FAULTED,
    _Replay.STATE_NOT_REPRODUCIBLE: ExitCode.FAULTED,
    _Replay.STATE_CANCELLED: ExitCode.CANCELLED,
}


def follow(session: Session, connection: Connection, stub: Stub, name: str) -> ExitCode:
    """Print how a replay goes on until it has ended; give the exit code of its end."""
    screen, say = session.screen, session.say
    replay = _Replay(name=name)

    def open_stream(sequence: int | None) -> Stream[pb.WatchReplayResponse]:
        return connection.stream(stub.WatchReplay, pb.WatchReplayRequest(name=name, from_sequence=sequence))

    with ExitStack() as stack:
        live = stack.enter_context(Live(console=screen.out, transient=True)) if screen.is_live else None
        for message in session.follow(open_stream):
            if not _took(replay, message):
                continue
            if live:
                live.update(views.line(replay, say))
            else:
                screen.one_of_many(message, views.line(replay, say))
            if replay.state in _EXIT_CODES:
                break
    if screen.is_live:
        screen.lines(views.line(replay, say))
    if replay.error:
        screen.lines(views.fault(replay.error))
    return _EXIT_CODES[replay.state]


def follow_to_report(session: Session, connection: Connection, stub: Stub, name: str) -> ExitCode:
    """Follow a replay, and print its report once it has completed."""
    ended = follow(session, connection, stub, name)
    if ended is ExitCode.OK:
        answer = connection.call(stub.GetReplayReport, pb.GetReplayReportRequest(name=name))
        session.screen.one_of_many(answer, *report_views.replay(answer.report, session.say))
    return ended


def _took(replay: _Replay, message: pb.WatchReplayResponse) -> bool:
    """Take over what a message tells of a replay; False if it tells nothing."""
    match message.WhichOneof("message"):
        case "snapshot":
            replay.CopyFrom(message.snapshot)
        case "event":
            replay.state, replay.error = message.event.state, message.event.error
            replay.progress.CopyFrom(message.event.progress)
        case _:
            return False
    return True
