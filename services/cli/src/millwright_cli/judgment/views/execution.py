"""What judgments and their explanations look like to a person. Pure functions from an answer to lines."""

from collections.abc import Iterable, Mapping

from millwright.judgment.v1 import judgment_pb2 as pb
from millwright.judgment.v1 import judgment_service_pb2
from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from millwright_cli.drawing import caveats, clean, facts, glyph, number, short, table
from millwright_cli.judgment.values import written
from millwright_cli.judgment.views.ruleset import spoken
from millwright_cli.judgment.words import Term
from millwright_cli.times import moment
from millwright_cli.words import Word, Words

_LEVELS = (("green", "✔"), ("yellow", "!"), ("red", "✘"))
_HELD = {True: ("green", "✔"), False: ("red", "✘")}


def judged(answer: judgment_service_pb2.JudgeResponse, say: Words, *, dry_run: bool) -> list[RenderableType]:
    """Say how an input was judged, why, and what to do."""
    found = answer.execution
    lines: list[RenderableType] = [verdict(found.judgment, say)]
    if why := spoken(found.judgment.explanations, say):
        lines.append(Text(f"  {clean(why)}"))
    lines += [Text(f"  {clean(each.field)}: {clean(each.message)}") for each in found.judgment.problems]
    lines += [Text(f"  {each.priority}. {_action(each, say)}") for each in found.judgment.actions]
    if found.name:
        lines.append(Text(f"  {short(found.name)} · {judged_with(found, say)}", style="dim"))
    return [*lines, *caveats(say, dry_run=dry_run, replayed=answer.replayed)]


def verdict(found: pb.Judgment, say: Words) -> Text:
    """Say the outcome in one line, with the rule that decided and how sure it is."""
    text = outcome(found, say)
    if found.status == pb.Judgment.STATUS_DECIDED:
        by = say(Term.BY_RULE, rule=clean(found.winning_rule)) if found.winning_rule else say(Term.BY_DEFAULT)
        text.append(f"  {by} · {say(Term.CONFIDENCE)} {number(found.confidence)}", style="dim")
    return text


def outcome(found: pb.Judgment, say: Words) -> Text:
    """Say the outcome with its glyph and colour; where there is none, why."""
    if found.status == pb.Judgment.STATUS_DECIDED:
        colour, sign = _LEVELS[min(found.level, len(_LEVELS) - 1)]
        return Text(f"{sign} {clean(found.outcome)}", style=colour)
    name = pb.Judgment.Status.Name(found.status)
    return Text.assemble(glyph(name), " ", say.named(name))


def judged_with(found: pb.Execution, say: Words) -> str:
    """Say which version judged, and through which channel."""
    ruleset, _, version = clean(found.version.removeprefix("rulesets/")).partition("/versions/")
    channel = f" · {clean(found.channel)}" if found.channel else ""
    arm = f" · {short(found.experiment)} {clean(found.arm)}" if found.experiment else ""
    return f"{ruleset} {say(Term.ON_VERSION, version=version)}{channel}{arm}"


def execution(found: pb.Execution, say: Words) -> list[RenderableType]:
    """Draw all that is known of one execution."""
    judgment = found.judgment
    actions = [f"{each.priority}. {_action(each, say)}" for each in judgment.actions]
    problems = [f"{each.field}: {each.message}" for each in judgment.problems]
    doubts = [Text(f"! {say(Term.NOT_AGAIN)}", style="yellow")] if found.not_reproducible else []
    return [
        *doubts,
        facts(
            (
                (Term.EXECUTION, short(found.name)),
                (Term.OUTCOME, verdict(judgment, say)),
                (Term.WHY, spoken(judgment.explanations, say)),
                (Term.PROBLEMS, "\n".join(problems)),
                (Term.ACTIONS, "\n".join(actions)),
                (Term.MATCHED, ", ".join(judgment.matched_rules)),
                (Word.INPUT, _values(found.input.values)),
                (Word.OUTPUT, _values(judgment.outputs)),
                (Term.JUDGED_WITH, judged_with(found, say)),
                (Term.SEGMENT, segment(found.segment)),
                (Term.HAPPENED, moment(found.event_time, say)),
                (Term.JUDGED, moment(found.judge_time, say)),
                (Word.ACTOR, found.caller),
            ),
            say,
        ),
    ]


