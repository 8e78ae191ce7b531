"""What a report on versions compared looks like in a terminal. Pure functions from an answer to lines."""

from collections.abc import Iterable, Sequence

from millwright.judgment.v1 import replay_pb2, ruleset_pb2
from rich.console import RenderableType
from rich.text import Text

from millwright_cli.drawing import bar, clean, short, table
from millwright_cli.judgment.trial_words import Trial
from millwright_cli.judgment.views.replay import resolved
from millwright_cli.judgment.views.ruleset import spoken
from millwright_cli.judgment.words import Term
from millwright_cli.times import moment
from millwright_cli.words import Vocabulary, Words

_SURE = 0.05
_CAUSES_SHOWN = 10


def replay(found: replay_pb2.ReplayReport, say: Words) -> list[RenderableType]:
    """Draw the report of a replay, a target after another."""
    counts = {"n": f"{found.selected:,}", "reproduced": f"{found.reproduced:,}"}
    told = say(Trial.REPORT_SELECTED, replay=short(found.replay), **counts)
    if found.HasField("oldest_time"):
        told += f" · {moment(found.oldest_time, say)} – {moment(found.newest_time, say)}"
    lines: list[RenderableType] = [Text(told, style="dim")]
    for each in found.targets:
        lines += [Text(), *target(each, say)]
    return lines


def target(found: replay_pb2.TargetReport, say: Words) -> list[RenderableType]:
    """Draw the report on one target."""
    lines: list[RenderableType] = [_headline(found, say), Text(_counts(found, say)), matrix(found.transitions, say)]
    if found.HasField("expectation"):
        lines += _expectation(found.expectation, say)
    lines += [Text(f"  {_test(each, say)}", style="dim") for each in found.tests]
    if found.causes:
        lines += [Text(), Text(say(Trial.CAUSES), style="bold"), cause_table(found, say)]
        lines += [
            Text.assemble((f"{clean(each.cause.id)}  ", "bold"), clean(spoken(each.cause.texts, say)))
            for each in found.causes[:_CAUSES_SHOWN]
            if each.cause.texts
        ]
    if found.segments:
        lines += [Text(), Text(say(Trial.SEGMENTS), style="bold"), segment_table(found, say)]
    return [*lines, *warnings(found.warnings, say)]


def matrix(found: Iterable[ruleset_pb2.Transition], say: Words, corner: Trial = Trial.BEFORE_AFTER) -> RenderableType:
    """Draw from which outcome to which, how often: a row for each outcome before, a column for each after."""
    cells = {(each.from_outcome, each.to_outcome): each.executions for each in found}
    outcomes = list(dict.fromkeys(outcome for pair in cells for outcome in pair))

    def cell(before: str, after: str) -> Text:
        count = cells.get((before, after), 0)
        return Text(f"{count:,}" if count else "·", style="dim" if before == after or not count else "bold yellow")

    rows: list[list[str | Text]] = [[before, *(cell(before, after) for after in outcomes)] for before in outcomes]
    return table([corner, *outcomes], rows, say)


def cause_table(found: replay_pb2.TargetReport, say: Words) -> RenderableType:
    """Draw causes, the one that explains most first, with executions to look at; last, what is left of others."""
    headings = (
        Trial.CAUSE,
        Term.CHANGE,
        Term.EXECUTIONS,
        Term.SHARE,
        Trial.CUMULATIVE,
        Trial.MOVES,
        Trial.EDITS,
        Term.EXAMPLES,
    )
    rows = [
        (
            each.cause.id,
            say.named(replay_pb2.Cause.Kind.Name(each.cause.kind).replace("KIND_", "CAUSE_")),
            f"{each.executions:,}",
            f"{each.share:.1%}",
            f"{each.cumulative_share:.1%}",
            "\n".join(f"{it.from_outcome} → {it.to_outcome}: {it.executions:,}" for it in each.transitions[:3]),
            "\n".join(edit(it) for it in each.cause.minimal_edits[:3]),
            "\n".join(short(example) for example in each.examples[:2]),
        )
        for each in found.causes[:_CAUSES_SHOWN]
    ]
    hidden = found.causes[_CAUSES_SHOWN:]
    if count := sum(each.executions for each in hidden) + found.other_causes.executions:
        share = sum(each.share for each in hidden) + found.other_causes.share
        rows.append((say(Trial.OTHERS), "", f"{count:,}", f"{share:.1%}", f"{1:.1%}", "", "", ""))
    return table(headings, rows, say)


