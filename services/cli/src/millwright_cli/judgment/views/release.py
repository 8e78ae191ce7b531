"""What releases of rulesets look like to a person. Pure functions from an answer to lines."""

from collections.abc import Iterable

from millwright.judgment.v1 import release_pb2, ruleset_pb2, ruleset_service_pb2
from millwright.judgment.v1 import release_service_pb2 as pb
from rich.console import RenderableType
from rich.text import Text

from millwright_cli.drawing import caveats, clean, glyph, marked, short, table
from millwright_cli.judgment.words import Term
from millwright_cli.times import clock, moment
from millwright_cli.words import Word, Words

_Release = release_pb2.Release
_ON_VERSIONS = {
    _Release.OPERATION_PUBLISH,
    _Release.OPERATION_MARK_BAD,
    _Release.OPERATION_MARK_GOOD,
    _Release.OPERATION_RETIRE,
    _Release.OPERATION_PLAN,
    _Release.OPERATION_UNPLAN,
}


def promotion(answer: pb.PromoteVersionResponse, took: str, say: Words, *, dry_run: bool) -> list[RenderableType]:
    """Say what a promotion did, or what it planned."""
    lines: list[RenderableType] = [move(answer, took, say)]
    if answer.release.operation == _Release.OPERATION_PLAN:
        lines = [_plan(answer.channel, answer.release, say)]
    return [*lines, *caveats(say, dry_run=dry_run, replayed=answer.replayed)]


def rollback(answer: pb.RollbackVersionResponse, took: str, say: Words, *, dry_run: bool) -> list[RenderableType]:
    """Say what a rollback did: the move, the mark on the version left, the freeze."""
    lines: list[RenderableType] = [move(answer, took, say)]
    if answer.changed and answer.release.marked_bad:
        lines.append(Text.assemble("  ", ("✘ ", "red"), say(Term.LEFT_BAD, version=answer.release.from_version)))
    if answer.channel.HasField("freeze_time"):
        lines.append(Text("    " + say(Term.FREEZE, time=moment(answer.channel.freeze_time, say)), style="dim"))
    return [*lines, *caveats(say, dry_run=dry_run, replayed=answer.replayed)]


def mark(
    answer: pb.MarkVersionBadResponse | pb.MarkVersionGoodResponse | ruleset_service_pb2.RetireVersionResponse,
    took: str,
    say: Words,
) -> list[RenderableType]:
    """Say what marking or retiring a version did."""
    state = ruleset_pb2.Version.State.Name(answer.version.state)
    word = Term.MARKED if answer.changed else Term.MARKED_BEFORE
    sentence = say(word, version=answer.version.number, state=say.named(state), took=took)
    return [Text.assemble(glyph(state), " ", sentence), *caveats(say, replayed=answer.replayed)]


def move(answer: pb.PromoteVersionResponse | pb.RollbackVersionResponse, took: str, say: Words) -> Text:
    """Say where a channel went."""
    channel, release = short(answer.channel.name), answer.release
    if not answer.changed:
        return Text(f"= {say(Term.UNMOVED, channel=channel, version=answer.channel.version)}")
    moved = {"before": release.from_version or "–", "after": release.to_version, "revision": release.revision}
    sign = glyph(_Release.Operation.Name(release.operation))
    return Text.assemble(sign, " ", say(Term.MOVED, channel=channel, **moved, took=took))


def points(channel: release_pb2.Channel, say: Words) -> Text:
    """Say where a channel points."""
    sentence = say(Term.POINTS, channel=short(channel.name), version=channel.version, revision=channel.revision)
    return Text.assemble(glyph("OPERATION_PROMOTE"), " ", sentence)


def release_table(releases: Iterable[_Release], say: Words) -> RenderableType:
    """Draw the release log, one row each."""
    headings = (Term.REVISION, Word.WHEN, Term.OPERATION, Term.CHANNEL, Term.MOVE, Word.ACTOR, Word.REASON)
    rows = (
        (
            str(each.revision),
            moment(each.create_time, say),
            marked(_Release.Operation.Name(each.operation), say),
            each.channel,
            _versions(each),
            each.actor,
            _why(each, say),
        )
        for each in releases
    )
    return table(headings, rows, say)


def release_line(release: _Release, say: Words) -> Text:
    """Say one row of the log in one line, as it happens."""
    why = _why(release, say)
    return Text.assemble(
        (f"{clock(release.create_time)}  ", "dim"),
        (f"{release.revision:>4}  ", "bold"),
        marked(_Release.Operation.Name(release.operation), say),
        f"  {clean(release.channel)} " if release.channel else "  ",
        _versions(release),
        f"  {clean(why)}" if why else "",
        (f"  {clean(release.actor)}", "dim"),
    )


def _plan(channel: release_pb2.Channel, release: _Release, say: Words) -> Text:
    known = {"version": release.to_version, "time": moment(release.planned_time, say), "revision": release.revision}
    return Text.assemble(glyph("OPERATION_PLAN"), " ", say(Term.PLANNED_FOR, channel=short(channel.name), **known))


def _versions(release: _Release) -> Text:
    if release.operation in _ON_VERSIONS or release.experiment:
        return Text(str(release.to_version))
    text = Text(f"{release.from_version or '–'} → {release.to_version}")
    if release.marked_bad:
        text.append(f"  ✘ {release.from_version}", style="red")
    return text


def _why(release: _Release, say: Words) -> str:
    """Give the reason, with the experiment or the time that a row is about."""
    about = short(release.experiment)
    if release.HasField("planned_time"):
        about = moment(release.planned_time, say)
    return " · ".join(part for part in (about, release.reason) if part)
