"""What experiments look like to a person. Pure functions from an answer to lines."""

from collections.abc import Iterable

from millwright.judgment.v1 import experiment_pb2
from millwright.judgment.v1 import experiment_service_pb2 as pb
from rich.console import RenderableType
from rich.text import Text

from millwright_cli.drawing import bar, caveats, clean, facts, glyph, marked, short, table
from millwright_cli.judgment.trial_words import Trial
from millwright_cli.judgment.views import report as report_views
from millwright_cli.judgment.words import Term
from millwright_cli.times import moment, span
from millwright_cli.words import Vocabulary, Word, Words

_WHOLE_BP = 10_000
_MISMATCH = 0.001
_Experiment = experiment_pb2.Experiment
_Guardrail = experiment_pb2.Guardrail
_Answer = experiment_pb2.ArmDifference.Verdict
_Verdict = experiment_pb2.GuardrailResult.Verdict


def began(
    answer: pb.StartExperimentResponse, took: str, say: Words, *, is_dry: bool, is_followed: bool
) -> list[RenderableType]:
    """Say what runs since, and how to follow it."""
    found = answer.experiment
    told = say(
        Trial.EXPERIMENT_BEGAN,
        experiment=short(found.name),
        channel=short(found.channel),
        arms=_arms(found.arms, say),
        took=took,
    )
    lines: list[RenderableType] = [Text.assemble(glyph("OPERATION_EXPERIMENT_START"), " ", told)]
    lines += [Text(f"  {guardrail(each, say)}") for each in found.guardrails]
    if not (is_dry or is_followed):
        lines.append(Text(f"  {say(Trial.EXPERIMENT_FOLLOW, id=short(found.name))}"))
    return [*lines, *caveats(say, dry_run=is_dry, replayed=answer.replayed)]


def moved(answer: pb.StepExperimentResponse, took: str, say: Words) -> list[RenderableType]:
    """Say which share takes part since."""
    told = say(
        Trial.EXPERIMENT_MOVED, experiment=short(answer.experiment.name), share=share(answer.experiment), took=took
    )
    line = Text.assemble(glyph("OPERATION_EXPERIMENT_STEP"), " ", told)
    return [line, *caveats(say, replayed=answer.replayed)]


def stopped(answer: pb.StopExperimentResponse, took: str, say: Words) -> list[RenderableType]:
    """Say that an experiment was stopped, or had ended."""
    word = Trial.EXPERIMENT_STOPPED if answer.HasField("release") else Trial.EXPERIMENT_OVER
    told = say(word, experiment=short(answer.experiment.name), took=took)
    line = Text.assemble(glyph(_state(answer.experiment)), " ", told)
    return [line, *caveats(say, replayed=answer.replayed)]


def promoted(answer: pb.PromoteArmResponse, took: str, say: Words) -> list[RenderableType]:
    """Say where the channel points since."""
    channel = answer.channel
    known = {"channel": short(channel.name), "version": channel.version, "revision": channel.revision}
    line = Text.assemble(glyph("OPERATION_PROMOTE"), " ", say(Trial.ARM_PROMOTED, **known, took=took))
    return [line, *caveats(say, replayed=answer.replayed)]


def ended(found: _Experiment, say: Words) -> list[RenderableType]:
    """Say how an experiment ended, and why."""
    lines: list[RenderableType] = [line(found, say)]
    if found.end_reason:
        lines.append(Text(f"  {clean(found.end_reason)}"))
    return lines


def line(found: _Experiment, say: Words) -> Text:
    """Say in one line where an experiment stands."""
    told = say(
        Trial.EXPERIMENT_STANDS,
        experiment=short(found.name),
        channel=short(found.channel),
        arms=_arms(found.arms, say),
    )
    at = f" · {say(Trial.EXPERIMENT_AT, step=found.step + 1, steps=len(found.steps))}" if found.steps else ""
    taking_part = bar(_share_bp(found) / _WHOLE_BP)
    return Text.assemble(marked(_state(found), say), f"  {told}  ", taking_part, f"  {share(found)}{at}")


