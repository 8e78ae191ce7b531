"""The whole page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from millwright_judgment.domain import names
from millwright_judgment.domain.arm_differences import ArmDifference
from millwright_judgment.domain.experiment_html.words import WORDS
from millwright_judgment.domain.experiment_report import ArmReport, Paired, Report
from millwright_judgment.domain.experiment_words import QUESTIONS, WARNINGS
from millwright_judgment.domain.experiments import BASIS_POINTS, Experiment, Guardrail, Mode
from millwright_judgment.domain.guardrails import GuardrailResult, Levels
from millwright_judgment.domain.html import charts, parts
from millwright_judgment.domain.html.markup import Markup, tag
from millwright_judgment.domain.html.words import Words
from millwright_judgment.domain.statistics import Counts, Interval


def write_page(experiment: Experiment, report: Report, levels: Levels, language: str) -> str:
    """Write a report as one HTML page, in `en` or `ko`. `levels` are the outcomes that each arm knows."""
    words = Words(language, WORDS)
    order = list(dict.fromkeys(level for arm in experiment.trial.arms for level in levels[arm.name]))
    tried = [arm for arm in report.arms if arm.paired or arm.differences]
    told = [WARNINGS[code] for code in report.warnings]
    body = [
        parts.header(words["title"], names.experiment(experiment.name), _facts(experiment, report, words)),
        tag("section", tag("h2", words["arms"]), _arms(report.arms, order, words), tag("p", words["arms_note"])),
        *(tag("section", *_arm(experiment, arm, order, words)) for arm in tried),
        tag("section", tag("h2", words["guardrails"]), *_guardrails(experiment, report, words)),
        *([tag("section", *parts.warnings(told, words))] if told else []),
        tag("footer", words["footer"]),
    ]
    return parts.page(f"{words['title']} · {experiment.name}", body, words)


def _facts(experiment: Experiment, report: Report, words: Words) -> Iterator[tuple[str, str]]:
    trial = experiment.trial
    yield words["ruleset"], experiment.ruleset
    yield words["channel"], experiment.channel
    yield words["mode"], words[trial.mode.value]
    yield words["state"], words[experiment.state.value]
    if experiment.end_reason:
        yield words["reason"], experiment.end_reason
    yield words["start_time"], _moment(experiment.start_time)
    if experiment.end_time:
        yield words["end_time"], _moment(experiment.end_time)
    yield words["report_time"], _moment(report.time)
    if trial.mode is Mode.CANARY:
        weight = words.share(trial.steps[experiment.step].weight_bp / BASIS_POINTS)
        yield words["step"], f"{experiment.step + 1} / {len(trial.steps)} · {weight}"
    else:
        yield words["enrolment"], words.share(experiment.enrolment_bp / BASIS_POINTS)


def _moment(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M} UTC"


def _arms(arms: Sequence[ArmReport], levels: Sequence[str], words: Words) -> Markup:
    outcomes = parts.in_order(levels, (outcome for arm in arms for outcome in arm.outcomes))
    head = tag("tr", tag("th", words["arm"]), *(tag("th", *_named(each, words)) for each in arms))
    counts = [
        tag("tr", tag("th", words[key]), *(tag("td", words.count(getattr(each, key))) for each in arms))
        for key in ("executions", "units")
    ]
    shares = [tag("tr", tag("th", outcome), *(_share(each, outcome, words) for each in arms)) for outcome in outcomes]
    return tag("div", tag("table", head, *counts, *shares, class_="matrix"), class_="wide")


def _share(report: ArmReport, outcome: str, words: Words) -> Markup:
    return parts.share_cell(report.outcomes.get(outcome, 0), report.executions, "same", words)


def _named(report: ArmReport, words: Words) -> tuple[str, Markup]:
    return f"{report.arm.name} ", tag("small", f"{words['version']} {report.arm.version}")


def _arm(experiment: Experiment, report: ArmReport, levels: Sequence[str], words: Words) -> Iterator[Markup]:
    yield tag("h2", tag("small", words["arm"]), " ", *_named(report, words))
    if report.paired:
        yield tag("h3", words["pairs"])
        yield from _paired(report.paired, report.arm.name, levels, words)
    if report.differences:
        yield tag("h3", words["differences"])
        yield tag("p", f"{words['differences_note']} {words['always_note']}")
        if experiment.trial.mode is Mode.CANARY:
            yield tag("p", words["step_note"])
        farthest = _farthest([each.difference for each in report.differences])
        yield tag(
            "ul",
            *(_difference(report.arm.name, each, farthest, words) for each in report.differences),
            class_="differences",
        )


def _paired(paired: Paired, arm: str, levels: Sequence[str], words: Words) -> Iterator[Markup]:
    changed, moved = paired.compared - paired.unchanged, (paired.escalated, paired.relaxed)
    yield parts.headline(paired.change_rate, changed, paired.compared, moved, words)
    composition = [
        ("unchanged", "unchanged", paired.unchanged),
        ("changed", "changed_outcomes", changed - paired.errors),
        ("error", "errors", paired.errors),
    ]
    yield parts.composition(composition, words)
    yield tag("h3", words["matrix"])
    yield parts.matrix(levels, paired.transitions, (words["control"], arm, words["matrix_note"]), words)
    yield from parts.tests([(QUESTIONS[each.name][words.language], each) for each in paired.tests], words)


def _difference(arm: str, found: ArmDifference, farthest: float, words: Words) -> Markup:
    counts = (found.arm_counts, found.control_counts)
    return _balance((found.outcome, found.answer.value, arm), found.difference, farthest, counts, words)


def _guardrails(experiment: Experiment, report: Report, words: Words) -> Iterator[Markup]:
    if not report.guardrails:
        yield tag("p", words["withheld" if experiment.trial.guardrails else "no_guardrails"])
        return
    farthest = _farthest([each.difference for each in report.guardrails])
    yield tag("ul", *(_guardrail(each, farthest, words) for each in report.guardrails), class_="differences")


def _guardrail(result: GuardrailResult, farthest: float, words: Words) -> Markup:
    told = (f"{_rule(result.guardrail, words)} · {result.arm}", result.verdict.value, result.arm)
    return _balance(told, result.difference, farthest, (result.arm_counts, result.control_counts), words)


def _rule(guardrail: Guardrail, words: Words) -> str:
    what = guardrail.outcome or words[guardrail.measure.value]
    bounds = [words.difference(guardrail.max_increase)]
    if guardrail.max_decrease is not None:
        bounds.append(words.difference(-guardrail.max_decrease))
    return f"{what}: {words['at_most']} {', '.join(bounds)}"


def _balance(
    told: tuple[str, str, str], difference: Interval, farthest: float, counts: tuple[Counts, Counts], words: Words
) -> Markup:
    """Draw one difference with its bounds; `told` are what it is of, what is known of it, and the arm."""
    name, answer, arm = told
    bounds = f"{words.points(difference.low)} … {words.points(difference.high)}"
    written = f"{words.difference(difference.value)} ({bounds})"
    shares = (
        tag("small", f"{side} {words.share(each.share)} (n = {words.count(each.total)}) ")
        for side, each in zip((arm, words["control"]), counts, strict=True)
    )
    return tag(
        "li",
        tag("span", name, " ", tag("b", words[answer], class_=answer.lower()), class_="value"),
        charts.balance(difference, farthest, f"{name}: {written}"),
        tag("div", tag("p", written), *shares),
    )


def _farthest(differences: Sequence[Interval]) -> float:
    return max(max(abs(each.low), abs(each.high)) for each in differences) or 1.0
