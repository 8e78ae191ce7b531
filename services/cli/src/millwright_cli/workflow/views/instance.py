"""What instances and their events look like to a person. Pure functions from an answer to lines."""

import time
from collections.abc import Iterable

from millwright.workflow.v1 import instance_pb2, instance_service_pb2
from rich.console import RenderableType
from rich.text import Text

from millwright_cli.drawing import caveats, clean, facts, glyph, json_text, marked, short, table
from millwright_cli.times import clock, instant, moment, span
from millwright_cli.words import Vocabulary, Word, Words
from millwright_cli.workflow.words import Term

_UNDO = "/metadata/undo"
"""What follows a task's pointer in the reference of its undo."""
_UNDOING = (instance_pb2.Compensation.STATE_REQUESTED, instance_pb2.Compensation.STATE_RUNNING)


def instance(found: instance_pb2.Instance, say: Words) -> list[RenderableType]:
    """Draw all that is known of one instance."""
    return [
        facts(
            (
                (Term.INSTANCE, short(found.name)),
                (Term.WORKFLOW, short(found.workflow)),
                (Term.CHANNEL, found.channel),
                (Word.VERSION, str(found.version or "–")),
                (Word.STATE, state(found, say)),
                (Term.TASKS, str(found.finished_tasks)),
                (Word.ACTOR, found.creator),
                (Word.CREATED, moment(found.create_time, say)),
                (Word.STARTED, moment(found.start_time, say)),
                (Word.ENDED, moment(found.end_time, say)),
                (Word.TOOK, took(found, say)),
                (Word.INPUT, json_text(found.input) if found.HasField("input") else ""),
                *outcome(found),
                *compensation(found, say),
            ),
            say,
        )
    ]


def outcome(found: instance_pb2.Instance) -> list[tuple[Vocabulary, str | Text]]:
    """Give what an instance ended with, as facts: its output, or its error."""
    output: list[tuple[Vocabulary, str | Text]] = []
    if found.HasField("output"):
        output.append((Word.OUTPUT, json_text(found.output)))
    if found.HasField("error"):
        output.append((Word.ERROR, _error(found.error)))
    return output


def compensation(found: instance_pb2.Instance, say: Words) -> list[tuple[Vocabulary, str | Text]]:
    """Give how far the undoing of what an instance did is, as facts; none if nobody wants that."""
    if not found.HasField("compensation"):
        return []
    known = found.compensation
    name = instance_pb2.Compensation.State.Name(known.state).replace("STATE", "UNDO")
    told: list[tuple[Vocabulary, str | Text]] = [(Term.COMPENSATION, say.named(name))]
    if known.undone:
        told.append((Term.UNDONE, "\n".join(clean(task) for task in known.undone)))
    if known.HasField("cause") and known.cause != found.error:
        told.append((Term.UNDONE_FOR, _error(known.cause)))
    return told


def instance_table(instances: Iterable[instance_pb2.Instance], say: Words) -> RenderableType:
    """Draw instances, one a row."""
    headings = (Term.INSTANCE, Word.STATE, Word.VERSION, Term.TASKS, Word.CREATED, Word.TOOK, Term.WORKFLOW)
    rows = (
        (
            short(each.name),
            state(each, say),
            str(each.version or "–"),
            str(each.finished_tasks),
            moment(each.create_time, say),
            took(each, say),
            short(each.workflow),
        )
        for each in instances
    )
    return table(headings, rows, say)


def state(found: instance_pb2.Instance, say: Words) -> Text:
    """Say where an instance stands; one that is to be cancelled and runs on says so."""
    name = instance_pb2.Instance.State.Name(found.state)
    is_ending = found.cancel_requested and found.state == instance_pb2.Instance.STATE_RUNNING
    return marked("STATE_CANCELLING" if is_ending else name, say)