def line_with_verdicts(found: _Experiment, report: experiment_pb2.ExperimentReport, say: Words) -> Text:
    """Say the same with what the guardrails say, a glyph each."""
    return Text.assemble(line(found, say), "  ", *(glyph(_Verdict.Name(it.verdict)) for it in report.guardrails))


def gist(found: _Experiment, report: experiment_pb2.ExperimentReport) -> tuple[object, ...]:
    """Give what is worth a new line when it differs: the state, the step, the share and the verdicts."""
    return found.state, found.step, found.enrolment_bp, *(each.verdict for each in report.guardrails)


def experiment(found: _Experiment, say: Words) -> list[RenderableType]:
    """Draw all that is known of one experiment."""
    known = facts(
        (
            (Term.EXPERIMENT, short(found.name)),
            (Trial.MODE, say.named(_Experiment.Mode.Name(found.mode))),
            (Trial.ENROLMENT, share(found)),
            (Trial.STEP, "\n".join(step(each, say) for each in found.steps)),
            (Trial.GUARDRAIL, "\n".join(guardrail(each, say) for each in found.guardrails)),
            (Word.REASON, found.end_reason),
            (Word.ACTOR, found.creator),
            (Word.STARTED, moment(found.start_time, say)),
            (Word.ENDED, moment(found.end_time, say)),
            (Term.ETAG, found.etag),
        ),
        say,
    )
    arms = ((each.name, str(each.version), str(each.weight or "–")) for each in found.arms)
    return [line(found, say), known, Text(), table((Trial.ARM, Word.VERSION, Trial.WEIGHT), arms, say)]


def experiment_table(found: Iterable[_Experiment], say: Words) -> RenderableType:
    """Draw experiments, one a row."""
    headings = (
        Term.EXPERIMENT,
        Word.STATE,
        Trial.MODE,
        Term.CHANNEL,
        Trial.ARM,
        Trial.ENROLMENT,
        Word.STARTED,
        Word.REASON,
    )
    rows = (
        (
            short(each.name),
            marked(_state(each), say),
            say.named(_Experiment.Mode.Name(each.mode)),
            clean(each.channel.removeprefix("rulesets/").replace("/channels/", " ")),
            _arms(each.arms, say),
            share(each),
            moment(each.start_time, say),
            each.end_reason,
        )
        for each in found
    )
    return table(headings, rows, say)


def report(found: experiment_pb2.ExperimentReport, say: Words) -> list[RenderableType]:
    """Draw what an experiment has shown so far."""
    lines: list[RenderableType] = [arm_table(found.arms, say)]
    if any(each.differences for each in found.arms):
        lines += [Text(), Text(say(Trial.DIFFERENCES), style="bold"), difference_table(found.arms, say)]
    if found.guardrails:
        lines += [Text(), guardrail_table(found.guardrails, say)]
    if 0 < found.sample_ratio_p_value < _MISMATCH:
        told = say(Trial.SHARES_DIFFER, p=report_views.p_value(found.sample_ratio_p_value))
        lines.append(Text.assemble(("✘ ", "red"), told))
    for each in found.arms:
        if each.HasField("paired"):
            lines += [Text(), Text(say(Trial.PAIRED), style="bold"), *report_views.target(each.paired, say)]
    return [*lines, *report_views.warnings(found.warnings, say)]


def arm_table(found: Iterable[experiment_pb2.ArmReport], say: Words) -> RenderableType:
    """Draw what became of each arm: a column for each outcome, with its share."""
    arms = list(found)
    outcomes = list(dict.fromkeys(outcome for each in arms for outcome in sorted(each.outcomes)))
    headings: tuple[Vocabulary | str, ...] = (Trial.ARM, Word.VERSION, Term.EXECUTIONS, Trial.UNITS, *outcomes)
    rows = (
        (
            each.arm.name,
            str(each.arm.version),
            f"{each.executions:,}",
            f"{each.units:,}",
            *(_of(each.outcomes.get(outcome, 0), each.executions) for outcome in outcomes),
        )
        for each in arms
    )
    return table(headings, rows, say)


