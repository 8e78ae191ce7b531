"""What releases look like to a person. Pure functions from an answer to lines."""

from collections.abc import Iterable

from millwright.workflow.v1 import release_pb2, release_service_pb2, workflow_pb2
from rich.console import RenderableType
from rich.text import Text

from millwright_cli.drawing import caveats, clean, glyph, marked, short, table
from millwright_cli.times import clock, moment
from millwright_cli.words import Word, Words
from millwright_cli.workflow.words import Term

_OPERATIONS_ON_VERSIONS = {
    release_pb2.Release.OPERATION_PUBLISH,
    release_pb2.Release.OPERATION_MARK_BAD,
    release_pb2.Release.OPERATION_MARK_GOOD,
}


def promotion(
    answer: release_service_pb2.PromoteVersionResponse, took: str, say: Words, *, dry_run: bool
) -> list[RenderableType]:
    """Say what a promotion did."""
    return [_move(answer, took, say), *caveats(say, dry_run=dry_run, replayed=answer.replayed)]


def rollback(
    answer: release_service_pb2.RollbackVersionResponse, took: str, say: Words, *, dry_run: bool
) -> list[RenderableType]:
    """Say what a rollback did: the move, the mark on the version left, its instances, the freeze."""
    lines: list[RenderableType] = [_move(answer, took, say)]
    release, impact = answer.release, answer.impact
    if answer.changed and release.marked_bad:
        lines.append(Text.assemble("  ", ("✘ ", "red"), say(Term.LEFT_BAD, version=release.from_version)))
    if answer.changed:
        policy = release_pb2.RunPolicy.Name(release.run_policy or release_pb2.RUN_POLICY_DRAIN)
        counts = {"running": impact.running, "paused": impact.paused, "version": release.from_version}
        lines.append(Text("    " + say(Term.IMPACT, **counts, policy=say.named(policy.removeprefix("RUN_")))))
    if release.run_job:
        lines.append(Text("    " + say(Term.JOB_FOLLOW, id=short(release.run_job))))
    if answer.channel.HasField("freeze_time"):
        lines.append(Text("    " + say(Term.FREEZE, time=moment(answer.channel.freeze_time, say)), style="dim"))
    return [*lines, *caveats(say, dry_run=dry_run, replayed=answer.replayed)]


def mark(
    answer: release_service_pb2.MarkVersionBadResponse | release_service_pb2.MarkVersionGoodResponse,
    took: str,
    say: Words,
) -> list[RenderableType]:
    """Say what marking a version did."""
    state = workflow_pb2.Version.State.Name(answer.version.state)
    word = Term.MARKED if answer.changed else Term.MARKED_BEFORE
    sentence = say(word, version=answer.version.number, state=say.named(state), took=took)
    return [Text.assemble(glyph(state), " ", sentence), *caveats(say, replayed=answer.replayed)]


def points(channel: release_pb2.Channel, say: Words) -> Text:
    """Say where a channel points."""
    sentence = say(Term.POINTS, channel=short(channel.name), version=channel.version, revision=channel.revision)
    return Text.assemble(glyph("OPERATION_PROMOTE"), " ", sentence)


def release_table(releases: Iterable[release_pb2.Release], say: Words) -> RenderableType:
    """Draw the release log, one move a row."""
    headings = (Term.REVISION, Word.WHEN, Term.OPERATION, Term.CHANNEL, Term.MOVE, Word.ACTOR, Word.REASON)
    rows = (
        (
            str(each.revision),
            moment(each.create_time, say),
            marked(release_pb2.Release.Operation.Name(each.operation), say),
            each.channel,
            _versions(each),
            each.actor,
            each.reason,
        )
        for each in releases
    )
    return table(headings, rows, say)


def release_line(release: release_pb2.Release, say: Words) -> Text:
    """Say one move in one line, as it happens."""
    return Text.assemble(
        (f"{clock(release.create_time)}  ", "dim"),
        (f"{release.revision:>4}  ", "bold"),
        marked(release_pb2.Release.Operation.Name(release.operation), say),
        f"  {clean(release.channel)} " if release.channel else "  ",
        _versions(release),
        (f"  {clean(release.reason)}" if release.reason else ""),
        (f"  {clean(release.actor)}", "dim"),
    )


def _move(
    answer: release_service_pb2.PromoteVersionResponse | release_service_pb2.RollbackVersionResponse,
    took: str,
    say: Words,
) -> Text:
    channel, release = short(answer.channel.name), answer.release
    if not answer.changed:
        return Text(f"= {say(Term.UNMOVED, channel=channel, version=answer.channel.version)}")
    moved = {"before": release.from_version or "–", "after": release.to_version, "revision": release.revision}
    sign = glyph(release_pb2.Release.Operation.Name(release.operation))
    return Text.assemble(sign, " ", say(Term.MOVED, channel=channel, **moved, took=took))


def _versions(release: release_pb2.Release) -> Text:
    if release.operation in _OPERATIONS_ON_VERSIONS:
        return Text(str(release.to_version))
    if release.canary_version:
        return Text(f"{release.to_version} + {release.canary_version} ({release.canary_weight_bp / 100:g} %)")
    text = Text(f"{release.from_version or '–'} → {release.to_version}")
    if release.marked_bad:
        text.append(f"  ✘ {release.from_version}", style="red")
    return text
