"""What answers about workflows and their versions look like to a person. Pure functions from an answer to lines."""

from collections import Counter
from collections.abc import Iterable

from google.protobuf.struct_pb2 import Value
from millwright.workflow.v1 import release_pb2, workflow_pb2, workflow_service_pb2
from rich.console import RenderableType
from rich.syntax import Syntax
from rich.text import Text

from millwright_cli.drawing import caveats, clean, facts, json_text, marked, short, table
from millwright_cli.times import moment
from millwright_cli.words import Word, Words
from millwright_cli.workflow.views import release
from millwright_cli.workflow.words import Term

_KINDS = {
    workflow_pb2.Change.KIND_ADDED: ("+", "green"),
    workflow_pb2.Change.KIND_REMOVED: ("-", "red"),
    workflow_pb2.Change.KIND_CHANGED: ("~", "yellow"),
    workflow_pb2.Change.KIND_MOVED: (">", "cyan"),
}


def publication(
    answer: workflow_service_pb2.PublishVersionResponse, took: str, say: Words, *, dry_run: bool
) -> list[RenderableType]:
    """Say what publishing did."""
    version, workflow = answer.version, answer.version.name.removeprefix("workflows/").partition("/")[0]
    word = Term.PUBLISHED if answer.created else Term.PUBLISHED_BEFORE
    sentence = say(word, workflow=clean(workflow), semver=clean(version.semver), version=version.number, took=took)
    lines = [Text.assemble(("✔ ", "green"), sentence)]
    if answer.HasField("channel"):
        lines.append(release.points(answer.channel, say))
    return [*lines, *caveats(say, dry_run=dry_run, replayed=answer.replayed)]


def workflow_table(found: workflow_service_pb2.ListWorkflowsResponse, say: Words) -> RenderableType:
    """Draw workflows, one a row."""
    headings = (Term.WORKFLOW, Term.LATEST, Term.REVISION, Word.CREATED, Word.UPDATED)
    rows = (
        (
            short(each.name),
            str(each.latest_version),
            str(each.latest_revision),
            moment(each.create_time, say),
            moment(each.update_time, say),
        )
        for each in found.workflows
    )
    return table(headings, rows, say)


def workflow(answer: workflow_service_pb2.GetWorkflowResponse, say: Words) -> list[RenderableType]:
    """Draw one workflow and where its channels point."""
    workflow = answer.workflow
    known = facts(
        (
            (Term.WORKFLOW, short(workflow.name)),
            (Term.LATEST, str(workflow.latest_version)),
            (Term.REVISION, str(workflow.latest_revision)),
            (Word.CREATED, moment(workflow.create_time, say)),
            (Word.UPDATED, moment(workflow.update_time, say)),
        ),
        say,
    )
    return [known, Text(), channel_table(answer.channels, say)]


def channel_table(channels: Iterable[release_pb2.Channel], say: Words) -> RenderableType:
    """Draw channels, one a row."""
    headings = (Term.CHANNEL, Word.VERSION, Term.REVISION, Word.UPDATED, Term.FROZEN)
    rows = (
        (
            short(each.name),
            str(each.version),
            str(each.revision),
            moment(each.update_time, say),
            moment(each.freeze_time, say),
        )
        for each in channels
    )
    return table(headings, rows, say)


def version_table(found: workflow_service_pb2.ListVersionsResponse, say: Words) -> RenderableType:
    """Draw versions, one a row."""
    headings = (Word.VERSION, Term.SEMVER, Word.STATE, Word.CREATED, Word.ACTOR, Term.CONTENT, Word.REASON)
    rows = (
        (
            str(each.number),
            each.semver,
            marked(workflow_pb2.Version.State.Name(each.state), say),
            moment(each.create_time, say),
            each.creator,
            each.content_hash[:12],
            each.bad_reason,
        )
        for each in found.versions
    )
    return table(headings, rows, say)


def definition(version: workflow_pb2.Version, say: Words) -> list[RenderableType]:
    """Draw a version's definition under its title."""
    text = clean(version.definition).rstrip("\n")
    title = Text.assemble(
        (f"{clean(version.name)}  ", "bold"),
        f"{clean(version.semver)}  ",
        marked(workflow_pb2.Version.State.Name(version.state), say),
    )
    lexer = "json" if text.lstrip().startswith(("{", "[")) else "yaml"
    return [title, Syntax(text, lexer, theme="ansi_dark", background_color="default", word_wrap=True)]


def schedule(answer: workflow_service_pb2.ListSchedulesResponse, name: str, say: Words) -> list[RenderableType]:
    """Draw when a workflow starts by itself."""
    if not answer.schedules:
        return [Text(say(Term.NO_SCHEDULE, workflow=clean(short(name))))]
    found = answer.schedules[0]
    is_clocked = found.HasField("next_time")
    known = (
        (Term.WORKFLOW, short(found.workflow)),
        (Word.VERSION, str(found.version)),
        (Term.SCHEDULE, json_text(Value(struct_value=found.definition))),
        (Term.NEXT_RUN, moment(found.next_time, say) if is_clocked else say(Term.ON_EVENT)),
        (Term.LAST_RUN, moment(found.last_time, say)),
        (Term.INSTANCE, short(found.last_instance)),
        (Term.IN_FORCE, moment(found.begin_time, say)),
    )
    return [facts(known, say)]


def differences(
    answer: workflow_service_pb2.DiffVersionsResponse, before: int, after: int, say: Words
) -> list[RenderableType]:
    """Draw what differs, a change a paragraph, and count it."""
    if not answer.changes:
        return [Text(say(Term.SAME, before=before, after=after))]
    count = Counter(change.kind for change in answer.changes)
    summary = say(
        Term.DIFFERENCES,
        before=before,
        after=after,
        added=count[workflow_pb2.Change.KIND_ADDED],
        removed=count[workflow_pb2.Change.KIND_REMOVED],
        changed=count[workflow_pb2.Change.KIND_CHANGED],
        moved=count[workflow_pb2.Change.KIND_MOVED],
    )
    return [Text(summary, style="bold"), *(_change(change, say) for change in answer.changes)]


def _change(change: workflow_pb2.Change, say: Words) -> RenderableType:
    sign, colour = _KINDS.get(change.kind, ("?", "default"))
    title = Text.assemble((f"{sign} ", colour), (clean(change.pointer), "bold"))
    if change.kind == workflow_pb2.Change.KIND_MOVED:
        title.append(f"  {say(Term.MOVED_FROM, pointer=clean(change.from_pointer))}", style="dim")
    values: list[Text] = []
    if change.kind in (workflow_pb2.Change.KIND_REMOVED, workflow_pb2.Change.KIND_CHANGED):
        values.append(_value("- ", change.before, "red"))
    if change.kind in (workflow_pb2.Change.KIND_ADDED, workflow_pb2.Change.KIND_CHANGED):
        values.append(_value("+ ", change.after, "green"))
    return Text("\n").join([title, *values])


def _value(sign: str, value: Value, colour: str) -> Text:
    lines = json_text(value).splitlines()
    return Text("\n".join(f"    {sign}{line}" for line in lines), style=colour)
