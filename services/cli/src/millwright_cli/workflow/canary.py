"""`millwright workflow canary start | step | abort | show`: a version on trial, and how it does."""

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import Annotated, Any

import typer
from google.protobuf.duration_pb2 import Duration
from millwright.workflow.v1 import release_pb2, release_service_pb2, release_service_pb2_grpc
from rich.console import RenderableType
from rich.live import Live

from millwright_cli.arguments import (
    ChannelId,
    DryRun,
    ExpectedRevision,
    OptionalReason,
    Reason,
    VersionNumber,
    duration,
    percent_bp,
)
from millwright_cli.connection import Connection
from millwright_cli.drawing import caveats
from millwright_cli.errors import ExitCode
from millwright_cli.session import Noun, Session, Verb, current
from millwright_cli.words import Words
from millwright_cli.workflow.arguments import WorkflowName
from millwright_cli.workflow.moves import connect, move
from millwright_cli.workflow.views import canary as views
from millwright_cli.workflow.views.release import release_line

_WHOLE_BP = 10_000
_LOOK_SECONDS = 1.0
_Release = release_pb2.Release
_EXIT_CODES = {
    _Release.OPERATION_ROLLBACK: ExitCode.FAULTED,
    _Release.OPERATION_CANARY_ABORT: ExitCode.CANCELLED,
}

app = typer.Typer(
    cls=Noun, help="Try a version on a share of the instances: start, step, abort, show.", no_args_is_help=True
)


def _step(text: str) -> release_pb2.CanaryStep:
    """Read a step: a share, and how long at least, such as `10%` or `10%/30m`."""
    share, _, least = text.partition("/")
    min_duration = duration(least) if least else timedelta()
    return release_pb2.CanaryStep(
        weight_bp=percent_bp(share), min_duration=Duration(seconds=int(min_duration.total_seconds()))
    )


Watch = Annotated[bool, typer.Option("--watch", help="Follow the canary to its end.")]
CanaryChannel = Annotated[str, typer.Option("--channel", metavar="CHANNEL", help="The channel of the canary.")]


@app.command(cls=Verb)
def start(
    ctx: typer.Context,
    name: WorkflowName,
    version: VersionNumber,
    *,
    step: Annotated[
        list[release_pb2.CanaryStep],
        typer.Option(
            "--step",
            parser=_step,
            metavar="SHARE[/SPAN]",
            help="A share of the instances and how long it lasts at least, such as 10%/30m; again for the next step.",
            show_default=False,
        ),
    ],
    min_instances: Annotated[
        int, typer.Option("--min-instances", metavar="N", min=1, help="How many must have ended before a gate decides.")
    ] = 20,
    min_success_rate: Annotated[
        int | None,
        typer.Option(
            "--min-success-rate",
            parser=percent_bp,
            metavar="SHARE",
            help="At least this share must complete, such as 99%.",
            show_default=False,
        ),
    ] = None,
    max_success_rate_drop: Annotated[
        int | None,
        typer.Option(
            "--max-success-rate-drop",
            parser=percent_bp,
            metavar="SHARE",
            help="At most so much less than of the stable version, such as 2%.",
            show_default=False,
        ),
    ] = None,
    max_p95: Annotated[
        timedelta | None,
        typer.Option(
            "--max-p95",
            parser=duration,
            metavar="SPAN",
            help="95 of 100 must take at most this long.",
            show_default=False,
        ),
    ] = None,
    max_p95_ratio: Annotated[
        float | None,
        typer.Option(
            "--max-p95-ratio",
            metavar="N",
            min=0.0,
            help="At most so many times as long as on the stable version.",
            show_default=False,
        ),
    ] = None,
    promote_at_end: Annotated[
        bool, typer.Option("--promote-at-end", help="Promote the version once the last step is passed.")
    ] = False,
    channel: ChannelId = "prod",
    expected_revision: ExpectedRevision = None,
    reason: OptionalReason = "",
    dry_run: DryRun = False,
    watch: Watch = False,
) -> None:
    """Let a share of the instances begin on a version, and roll it back by itself when a gate fails.

    The gates hold in every step. Those that compare with the stable version are left out of a step of 100%.
    """
    session = current(ctx)
    gates = _gates(min_success_rate, max_success_rate_drop, max_p95, max_p95_ratio)
    for each in step:
        each.min_instances = min_instances
        each.gates.extend(gate for gate in gates if _belongs(gate, each))
    request = release_service_pb2.StartCanaryRequest(
        channel=f"{name}/channels/{channel}",
        version=version,
        steps=step,
        promote_at_end=promote_at_end,
        expected_revision=expected_revision,
        reason=reason,
        validate_only=dry_run,
    )
    move(session, lambda stub: stub.StartCanary, request, partial(_lines, dry_run=dry_run))
    if watch and not dry_run:
        raise typer.Exit(_Watch(session, *connect(session)).run(name, channel))


