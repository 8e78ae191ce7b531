"""What a run job looks like to a person. Pure functions from an answer to lines."""

from collections.abc import Iterable

from millwright.workflow.v1 import release_pb2
from rich.console import RenderableType
from rich.text import Text

from millwright_cli.drawing import clean, facts, marked, short, table
from millwright_cli.times import moment
from millwright_cli.words import Word, Words
from millwright_cli.workflow.words import Term

_COUNTS = ("migrated", "forked", "paused", "cancelled", "ended", "failed")
_BAR_CELLS = 20


def job(value: release_pb2.RunJob, say: Words) -> list[RenderableType]:
    """Show a job."""
    policy = release_pb2.RunPolicy.Name(value.run_policy).removeprefix("RUN_")
    known = [
        (Term.POLICY, say.named(policy)),
        (Term.RELEASE, clean(value.release)),
        (Word.CREATED, moment(value.create_time, say)),
        (Word.ENDED, moment(value.end_time, say) if value.HasField("end_time") else ""),
    ]
    return [line(value, say), facts(known, say)]


def line(value: release_pb2.RunJob, say: Words) -> Text:
    """Say in one line how far a job is."""
    done = sum(getattr(value.counts, name) for name in _COUNTS)
    cells = round(_BAR_CELLS * min(done, value.total) / value.total) if value.total else _BAR_CELLS
    told = [f"{say.named(f'JOB_{name.upper()}')} {count}" for name in _COUNTS if (count := getattr(value.counts, name))]
    return Text.assemble(
        marked(release_pb2.RunJob.State.Name(value.state), say),
        f"  {short(value.name)}  ",
        ("█" * cells, "cyan"),
        ("░" * (_BAR_CELLS - cells), "dim"),
        f"  {say(Term.JOB_DONE, done=done, total=value.total)}",
        (f"  {' · '.join(told)}" if told else ""),
    )


def outcome_table(outcomes: Iterable[release_pb2.RunJobOutcome], say: Words) -> RenderableType:
    """Draw what became of each instance, one a row."""
    headings = (Term.INSTANCE, Word.STATE, Term.SUCCESSOR, Word.WHEN, Word.REASON)
    rows = (
        (
            short(each.instance),
            _became(each, say),
            short(each.successor),
            moment(each.outcome_time, say),
            each.reason,
        )
        for each in outcomes
    )
    return table(headings, rows, say)


def _became(outcome: release_pb2.RunJobOutcome, say: Words) -> str:
    return say.named(release_pb2.RunJobOutcome.Kind.Name(outcome.kind).replace("KIND_", "JOB_"))
