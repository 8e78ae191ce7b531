"""`millwright ruleset promote | rollback | mark-bad | mark-good | releases`: what moves a channel, and its log."""

from datetime import datetime
from functools import partial
from typing import Annotated

import typer
from google.protobuf.duration_pb2 import Duration
from millwright.judgment.v1 import release_service_pb2 as pb
from millwright.judgment.v1 import release_service_pb2_grpc

from millwright_cli.arguments import (
    AllowBadTarget,
    ChannelId,
    DryRun,
    ExpectedRevision,
    Freeze,
    KeepSourceGood,
    Limit,
    OptionalReason,
    Reason,
    RollbackSource,
    RollbackTarget,
    VersionNumber,
    Watch,
    ahead,
    timestamp,
)
from millwright_cli.connection import Connection, Service
from millwright_cli.drawing import short
from millwright_cli.judgment.arguments import RulesetName
from millwright_cli.judgment.views import release as views
from millwright_cli.judgment.words import WORDS
from millwright_cli.paging import collect
from millwright_cli.session import Session, Verb, current
from millwright_cli.watching import Stream

SERVICE = Service("judgment", pb.DESCRIPTOR, WORDS)

app = typer.Typer()


@app.command(cls=Verb)
def promote(
    ctx: typer.Context,
    name: RulesetName,
    version: VersionNumber,
    *,
    channel: ChannelId = "prod",
    at: Annotated[
        datetime | None,
        typer.Option(
            "--at",
            parser=ahead,
            metavar="WHEN",
            help="Plan it for then: 2h, or 2026-07-01T06:00.",
            show_default="now",
        ),
    ] = None,
    expected_revision: ExpectedRevision = None,
    reason: OptionalReason = "",
    dry_run: DryRun = False,
) -> None:
    """Point a channel to a version, now or at a time to come: inputs are judged with it from then on."""
    session = current(ctx)
    connection, stub = _connect(session)
    request = pb.PromoteVersionRequest(
        channel=f"{name}/channels/{channel}",
        version=version,
        expected_revision=expected_revision,
        reason=reason,
        validate_only=dry_run,
        activate_time=timestamp(at),
    )
    session.write(connection, stub.PromoteVersion, request, partial(views.promotion, dry_run=dry_run))


@app.command(cls=Verb)
def rollback(
    ctx: typer.Context,
    name: RulesetName,
    *,
    reason: Reason,
    to: RollbackTarget = None,
    source: RollbackSource = None,
    channel: ChannelId = "prod",
    keep_source_good: KeepSourceGood = False,
    allow_bad_target: AllowBadTarget = False,
    freeze: Freeze = None,
    expected_revision: ExpectedRevision = None,
    dry_run: DryRun = False,
) -> None:
    """Point a channel back to a good version: nothing is judged with the version left any more."""
    session = current(ctx)
    connection, stub = _connect(session)
    request = pb.RollbackVersionRequest(
        channel=f"{name}/channels/{channel}",
        target_version=to,
        source_version=source,
        expected_revision=expected_revision,
        reason=reason,
        keep_source_good=keep_source_good,
        allow_bad_target=allow_bad_target,
        freeze=None if freeze is None else Duration(seconds=int(freeze.total_seconds())),
        validate_only=dry_run,
    )
    session.write(connection, stub.RollbackVersion, request, partial(views.rollback, dry_run=dry_run))


@app.command("mark-bad", cls=Verb)
def mark_bad(ctx: typer.Context, name: RulesetName, version: VersionNumber, reason: Reason) -> None:
    """Mark a version bad: it can be neither promoted nor judged with any more, only replayed."""
    session = current(ctx)
    connection, stub = _connect(session)
    request = pb.MarkVersionBadRequest(version=f"{name}/versions/{version}", reason=reason)
    session.write(connection, stub.MarkVersionBad, request, views.mark)


@app.command("mark-good", cls=Verb)
def mark_good(ctx: typer.Context, name: RulesetName, version: VersionNumber, reason: Reason) -> None:
    """Take a bad mark back."""
    session = current(ctx)
    connection, stub = _connect(session)
    request = pb.MarkVersionGoodRequest(version=f"{name}/versions/{version}", reason=reason)
    session.write(connection, stub.MarkVersionGood, request, views.mark)


@app.command(cls=Verb)
def releases(
    ctx: typer.Context,
    name: RulesetName,
    *,
    channel: Annotated[str, typer.Option("--channel", metavar="CHANNEL", help="Only this channel's moves.")] = "",
    limit: Limit = 50,
    watch: Watch = False,
) -> None:
    """Show the release log, newest first; with --watch, where the channels are and then each move as it comes."""
    session = current(ctx)
    connection, stub = _connect(session)
    if watch:
        _watch(session, connection, stub, name, channel)
        return
    request = pb.ListReleasesRequest(ruleset=name, channel=channel)
    found = collect(connection, stub.ListReleases, request, lambda page: page.releases, limit)
    table = views.release_table(found.releases, session.say)
    session.screen.listing(found, table, limit=limit, goes_on=bool(found.next_page_token))


def _watch(
    session: Session,
    connection: Connection,
    stub: release_service_pb2_grpc.ReleaseServiceStub,
    name: str,
    channel: str,
) -> None:
    def open_stream(sequence: int | None) -> Stream[pb.WatchReleasesResponse]:
        request = pb.WatchReleasesRequest(ruleset=name, from_sequence=sequence)
        return connection.stream(stub.WatchReleases, request)

    for message in session.follow(open_stream):
        match message.WhichOneof("message"):
            case "snapshot":
                shown = [each for each in message.snapshot.channels if channel in ("", short(each.name))]
                session.screen.one_of_many(message, *(views.points(each, session.say) for each in shown))
            case "release" if channel in ("", message.release.channel):
                session.screen.one_of_many(message, views.release_line(message.release, session.say))


def _connect(session: Session) -> tuple[Connection, release_service_pb2_grpc.ReleaseServiceStub]:
    connection = session.connect(SERVICE)
    return connection, release_service_pb2_grpc.ReleaseServiceStub(connection.channel)
