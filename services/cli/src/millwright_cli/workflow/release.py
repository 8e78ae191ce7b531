"""`millwright workflow promote | rollback | mark-bad | mark-good | releases`: what moves a channel, and its log."""

from enum import StrEnum
from functools import partial
from typing import Annotated

import typer
from google.protobuf.duration_pb2 import Duration
from millwright.workflow.v1 import release_pb2, release_service_pb2, release_service_pb2_grpc

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
)
from millwright_cli.connection import Connection
from millwright_cli.drawing import short
from millwright_cli.paging import collect
from millwright_cli.session import Session, Verb, current
from millwright_cli.watching import Stream
from millwright_cli.workflow.arguments import WorkflowName
from millwright_cli.workflow.moves import connect, move
from millwright_cli.workflow.views import release as views

app = typer.Typer()


class Policy(StrEnum):
    """What a rollback does with the instances on the version left."""

    DRAIN = "drain"
    PAUSE = "pause"
    CANCEL = "cancel"
    CANCEL_COMPENSATE = "cancel-compensate"
    MIGRATE_COMPATIBLE = "migrate-compatible"
    FORK_FROM_COMMON = "fork-from-common"


@app.command(cls=Verb)
def promote(
    ctx: typer.Context,
    name: WorkflowName,
    version: VersionNumber,
    *,
    channel: ChannelId = "prod",
    expected_revision: ExpectedRevision = None,
    reason: OptionalReason = "",
    dry_run: DryRun = False,
) -> None:
    """Point a channel to a version."""
    session = current(ctx)
    request = release_service_pb2.PromoteVersionRequest(
        channel=f"{name}/channels/{channel}",
        version=version,
        expected_revision=expected_revision,
        reason=reason,
        validate_only=dry_run,
    )
    move(session, lambda stub: stub.PromoteVersion, request, partial(views.promotion, dry_run=dry_run))


@app.command(cls=Verb)
def rollback(
    ctx: typer.Context,
    name: WorkflowName,
    *,
    reason: Reason,
    to: RollbackTarget = None,
    source: RollbackSource = None,
    channel: ChannelId = "prod",
    policy: Annotated[
        Policy | None,
        typer.Option("--policy", help="What happens to instances running on the version left.", show_default="drain"),
    ] = None,
    keep_source_good: KeepSourceGood = False,
    allow_bad_target: AllowBadTarget = False,
    freeze: Freeze = None,
    expected_revision: ExpectedRevision = None,
    dry_run: DryRun = False,
) -> None:
    """Point a channel back to a good version: no instance begins on the version left any more."""
    session = current(ctx)
    request = release_service_pb2.RollbackVersionRequest(
        channel=f"{name}/channels/{channel}",
        target_version=to,
        source_version=source,
        expected_revision=expected_revision,
        reason=reason,
        run_policy=_run_policy(policy),
        keep_source_good=keep_source_good,
        allow_bad_target=allow_bad_target,
        freeze=None if freeze is None else Duration(seconds=int(freeze.total_seconds())),
        validate_only=dry_run,
    )
    move(session, lambda stub: stub.RollbackVersion, request, partial(views.rollback, dry_run=dry_run))


@app.command("mark-bad", cls=Verb)
def mark_bad(ctx: typer.Context, name: WorkflowName, version: VersionNumber, reason: Reason) -> None:
    """Mark a version bad: it can be neither promoted nor started any more."""
    session = current(ctx)
    request = release_service_pb2.MarkVersionBadRequest(version=f"{name}/versions/{version}", reason=reason)
    move(session, lambda stub: stub.MarkVersionBad, request, views.mark)


@app.command("mark-good", cls=Verb)
def mark_good(ctx: typer.Context, name: WorkflowName, version: VersionNumber, reason: Reason) -> None:
    """Take a bad mark back."""
    session = current(ctx)
    request = release_service_pb2.MarkVersionGoodRequest(version=f"{name}/versions/{version}", reason=reason)
    move(session, lambda stub: stub.MarkVersionGood, request, views.mark)


@app.command(cls=Verb)
def releases(
    ctx: typer.Context,
    name: WorkflowName,
    *,
    channel: Annotated[str, typer.Option("--channel", metavar="CHANNEL", help="Only this channel's moves.")] = "",
    limit: Limit = 50,
    watch: Watch = False,
) -> None:
    """Show the release log, newest first; with --watch, where the channels are and then each move as it comes."""
    session = current(ctx)
    connection, stub = connect(session)
    if watch:
        _watch(session, connection, stub, name, channel)
        return
    request = release_service_pb2.ListReleasesRequest(workflow=name, channel=channel)
    found = collect(connection, stub.ListReleases, request, lambda page: page.releases, limit)
    session.screen.listing(
        found, views.release_table(found.releases, session.say), limit=limit, goes_on=bool(found.next_page_token)
    )


def _watch(
    session: Session,
    connection: Connection,
    stub: release_service_pb2_grpc.ReleaseServiceStub,
    name: str,
    channel: str,
) -> None:
    def open_stream(sequence: int | None) -> Stream[release_service_pb2.WatchReleasesResponse]:
        request = release_service_pb2.WatchReleasesRequest(workflow=name, from_sequence=sequence)
        return connection.stream(stub.WatchReleases, request)

    for message in session.follow(open_stream):
        match message.WhichOneof("message"):
            case "snapshot":
                shown = [each for each in message.snapshot.channels if channel in ("", short(each.name))]
                session.screen.one_of_many(message, *(views.points(each, session.say) for each in shown))
            case "release" if channel in ("", message.release.channel):
                session.screen.one_of_many(message, views.release_line(message.release, session.say))


def _run_policy(policy: Policy | None) -> release_pb2.RunPolicy.ValueType:
    if policy is None:
        return release_pb2.RUN_POLICY_UNSPECIFIED
    return release_pb2.RunPolicy.Value(f"RUN_POLICY_{policy.name}")