def edit(found: ruleset_pb2.Edit) -> str:
    """Write an edit in one line."""
    where = ".".join(part for part in (found.rule or found.table, found.field) if part)
    return clean(f"{where}: {found.before or '–'} → {found.after or '–'}")


def segment_table(found: replay_pb2.TargetReport, say: Words) -> RenderableType:
    """Draw lines, products and shifts, with what is surely different from the rest marked; the longest bar is whole.

    Last is what is left of others.
    """
    highest = max(each.change_rate.value for each in found.segments) or 1.0
    headings = (
        Term.SEGMENT,
        Term.VALUE,
        Term.EXECUTIONS,
        Trial.REFUSED,
        Trial.CHANGE_RATE,
        Trial.INTERVAL,
        Trial.P_VALUE,
    )
    rows: list[Sequence[str | Text]] = [
        (
            say.named(f"SEGMENT_{each.dimension.upper()}"),
            each.value,
            f"{each.compared:,}",
            f"{each.errors:,}" if each.errors else "·",
            Text.assemble(bar(each.change_rate.value / highest), f" {each.change_rate.value:.2%}"),
            f"{each.change_rate.low:.2%} – {each.change_rate.high:.2%}",
            Text(p_value(each.adjusted_p_value), style="bold" if each.adjusted_p_value < _SURE else "dim"),
        )
        for each in found.segments
    ]
    rows += [
        (
            say.named(f"SEGMENT_{each.dimension.upper()}"),
            Text(say(Trial.OTHERS), style="dim"),
            f"{each.compared:,}",
            f"{each.errors:,}" if each.errors else "·",
            f"{each.changed_outcomes / max(each.compared - each.errors, 1):.2%}",
            "",
            "",
        )
        for each in found.other_segments
    ]
    return table(headings, rows, say)


def warnings(found: Iterable[replay_pb2.ReportWarning], say: Words) -> list[RenderableType]:
    """Say what to keep in mind."""
    return [
        Text.assemble(("! ", "yellow"), (clean(each.code), "bold"), f" {clean(spoken(each.texts, say))}")
        for each in found
    ]


def interval(found: replay_pb2.Interval) -> str:
    """Write a share with its interval."""
    return f"{found.value:.2%} ({found.confidence * 100:.4g} %: {found.low:.2%} – {found.high:.2%})"


def p_value(value: float) -> str:
    """Write a p-value: what is tiny as that."""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _expectation(found: replay_pb2.Expectation, say: Words) -> list[RenderableType]:
    counts = {"met": f"{found.met:,}", "n": f"{found.rows:,}", "before": f"{found.met_before:,}"}
    told = Text(f"{say(Trial.AS_EXPECTED, **counts)}  {found.met / max(found.rows, 1):.2%}", style="bold")
    return [Text(), told, matrix(found.transitions, say, Trial.EXPECTED_FOUND)]


def _headline(found: replay_pb2.TargetReport, say: Words) -> Text:
    told = say(Trial.CHANGE_TOLD, n=f"{found.changed_outcomes:,}", judged=f"{found.compared - found.errors:,}")
    refused = say(Trial.ERRORS_TOLD, n=f"{found.errors:,}", compared=f"{found.compared:,}")
    return Text.assemble(
        (f"{_named(found.target, say)}: ", "bold"),
        told,
        (f"  {interval(found.change_rate)}", "bold"),
        (f"  {clean(found.change_rate.method)}", "dim"),
        (f"  {refused}" if found.errors else "", "bold red"),
    )


def _named(target: str, say: Words) -> str:
    name = resolved(target)
    return say(Term.ON_VERSION, version=name) if name.isdecimal() else name


def _counts(found: replay_pb2.TargetReport, say: Words) -> str:
    known: tuple[tuple[Vocabulary, int], ...] = (
        (Trial.ESCALATED, found.escalated),
        (Trial.RELAXED, found.relaxed),
        (Trial.DETAILS_CHANGED, found.changed_details),
        (Trial.RULES_CHANGED, found.changed_rules),
        (Trial.ERRORS, found.errors),
    )
    return "  " + " · ".join(f"{say(word)} {count:,}" for word, count in known)


def _test(found: replay_pb2.TestResult, say: Words) -> str:
    question = spoken(found.questions, say)
    effect = say(Trial.BY_EFFECT, effect=f"{found.design_effect:.2g}") if found.design_effect > 1 else ""
    return clean(f"{question + ' ' if question else ''}{found.name}{effect}: p {p_value(found.p_value)}")