def took(found: instance_pb2.Instance, say: Words) -> str:
    """Say how long an instance has run, up to its end or to now; nothing before it begins."""
    if not found.HasField("start_time"):
        return ""
    end = instant(found.end_time).timestamp() if found.HasField("end_time") else time.time()
    return span(end - instant(found.start_time).timestamp(), say)


def event_line(event: instance_pb2.InstanceEvent, say: Words) -> Text:
    """Say one event in one line, as it happens."""
    kind = instance_pb2.InstanceEvent.Kind.Name(event.kind)
    task = event.task
    if event.kind == instance_pb2.InstanceEvent.KIND_TASK_COMPLETED and (undone := undone_task(task)):
        kind, task = "KIND_TASK_UNDONE", undone
    line = Text.assemble((f"{clock(event.event_time)}  ", "dim"), glyph(kind), " ")
    line.append(say.named(kind, version=event.version, percent=event.percent))
    if task:
        line.append(f"  {clean(task)}", style="bold")
    if event.HasField("error"):
        line.append("  ").append_text(_error(event.error))
    return line


def undone_task(reference: str) -> str:
    """Give the reference of the task that the undo of `reference` undid; empty if it is none."""
    pointer, rounds = reference, ""
    for mark in "@#":
        if mark in pointer:
            pointer, _, rest = pointer.partition(mark)
            rounds = mark + rest + rounds
    return pointer.removesuffix(_UNDO) + rounds if pointer.endswith(_UNDO) else ""


def _error(error: instance_pb2.InstanceError) -> Text:
    said = ": ".join(clean(part) for part in (error.title, error.detail) if part)
    kind = clean(error.type.rpartition("/")[2])
    where = f" ({kind} {error.status})" if error.status else f" ({kind})" if kind else ""
    place = f" {clean(error.instance)}" if error.instance else ""
    return Text.assemble((said or kind, "red"), (where if said else "", "dim"), (place, "dim"))


def cancellation(found: instance_pb2.Instance, say: Words) -> Text:
    """Say what a wish to cancel came to: it is cancelled, about to be, or being undone."""
    sign, word = "STATE_CANCELLING", Term.CANCEL_ASKED
    if found.HasField("compensation") and found.compensation.state in _UNDOING:
        sign, word = "STATE_COMPENSATING", Term.UNDO_ASKED
    elif found.state == instance_pb2.Instance.STATE_CANCELLED:
        sign, word = "STATE_CANCELLED", Term.CANCELLED_NOW
    return Text.assemble(glyph(sign), " ", say(word, instance=short(found.name)))


def acceptance(
    answer: instance_service_pb2.StartInstanceResponse, took: str, say: Words, *, watched: bool
) -> list[RenderableType]:
    """Say that an instance was accepted, and how to follow it."""
    found = answer.instance
    target = (
        say(Term.ON_CHANNEL, channel=found.channel) if found.channel else say(Term.ON_VERSION, version=found.version)
    )
    names = {"instance": short(found.name), "workflow": short(found.workflow)}
    lines = [Text.assemble(glyph("STATE_PENDING"), " ", say(Term.ACCEPTED, **names, target=target, took=took))]
    lines += caveats(say, replayed=answer.replayed)
    if not watched:
        lines.append(Text(f"  {say(Term.FOLLOW, id=short(found.name))}", style="dim"))
    return [*lines]


def progress(found: instance_pb2.Instance, say: Words, total: int = 0) -> Text:
    """Say where a watched instance stands, in one line; empty while nothing is known. `total` tasks, 0 for unknown."""
    if not found.state:
        return Text()
    version = say(Term.ON_VERSION, version=found.version) if found.version else ""
    parts = [version, _count(found.finished_tasks, total, say), took(found, say)]
    return Text.assemble(state(found, say), *((f"  ·  {part}", "dim") for part in parts if part))


def _count(finished: int, total: int, say: Words) -> str:
    if not total:
        return say(Term.TASK_COUNT, n=finished)
    return say(Term.TASK_SHARE, n=finished, total=total, percent=100 * min(finished / total, 1))
