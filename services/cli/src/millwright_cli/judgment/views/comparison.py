"""What one execution becomes on other versions, as a person sees it. Pure functions from an answer to lines."""

from collections.abc import Iterable

from millwright.judgment.v1 import replay_pb2
from millwright.judgment.v1 import replay_service_pb2 as pb
from rich.console import RenderableType
from rich.text import Text

from millwright_cli.drawing import clean, marked, number, short, table
from millwright_cli.judgment.trial_words import Trial
from millwright_cli.judgment.values import written
from millwright_cli.judgment.views import execution
from millwright_cli.judgment.views.replay import resolved
from millwright_cli.judgment.views.ruleset import edit_table, spoken
from millwright_cli.judgment.words import Term
from millwright_cli.words import Words

_Change = replay_pb2.Comparison.Change


def side_by_side(answer: pb.ReplayExecutionResponse, say: Words) -> list[RenderableType]:
    """Draw the recorded result and the replayed ones as a table, then what led to each difference."""
    original = answer.original
    headings = (Trial.TARGET, Term.CHANGE, Term.OUTCOME, Term.RULE, Trial.CONFIDENCE, Term.ACTIONS)
    recorded = (
        f"{resolved(original.version)} ({say(Trial.RECORDED)})",
        "",
        execution.outcome(original.judgment, say),
        original.judgment.winning_rule,
        number(original.judgment.confidence),
        ", ".join(each.code for each in original.judgment.actions),
    )
    rows = [recorded, *(_replayed(each, say) for each in answer.comparisons)]
    lines: list[RenderableType] = [table(headings, rows, say)]
    changed = {name: value for name, value in answer.input.values.items() if original.input.values[name] != value}
    lines += [
        Text(f"{clean(name)}: {written(original.input.values[name])} → {written(value)}")
        for name, value in sorted(changed.items())
    ]
    for each in answer.comparisons:
        lines += _why(each, say)
    return lines


def difference_table(found: Iterable[pb.ReplayDifference], say: Words) -> RenderableType:
    """Draw what differs, an execution a row."""
    headings = (Term.EXECUTION, Term.CHANGE, Term.FROM, Term.TO, Term.RULE, Trial.CAUSE)
    rows = (
        (
            short(each.execution),
            marked(_Change.Name(each.change), say),
            each.from_outcome,
            each.to_outcome,
            f"{each.from_rule or '–'} → {each.to_rule or '–'}",
            each.cause,
        )
        for each in found
    )
    return table(headings, rows, say)


def cause_lines(found: replay_pb2.Cause, say: Words) -> list[RenderableType]:
    """Say what led to a change: in words, with the edits and the conditions that turned."""
    lines: list[RenderableType] = []
    if text := spoken(found.texts, say):
        lines.append(Text(f"  {clean(text)}"))
    if found.minimal_edits:
        lines.append(edit_table(found.minimal_edits, say))
    if found.flips:
        lines.append(flip_table(found.flips, say))
    return lines


def flip_table(found: Iterable[replay_pb2.Flip], say: Words) -> RenderableType:
    """Draw conditions that turned, with the value that turned them and its margins."""
    headings = (Term.RULE, Term.FIELD, Term.VALUE, Term.BEFORE, Term.AFTER)
    rows = (
        (
            each.rule,
            each.field,
            written(each.value),
            _side(each.cell_before, each.margin_before if each.HasField("margin_before") else None, each.held_before),
            _side(each.cell_after, each.margin_after if each.HasField("margin_after") else None, each.held_after),
        )
        for each in found
    )
    return table(headings, rows, say)


def _replayed(found: replay_pb2.Comparison, say: Words) -> tuple[str | Text, ...]:
    judgment = found.judgment
    change = marked(_Change.Name(found.change), say)
    if found.change == _Change.CHANGE_ERROR:
        problems = "; ".join(f"{each.field}: {each.message}" for each in found.problems)
        return resolved(found.target), change, problems, "", "", ""
    return (
        resolved(found.target),
        change,
        execution.outcome(judgment, say),
        judgment.winning_rule,
        number(judgment.confidence),
        ", ".join(each.code for each in judgment.actions),
    )


def _why(found: replay_pb2.Comparison, say: Words) -> list[RenderableType]:
    if not found.HasField("cause"):
        return []
    kind = say.named(replay_pb2.Cause.Kind.Name(found.cause.kind).replace("KIND_", "CAUSE_"))
    return [Text(), Text(f"{resolved(found.target)}: {kind}", style="bold"), *cause_lines(found.cause, say)]


def _side(cell: str, margin: float | None, held: bool) -> Text:  # noqa: FBT001 - one of a pair, beside its cell
    colour, sign = ("green", "✔") if held else ("red", "✘")
    told = f"  ({number(margin)})" if margin is not None else ""
    return Text.assemble((f"{sign} ", colour), clean(cell) or "–", (told, "dim"))