def execution_table(found: Iterable[pb.Execution], say: Words) -> RenderableType:
    """Draw executions, one a row."""
    headings = (Term.EXECUTION, Term.OUTCOME, Term.RULE, Word.INPUT, Word.VERSION, Term.SEGMENT, Term.JUDGED)
    rows = (
        (
            short(each.name),
            outcome(each.judgment, say),
            each.judgment.winning_rule,
            _values(each.input.values, ", "),
            short(each.version),
            segment(each.segment),
            moment(each.judge_time, say),
        )
        for each in found
    )
    return table(headings, rows, say)


def explanation(answer: judgment_service_pb2.ExplainExecutionResponse, say: Words) -> list[RenderableType]:
    """Say why an execution came out so: in words, then rule by rule, what missed, and what would change it."""
    found, why = answer.execution, answer.explanation
    lines: list[RenderableType] = [verdict(found.judgment, say)]
    if text := spoken(why.texts, say):
        lines.append(Padding(Text(clean(text)), (0, 0, 0, 2)))
    lines += [Text(), Text(say(Term.RULES), style="bold"), rule_table(why.rules, say)]
    if why.near_misses:
        lines += [Text(), Text(say(Term.NEAR_MISSES), style="bold"), near_miss_table(why.near_misses, say)]
    if why.counterfactuals:
        lines += [Text(), Text(say(Term.COUNTERFACTUALS), style="bold"), counterfactual_table(why.counterfactuals, say)]
    return lines


def rule_table(found: Iterable[pb.RuleTrace], say: Words) -> RenderableType:
    """Draw what each rule said, one a row, with every condition and its margin."""
    headings = (Term.RULE, Term.TABLE, Word.STATE, Term.CONDITIONS)
    rows = (
        (
            each.rule,
            each.table,
            _traced(each, say),
            Text("\n").join(_condition(condition) for condition in each.conditions),
        )
        for each in found
    )
    return table(headings, rows, say)


def near_miss_table(found: Iterable[pb.NearMiss], say: Words) -> RenderableType:
    """Draw the rules that missed by one condition, the nearest first."""
    headings = (Term.RULE, Term.OUTCOME, Term.FIELD, Term.ASKS_FOR, Term.MISSED_BY, Term.STEPS)
    rows = (
        (
            each.rule,
            each.outcome,
            each.condition.field,
            each.condition.cell,
            number(-each.condition.margin) if each.condition.HasField("margin") else "–",
            number(-each.condition.margin_steps) if each.condition.HasField("margin_steps") else "–",
        )
        for each in found
    )
    return table(headings, rows, say)


def counterfactual_table(found: Iterable[pb.Counterfactual], say: Words) -> RenderableType:
    """Draw, for each field, the nearest value that gives another outcome."""
    headings = (Term.FIELD, Term.VALUE, Term.INSTEAD, Term.OUTCOME, Term.STEPS)
    rows = (
        (
            each.field,
            written(each.value),
            written(each.changed_value),
            each.outcome,
            number(each.distance_steps) if each.HasField("distance_steps") else "–",
        )
        for each in found
    )
    return table(headings, rows, say)


def segment(found: pb.Segment) -> str:
    """Write where and when a thing was made."""
    return clean(" · ".join(part for part in (found.line, found.product, found.shift, found.unit) if part))


def _traced(found: pb.RuleTrace, say: Words) -> Text:
    if found.won:
        return Text(f"★ {say(Term.WON)}", style="bold green")
    colour, sign = _HELD[found.matched]
    return Text(f"{sign} {say(Term.RULE_MATCHED if found.matched else Term.RULE_MISSED)}", style=colour)


def _condition(found: pb.ConditionTrace) -> Text:
    colour, sign = _HELD[found.held]
    margin = f"  ({number(found.margin)})" if found.HasField("margin") else ""
    return Text.assemble((f"{sign} ", colour), f"{clean(found.field)} {clean(found.cell)}", (margin, "dim"))


def _action(found: pb.Action, say: Words) -> str:
    label = clean(spoken(found.labels, say))
    return f"{label} ({clean(found.code)})" if label else clean(found.code)


def _values(values: Mapping[str, pb.Value], between: str = "\n") -> str:
    return between.join(f"{clean(name)} = {written(value)}" for name, value in sorted(values.items()))