@app.command(cls=Verb)
def step(
    ctx: typer.Context,
    name: WorkflowName,
    *,
    channel: CanaryChannel = "prod",
    expected_revision: ExpectedRevision = None,
    reason: OptionalReason = "",
) -> None:
    """Move a canary to its next step whatever its gates say; past the last step, promote its version."""
    session = current(ctx)
    request = release_service_pb2.StepCanaryRequest(
        channel=f"{name}/channels/{channel}",
        expected_revision=expected_revision,
        reason=reason,
    )
    move(session, lambda stub: stub.StepCanary, request, _lines)


@app.command(cls=Verb)
def abort(
    ctx: typer.Context,
    name: WorkflowName,
    *,
    reason: Reason,
    channel: CanaryChannel = "prod",
    mark_bad: Annotated[bool, typer.Option("--mark-bad", help="Mark the canary's version bad.")] = False,
    expected_revision: ExpectedRevision = None,
) -> None:
    """Take a canary back: no instance begins on its version through the channel any more."""
    session = current(ctx)
    request = release_service_pb2.AbortCanaryRequest(
        channel=f"{name}/channels/{channel}",
        expected_revision=expected_revision,
        reason=reason,
        mark_bad=mark_bad,
    )
    move(session, lambda stub: stub.AbortCanary, request, _lines)


@app.command(cls=Verb)
def show(ctx: typer.Context, name: WorkflowName, *, channel: CanaryChannel = "prod", watch: Watch = False) -> None:
    """Show a channel's canary: its step, its share, and what its gates say."""
    session = current(ctx)
    connection, stub = connect(session)
    if watch:
        raise typer.Exit(_Watch(session, connection, stub).run(name, channel))
    request = release_service_pb2.GetChannelRequest(name=f"{name}/channels/{channel}")
    answer = connection.call(stub.GetChannel, request)
    session.screen.answer(answer, *views.canary(answer.channel, session.say))


class _Watch:
    """Follows a canary to its end: a line for each change, and in a terminal a picture that is drawn anew."""

    def __init__(
        self,
        session: Session,
        connection: Connection,
        stub: release_service_pb2_grpc.ReleaseServiceStub,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._session = session
        self._connection = connection
        self._stub = stub
        self._pause = pause

    def run(self, name: str, channel: str) -> ExitCode:
        """Print how the canary does until it has ended; give the exit code of its end."""
        screen, say = self._session.screen, self._session.say
        looks = self._looks(f"{name}/channels/{channel}")
        if screen.is_live:
            with Live(console=screen.out, transient=True, auto_refresh=False) as live:
                for answer in looks:
                    live.update(views.picture(answer.channel, say), refresh=True)
        else:
            seen = b""
            for answer in looks:
                if (told := views.gist(answer.channel)) != seen:
                    screen.one_of_many(answer, views.line(answer.channel, say))
                    seen = told
        return self._print_end(name, channel)

    def _looks(self, channel: str) -> Iterator[release_service_pb2.GetChannelResponse]:
        while True:
            request = release_service_pb2.GetChannelRequest(name=channel)
            answer = self._connection.call(self._stub.GetChannel, request)
            if not answer.channel.HasField("canary"):
                return
            yield answer
            self._pause(_LOOK_SECONDS)

    def _print_end(self, name: str, channel: str) -> ExitCode:
        """Print the row of the log that ended it, which is the channel's last but for later promotions."""
        request = release_service_pb2.ListReleasesRequest(workflow=name, channel=channel, page_size=50)
        rows = self._connection.call(self._stub.ListReleases, request).releases
        last = next((place for place, row in enumerate(rows) if row.canary_version), None)
        if not last:
            self._session.screen.lines(views.none(channel, self._session.say))
            return ExitCode.OK
        ending = rows[last - 1]
        self._session.screen.one_of_many(ending, release_line(ending, self._session.say))
        return _EXIT_CODES.get(ending.operation, ExitCode.OK)


def _lines(answer: Any, took: str, say: Words, *, dry_run: bool = False) -> list[RenderableType]:
    moved = views.moved(answer.channel, answer.release, took, say)
    return [*moved, *caveats(say, dry_run=dry_run, replayed=answer.replayed)]


def _gates(
    min_success_rate_bp: int | None, max_drop_bp: int | None, max_p95: timedelta | None, max_p95_ratio: float | None
) -> list[release_pb2.Gate]:
    gates = []
    if min_success_rate_bp is not None:
        gates.append(release_pb2.Gate(min_success_rate=min_success_rate_bp / _WHOLE_BP))
    if max_drop_bp is not None:
        gates.append(release_pb2.Gate(max_success_rate_drop=max_drop_bp / _WHOLE_BP))
    if max_p95 is not None:
        gates.append(release_pb2.Gate(max_p95_duration=Duration(seconds=int(max_p95.total_seconds()))))
    if max_p95_ratio is not None:
        gates.append(release_pb2.Gate(max_p95_ratio=max_p95_ratio))
    return gates


def _belongs(gate: release_pb2.Gate, step: release_pb2.CanaryStep) -> bool:
    compares = gate.WhichOneof("measure") in ("max_success_rate_drop", "max_p95_ratio")
    return not (compares and step.weight_bp == _WHOLE_BP)
