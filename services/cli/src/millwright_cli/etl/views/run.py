"""What runs and their windows look like to a person. Pure functions from answers to lines."""

from collections.abc import Iterable, Iterator, Sequence

from millwright.etl.v1 import run_pb2
from rich.console import RenderableType
from rich.text import Text

from millwright_cli.drawing import bar, clean, facts, marked, short, table
from millwright_cli.etl.run_words import Term
from millwright_cli.times import moment, span
from millwright_cli.words import Word, Words

_SHOWN = 40


def line(value: run_pb2.Run, say: Words) -> Text:
    """Say in one line how far a run is, how fast, and how long it takes yet."""
    progress = value.progress
    told = [say(Term.DAYS_DONE, done=progress.windows_done, total=progress.windows_total)]
    if value.state == run_pb2.Run.STATE_RUNNING and progress.rate:
        told.append(say(Word.RATE, rate=f"{progress.rate:,.0f}"))
        told.append(say(Word.LEFT, span=span(progress.seconds_left, say)))
    return Text.assemble(
        marked(run_pb2.Run.State.Name(value.state), say),
        f"  {short(value.name)}  ",
        bar(progress.percent / 100),
        f"  {' · '.join(told)}",
    )


def run(value: run_pb2.Run, say: Words) -> Iterator[RenderableType]:
    """Show a run and what it counted."""
    yield line(value, say)
    known = [
        (Term.KIND, say.named(run_pb2.Run.Kind.Name(value.kind))),
        (Term.SPAN, days(value)),
        (Term.READ, counted(value.counts, say) if value.counts.rows_read else ""),
        (Term.FACTS, written(value.counts, say) if value.counts.rows_read else ""),
        (Term.PIECES, f"{value.counts.total_qty:,.12g}" if value.counts.rows_read else ""),
        (Word.ACTOR, value.requester),
        (Word.CREATED, moment(value.create_time, say)),
        (Word.ENDED, moment(value.end_time, say) if value.HasField("end_time") else ""),
        (Term.CODE, f"{value.code_version} · {value.sql_hash[:12]}"),
        (Word.ERROR, value.error),
    ]
    yield facts(known, say)


def planned(windows: Sequence[run_pb2.Window], total: int, say: Words) -> Iterator[RenderableType]:
    """List the days of a run that begins, and why each is in it."""
    if not windows:
        yield Text(say(Term.NOTHING_DUE), style="dim")
        return
    cells = [(window.date, _cause(window, say)) for window in windows[:_SHOWN]]
    yield table((Term.DAY, Term.CAUSE), cells, say)
    if (more := total - len(cells)) > 0:
        yield Text(say(Term.MORE_DAYS, n=more), style="dim")


def windows(found: Iterable[run_pb2.Window], say: Words) -> RenderableType:
    """Draw windows, one a row."""
    headings = (Term.DAY, Word.STATE, Term.CAUSE, Term.READ, Term.USED, Term.QUARANTINED, Word.TOOK, Term.WHY)
    cells = (
        (
            window.date,
            marked(run_pb2.Window.State.Name(window.state), say),
            _cause(window, say),
            f"{window.counts.rows_read:,}",
            f"{window.counts.rows_used:,}",
            f"{window.counts.rows_quarantined:,}",
            span(window.duration_ms / 1000, say) if window.duration_ms else "",
            f"{window.reason}: {window.message}" if window.reason else "",
        )
        for window in found
    )
    return table(headings, cells, say)


def broken(found: Iterable[run_pb2.Window], say: Words) -> Iterator[RenderableType]:
    """Tell the quality rules that did not hold, if there are any."""
    cells = [
        (
            window.date,
            short(result.rule),
            marked(run_pb2.QualityRule.Severity.Name(result.severity), say),
            result.message,
        )
        for window in found
        for result in window.quality
        if not result.held
    ]
    if cells:
        yield table((Term.DAY, Term.RULE, Term.SEVERITY, Term.WHY), cells, say)


def runs(found: Iterable[run_pb2.Run], say: Words) -> RenderableType:
    """Draw runs, one a row."""
    headings = (Term.NAME, Word.STATE, Term.KIND, Term.SPAN, Term.USED, Term.QUARANTINED, Word.ACTOR, Word.WHEN)
    cells = (
        (
            short(each.name),
            marked(run_pb2.Run.State.Name(each.state), say),
            say.named(run_pb2.Run.Kind.Name(each.kind)),
            days(each),
            f"{each.counts.rows_used:,}",
            f"{each.counts.rows_quarantined:,}",
            each.requester,
            moment(each.create_time, say),
        )
        for each in found
    )
    return table(headings, cells, say)


def event_line(event: run_pb2.RunEvent, say: Words) -> Text:
    """Say in one line what happened."""
    if not event.HasField("window"):
        return marked(run_pb2.Run.State.Name(event.state), say)
    window = event.window
    told = [counted(window.counts, say)] if window.counts.rows_read else []
    if window.reason:
        told.append(f"{window.reason}: {clean(window.message)}")
    return Text.assemble(
        marked(run_pb2.Window.State.Name(window.state), say), f"  {clean(window.date)}  ", "  ".join(told)
    )


def counted(counts: run_pb2.WindowCounts, say: Words) -> str:
    """Say how many rows became what."""
    return say(
        Term.COUNTED,
        read=f"{counts.rows_read:,}",
        used=f"{counts.rows_used:,}",
        quarantined=f"{counts.rows_quarantined:,}",
        superseded=f"{counts.rows_superseded:,}",
    )


def written(counts: run_pb2.WindowCounts, say: Words) -> str:
    """Say how many facts became what."""
    return say(
        Term.WRITTEN_FACTS,
        inserted=f"{counts.facts_inserted:,}",
        updated=f"{counts.facts_updated:,}",
        unchanged=f"{counts.facts_unchanged:,}",
        deleted=f"{counts.facts_deleted:,}",
    )


def days(value: run_pb2.Run) -> str:
    """Give the days that a run spans."""
    return value.from_date if value.from_date == value.to_date else f"{value.from_date} – {value.to_date}"


def _cause(window: run_pb2.Window, say: Words) -> str:
    return say.named(f"CAUSE_{window.cause.upper()}")
