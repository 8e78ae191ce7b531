"""What answers about rulesets and their versions look like to a person. Pure functions from an answer to lines."""

from collections.abc import Iterable, Mapping

from millwright.judgment.v1 import release_pb2, ruleset_pb2
from millwright.judgment.v1 import ruleset_service_pb2 as pb
from rich.console import RenderableType
from rich.syntax import Syntax
from rich.text import Text

from millwright_cli.drawing import caveats, clean, facts, marked, short, table
from millwright_cli.judgment.views import gate, release
from millwright_cli.judgment.words import Term
from millwright_cli.times import moment
from millwright_cli.words import Word, Words

_Edit = ruleset_pb2.Edit
_EDITS = {
    _Edit.KIND_CONDITION_TIGHTENED: ("▲", "yellow"),
    _Edit.KIND_CONDITION_LOOSENED: ("▽", "yellow"),
    _Edit.KIND_RULE_ADDED: ("+", "green"),
    _Edit.KIND_RULE_REMOVED: ("-", "red"),
    _Edit.KIND_ORDER_CHANGED: (">", "cyan"),
}


def publication(answer: pb.PublishVersionResponse, took: str, say: Words, *, dry_run: bool) -> list[RenderableType]:
    """Say what publishing did, and what the gate found."""
    version, ruleset = answer.version, answer.version.name.removeprefix("rulesets/").partition("/")[0]
    word = Term.PUBLISHED if answer.created else Term.PUBLISHED_BEFORE
    sentence = say(word, ruleset=clean(ruleset), semver=clean(version.semver), version=version.number, took=took)
    lines: list[RenderableType] = [Text.assemble(("✔ ", "green"), sentence)]
    if answer.HasField("channel"):
        lines.append(release.points(answer.channel, say))
    lines += [*gate.summary(version.gate_report, say), *gate.findings(version.gate_report.findings, say)]
    return [*lines, *caveats(say, dry_run=dry_run, replayed=answer.replayed)]


def ruleset_table(found: Iterable[ruleset_pb2.Ruleset], say: Words) -> RenderableType:
    """Draw rulesets, one a row."""
    headings = (Term.RULESET, Word.TITLE, Term.LATEST, Term.REVISION, Word.CREATED, Word.UPDATED)
    rows = (
        (
            short(each.name),
            spoken(each.titles, say),
            str(each.latest_version),
            str(each.latest_revision),
            moment(each.create_time, say),
            moment(each.update_time, say),
        )
        for each in found
    )
    return table(headings, rows, say)


def ruleset(answer: pb.GetRulesetResponse, say: Words) -> list[RenderableType]:
    """Draw one ruleset and where its channels point."""
    found = answer.ruleset
    known = facts(
        (
            (Term.RULESET, short(found.name)),
            (Word.TITLE, spoken(found.titles, say)),
            (Term.LATEST, str(found.latest_version)),
            (Term.REVISION, str(found.latest_revision)),
            (Word.CREATED, moment(found.create_time, say)),
            (Word.UPDATED, moment(found.update_time, say)),
        ),
        say,
    )
    return [known, Text(), channel_table(answer.channels, say)]


def channel_table(channels: Iterable[release_pb2.Channel], say: Words) -> RenderableType:
    """Draw channels, one a row."""
    headings = (
        Term.CHANNEL,
        Word.VERSION,
        Term.REVISION,
        Word.UPDATED,
        Term.PLANNED,
        Term.EXPERIMENT,
        Term.FROZEN,
    )
    rows = (
        (
            short(each.name),
            str(each.version),
            str(each.revision),
            moment(each.update_time, say),
            f"{each.planned_version} · {moment(each.planned_time, say)}" if each.planned_version else "–",
            short(each.experiment) or "–",
            moment(each.freeze_time, say),
        )
        for each in channels
    )
    return table(headings, rows, say)


def version_table(found: Iterable[ruleset_pb2.Version], say: Words) -> RenderableType:
    """Draw versions, one a row."""
    headings = (Word.VERSION, Term.SEMVER, Word.STATE, Word.CREATED, Word.ACTOR, Term.CONTENT, Word.REASON)
    rows = (
        (
            str(each.number),
            each.semver,
            marked(ruleset_pb2.Version.State.Name(each.state), say),
            moment(each.create_time, say),
            each.creator,
            each.content_hash[:12],
            each.state_reason,
        )
        for each in found
    )
    return table(headings, rows, say)


def document(version: ruleset_pb2.Version, say: Words) -> list[RenderableType]:
    """Draw a version's document under its title."""
    title = Text.assemble(
        (f"{clean(version.name)}  ", "bold"),
        f"{clean(version.semver)}  ",
        marked(ruleset_pb2.Version.State.Name(version.state), say),
    )
    text = clean(version.document).rstrip("\n")
    return [title, Syntax(text, "json", theme="ansi_dark", background_color="default", word_wrap=True)]


def differences(answer: pb.DiffVersionsResponse, before: str, after: str, say: Words) -> list[RenderableType]:
    """Draw what differs, an edit a row."""
    if not answer.edits:
        return [Text(f"= {say(Term.SAME, before=short_reference(before), after=short_reference(after))}")]
    return [edit_table(answer.edits, say)]


def edit_table(edits: Iterable[ruleset_pb2.Edit], say: Words) -> RenderableType:
    """Draw edits, one a row."""
    headings = (Term.CHANGE, Term.RULE, Term.FIELD, Term.BEFORE, Term.AFTER)
    rows = ((edit_kind(each, say), each.rule or each.table, each.field, each.before, each.after) for each in edits)
    return table(headings, rows, say)


def edit_kind(edit: ruleset_pb2.Edit, say: Words) -> Text:
    """Say what kind of edit it is."""
    sign, colour = _EDITS.get(edit.kind, ("~", "yellow"))
    return Text(f"{sign} {say.named(_Edit.Kind.Name(edit.kind).replace('KIND_', 'EDIT_'))}", style=colour)


def short_reference(reference: str) -> str:
    """Write a version as its number; all else as it is named."""
    return reference.removeprefix("versions/")


def spoken(texts: Mapping[str, str], say: Words) -> str:
    """Give a text in the caller's language, else in English, else in any that there is."""
    return texts.get(say.language) or texts.get("en") or next(iter(texts.values()), "")