def difference_table(found: Iterable[experiment_pb2.ArmReport], say: Words) -> RenderableType:
    """Draw how each arm differs from the control, an outcome a row, with bounds that hold at any look."""
    headings = (
        Trial.ARM,
        Term.OUTCOME,
        Word.STATE,
        Trial.ARM_RATE,
        Trial.CONTROL_RATE,
        Trial.DIFFERENCE,
        Term.EXECUTIONS,
    )
    rows = (
        (arm.arm.name, each.outcome, marked(_Answer.Name(each.verdict), say), *_compared(each, say))
        for arm in found
        for each in arm.differences
    )
    return table(headings, rows, say)


def guardrail_table(found: Iterable[experiment_pb2.GuardrailResult], say: Words) -> RenderableType:
    """Draw what the guardrails say, with the difference's confidence sequence: looking early, and often, is honest."""
    headings = (
        Trial.GUARDRAIL,
        Word.STATE,
        Trial.ARM,
        Trial.ARM_RATE,
        Trial.CONTROL_RATE,
        Trial.DIFFERENCE,
        Term.EXECUTIONS,
    )
    rows = (
        (
            guardrail(each.guardrail, say),
            marked(_Verdict.Name(each.verdict), say),
            each.arm,
            *_compared(each, say),
        )
        for each in found
    )
    return table(headings, rows, say)


def _compared(
    found: experiment_pb2.ArmDifference | experiment_pb2.GuardrailResult, say: Words
) -> tuple[str, str, str, str]:
    """Write both shares, their difference with its bounds, and of how many judgments they are."""
    return (
        f"{found.arm_rate:.2%}",
        f"{found.control_rate:.2%}",
        f"{found.difference.value:+.2%} ({found.difference.low:+.2%} – {found.difference.high:+.2%})",
        say(Trial.OF_EXECUTIONS, arm=f"{found.arm_executions:,}", control=f"{found.control_executions:,}"),
    )


def guardrail(found: _Guardrail, say: Words) -> str:
    """Write a guardrail."""
    what = clean(found.outcome) if found.outcome else say.named(_Guardrail.Measure.Name(found.measure))
    bounds = [say(Trial.AT_MOST_MORE, n=f"{found.max_increase:.4g}".join(()) or f"{found.max_increase:.2%}")]
    if found.HasField("max_decrease"):
        bounds.append(say(Trial.AT_MOST_LESS, n=f"{found.max_decrease:.2%}"))
    return f"{what}: {', '.join(bounds)}"


def step(found: experiment_pb2.ExperimentStep, say: Words) -> str:
    """Write a step."""
    lasts = found.min_duration.ToTimedelta().total_seconds()
    parts = [f"{found.weight_bp / 100:g} %", span(lasts, say) if lasts else "", f"{found.min_executions:,}"]
    return " · ".join(part for part in parts if part)


def share(found: _Experiment) -> str:
    """Write how many take part: of a canary, how many are judged by the arm on trial."""
    return f"{_share_bp(found) / 100:g} %"


def _share_bp(found: _Experiment) -> int:
    return found.steps[found.step].weight_bp if found.step < len(found.steps) else found.enrolment_bp


def _state(found: _Experiment) -> str:
    return _Experiment.State.Name(found.state)


def _arms(found: Iterable[experiment_pb2.Arm], say: Words) -> str:
    return ", ".join(say(Trial.ARM_ON, arm=clean(each.name), version=each.version) for each in found)


def _of(count: int, total: int) -> str:
    return f"{count:,} ({count / total:.1%})" if total else "–"
