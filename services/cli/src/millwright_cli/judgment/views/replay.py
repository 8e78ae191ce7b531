"""What replays look like to a person. Pure functions from an answer to lines."""

from collections.abc import Iterable

from millwright.judgment.v1 import replay_pb2
from millwright.judgment.v1 import replay_service_pb2 as pb
from rich.console import RenderableType
from rich.text import Text

from millwright_cli.drawing import bar, caveats, clean, facts, marked, number, short, table
from millwright_cli.judgment.trial_words import Trial
from millwright_cli.judgment.values import written
from millwright_cli.judgment.words import Term
from millwright_cli.times import moment, span
from millwright_cli.words import Word, Words


def creation(
    answer: pb.CreateReplayResponse, took: str, say: Words, *, dry_run: bool, watched: bool
) -> list[RenderableType]:
    """Say that a replay was begun, and how to follow it."""
    replay = answer.replay
    counted = f"{replay.progress.total:,}"
    word = Trial.REPLAY_CHECKED if dry_run else Trial.REPLAY_CREATED
    sentence = say(word, replay=short(replay.name), n=counted, took=took)
    lines: list[RenderableType] = [Text.assemble(("○ ", "bright_black"), sentence)]
    if not (watched or dry_run):
        lines.append(Text(f"  {say(Trial.REPLAY_FOLLOW, id=short(replay.name))}"))
    return [*lines, *caveats(say, dry_run=dry_run, replayed=answer.replayed)]


def line(found: replay_pb2.Replay, say: Words) -> Text:
    """Say in one line how far a replay is."""
    progress = found.progress
    told = [
        say(Word.DONE_OF, done=f"{progress.done:,}", total=f"{progress.total:,}"),
        say(Trial.CHANGED_SO_FAR, n=f"{progress.changed:,}"),
    ]
    if progress.errors:
        told.append(say(Trial.REFUSED_SO_FAR, n=f"{progress.errors:,}"))
    if found.state == replay_pb2.Replay.STATE_RUNNING and progress.rate:
        told.append(say(Word.RATE, rate=f"{progress.rate:,.0f}"))
    if found.state == replay_pb2.Replay.STATE_RUNNING and progress.seconds_left:
        told.append(say(Word.LEFT, span=span(progress.seconds_left, say)))
    state = marked(replay_pb2.Replay.State.Name(found.state), say)
    return Text.assemble(state, f"  {short(found.name)}  ", bar(progress.percent / 100), f"  {' · '.join(told)}")


def fault(text: str) -> Text:
    """Say why a replay came to nothing."""
    return Text.assemble(("✘ ", "red"), clean(text))


def replay(found: replay_pb2.Replay, say: Words) -> list[RenderableType]:
    """Draw all that is known of one replay."""
    known = facts(
        (
            (Term.RULESET, short(found.ruleset)),
            (Trial.SELECTION, selection(found.selection, say)),
            (Trial.BASELINE, target(found.baseline) if found.HasField("baseline") else say(Trial.RECORDED)),
            (Trial.TARGETS, ", ".join(target(each) for each in found.targets)),
            (Trial.WHAT_IF, "\n".join(input_change(each) for each in found.input_changes)),
            (Word.ERROR, found.error),
            (Word.ACTOR, found.creator),
            (Word.CREATED, moment(found.create_time, say)),
            (Word.STARTED, moment(found.start_time, say)),
            (Word.ENDED, moment(found.end_time, say)),
        ),
        say,
    )
    return [line(found, say), known]


def replay_table(found: Iterable[replay_pb2.Replay], say: Words) -> RenderableType:
    """Draw replays, one a row."""
    headings = (Trial.REPLAY, Word.STATE, Term.RULESET, Trial.TARGETS, Term.EXECUTIONS, Trial.CHANGED, Word.CREATED)
    rows = (
        (
            short(each.name),
            marked(replay_pb2.Replay.State.Name(each.state), say),
            short(each.ruleset),
            ", ".join(target(target_) for target_ in each.targets),
            f"{each.progress.done:,}",
            f"{each.progress.changed:,}",
            moment(each.create_time, say),
        )
        for each in found
    )
    return table(headings, rows, say)


def selection(found: replay_pb2.Selection, say: Words) -> str:
    """Write what is replayed."""
    match found.WhichOneof("source"):
        case "executions":
            parts = [say(Trial.NAMED, n=len(found.executions.names))]
        case "dataset":
            parts = [clean(found.dataset)]
        case _:
            parts = _filtered(found, say)
    if found.sample_rate:
        parts.append(say(Trial.SAMPLE, share=f"{found.sample_rate:.4g}", seed=found.seed))
    if found.max_executions:
        parts.append(say(Trial.AT_MOST, n=f"{found.max_executions:,}"))
    return " · ".join(parts)


def target(found: replay_pb2.Target) -> str:
    """Write what is judged with, without the ruleset."""
    kind = found.WhichOneof("target") or ""
    return "recorded" if kind == "recorded" else resolved(getattr(found, kind, ""))


def resolved(name: str) -> str:
    """Write a version as its number, a draft or a channel as `drafts/…`, `channels/…`."""
    return clean("/".join(name.split("/")[2:]).removeprefix("versions/"))


def input_change(found: replay_pb2.InputChange) -> str:
    """Write a change of an input."""
    match found.WhichOneof("change"):
        case "set":
            return f"{clean(found.field)} = {written(found.set)}"
        case "add":
            return f"{clean(found.field)} {'+' if found.add >= 0 else '−'} {number(abs(found.add))}"
        case "multiply":
            return f"{clean(found.field)} × {number(found.multiply)}"
    return f"{clean(found.field)} = –"


def _filtered(found: replay_pb2.Selection, say: Words) -> list[str]:
    wanted = found.filter
    parts = [clean(wanted.ruleset.removeprefix("rulesets/"))]
    if wanted.HasField("from_time"):
        parts.append(f"≥ {moment(wanted.from_time, say)}")
    if wanted.HasField("to_time"):
        parts.append(f"< {moment(wanted.to_time, say)}")
    told = (*wanted.outcomes, wanted.line, wanted.product, wanted.shift, wanted.unit, wanted.winning_rule)
    return [*parts, *(clean(each) for each in told if each)]
