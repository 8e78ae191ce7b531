"""The whole page."""

from __future__ import annotations

from collections.abc import Iterator

from millwright_judgment.domain import names
from millwright_judgment.domain.difference import words as cause_words
from millwright_judgment.domain.difference.causes import Flip
from millwright_judgment.domain.difference.edits import Edit
from millwright_judgment.domain.html import charts, parts
from millwright_judgment.domain.html.markup import Markup, tag, together
from millwright_judgment.domain.html.words import Words
from millwright_judgment.domain.replays.html.words import WORDS
from millwright_judgment.domain.replays.replay import Target, TargetKind
from millwright_judgment.domain.replays.report import CauseReport, Report, SegmentReport, TargetReport

_CAUSES = 20
_SEGMENTS = 25
_LONGEST_CELL = 200
"""Of a rule that was added or removed, so much is shown."""


def write_page(replay: str, report: Report, language: str) -> str:
    """Write a report as one HTML page, in `en` or `ko`."""
    words = Words(language, WORDS)
    body = [
        _header(replay, report, words),
        *(_target(report, target, words) for target in report.targets),
        tag("footer", words["dry_run"]),
    ]
    return parts.page(f"{words['title']} · {report.order.ruleset}", body, words)


def _header(replay: str, report: Report, words: Words) -> Markup:
    selected = words["rows" if report.order.selection.dataset else "selected"]
    facts = [(words["ruleset"], report.order.ruleset), (selected, words.count(report.selected))]
    if report.order.selection.dataset:
        facts.insert(1, (words["dataset"], report.order.selection.dataset))
    if report.oldest_time and report.newest_time:
        period = f"{report.oldest_time:%Y-%m-%d %H:%M} – {report.newest_time:%Y-%m-%d %H:%M} UTC"
        facts.append((words["period"], period))
    if report.reproduced:
        facts.append((words["reproduced"], words.count(report.reproduced)))
    baseline = report.order.baseline
    is_recorded = baseline.kind is TargetKind.RECORDED
    facts.append((words["baseline"], words["recorded"] if is_recorded else baseline.name(report.order.ruleset)))
    if report.order.changes:
        changed = cause_words.changes_in_words(report.order.changes)[words.language]
        facts.append((words["changes"], changed))
    return parts.header(words["title"], replay, facts)


def _target(report: Report, target: TargetReport, words: Words) -> Markup:
    name = _name(report.order.ruleset, target.target, words)
    return tag(
        "section",
        tag("h2", tag("small", words["target"]), " ", name),
        parts.headline(
            target.change_rate,
            target.changed_outcomes,
            target.compared - target.errors,
            (target.escalated, target.relaxed),
            words,
            refused=target.errors,
        ),
        _composition(target, words),
        tag("h3", words["matrix"]),
        parts.matrix(target.levels, target.transitions, (words["before"], words["after"], words["matrix_note"]), words),
        *_expectation(target, words),
        tag("h3", words["causes"]),
        _causes(target, words),
        *_segments(target, words),
        *parts.tests([(each.questions[words.language], each.result) for each in target.tests], words),
        *parts.warnings([each.texts for each in target.warnings], words),
    )


def _name(ruleset: str, target: Target, words: Words) -> str:
    return target.name(ruleset).removeprefix(f"{names.ruleset(ruleset)}/") or words["recorded_version"]


def _composition(target: TargetReport, words: Words) -> Markup:
    return parts.composition(
        [
            ("unchanged", "unchanged", target.unchanged),
            ("rule", "changed_rules", target.changed_rules),
            ("detail", "changed_details", target.changed_details),
            ("changed", "changed_outcomes", target.changed_outcomes),
            ("error", "errors", target.errors),
        ],
        words,
    )


def _expectation(target: TargetReport, words: Words) -> Iterator[Markup]:
    expected = target.expectation
    if expected is None:
        return
    counts = f"{words.count(expected.met)} {words['of']} {words.count(expected.rows)}"
    before = f"{words['met_before']} {words.count(expected.met_before)}"
    sides = (words["expected"], words["found"], words["expected_note"])
    yield tag("h3", words["expectation"])
    yield tag("p", tag("b", words.share(expected.met / expected.rows)), f" {words['met']}: {counts} · {before}")
    yield parts.matrix(target.levels, expected.transitions, sides, words)


def _causes(target: TargetReport, words: Words) -> Markup:
    if not target.causes:
        return tag("p", words["no_causes"])
    shown = [_cause(cause, words) for cause in target.causes[:_CAUSES]]
    others = target.other_causes
    count = sum(each.executions for each in target.causes[_CAUSES:]) + (others.executions if others else 0)
    share = sum(each.share for each in target.causes[_CAUSES:]) + (others.share if others else 0.0)
    left = [tag("p", f"{words['others']}: {words.count(count)} · {words.share(share)}")] if count else []
    return together(tag("p", words["causes_note"]), tag("ol", *shown, class_="causes"), *left)


def _cause(report: CauseReport, words: Words) -> Markup:
    shares = f"{words.count(report.executions)} · {words.share(report.share)}"
    cumulative = f"{words['cumulative']} {words.share(report.cumulative_share)}"
    moves = [f"{before} → {after}: {words.count(count)}" for before, after, count in report.transitions]
    told: list[Markup] = []
    if report.cause.minimal_edits:
        told.append(tag("h4", words["edits"]))
        told.append(tag("ul", *(tag("li", _edit(edit)) for edit in report.cause.minimal_edits)))
    if report.cause.flips:
        told.append(tag("h4", words["flips"]))
        told.append(tag("ul", *(tag("li", _flip(flip, words)) for flip in report.cause.flips)))
    told.append(tag("h4", words["examples"]))
    told.append(tag("ul", *(tag("li", _example(each, words), class_="name") for each in report.examples)))
    return tag(
        "li",
        tag("p", cause_words.in_words(report.cause)[words.language], class_="sentence"),
        charts.bar(report.share, shares),
        tag("p", f"{shares} ({cumulative}) · ", "; ".join(moves)),
        tag("details", tag("summary", f"{report.id} · {words['details']}"), *told),
    )


def _example(name: str, words: Words) -> str:
    return f"{words['row']} {int(name):,}" if name.isdecimal() else f"executions/{name}"


def _edit(edit: Edit) -> Markup:
    place = " · ".join(part for part in (edit.table, edit.rule, edit.field) if part)
    return together(f"{place}: ", tag("del", _shortened(edit.before)), " → ", tag("ins", _shortened(edit.after)))


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_CELL else f"{text[:_LONGEST_CELL]}…"


def _flip(flip: Flip, words: Words) -> str:
    def side(cell: str, held: bool, margin: float | None) -> str:  # noqa: FBT001 - what the flip holds
        written = f", {words['margin']} {margin:.6g}" if margin is not None else ""
        return f"{cell or '–'} ({words['held'] if held else words['not_held']}{written})"

    before = side(flip.cell_before, flip.held_before, flip.margin_before)
    after = side(flip.cell_after, flip.held_after, flip.margin_after)
    return f"{flip.rule}: {flip.field} = {flip.value}: {before} → {after}"


def _segments(target: TargetReport, words: Words) -> Iterator[Markup]:
    if not target.segments or not (target.changed_outcomes or target.errors):
        return
    yield tag("h3", words["segments"])
    yield tag("p", words["segments_note"])
    average = target.change_rate.value
    highest = max(average, *(each.change_rate.high for each in target.segments)) or 1.0
    for dimension in dict.fromkeys(each.dimension for each in target.segments):
        found = [each for each in target.segments if each.dimension == dimension]
        rows = [_segment(each, highest, average, words) for each in found[:_SEGMENTS]]
        yield tag("h4", words[dimension])
        yield tag("ul", *rows, *_other_segments(target, dimension, words), class_="segments")


def _other_segments(target: TargetReport, dimension: str, words: Words) -> Iterator[Markup]:
    """Give a row of what has values that are not drawn: those past the first of the report, and those it leaves out."""
    drawn = [each for each in target.segments if each.dimension == dimension][_SEGMENTS:]
    left_out = [each for each in target.other_segments if each.dimension == dimension]
    counts = [(each.compared, each.errors) for each in drawn] + [(each.compared, each.errors) for each in left_out]
    compared, errors = (sum(count) for count in zip(*counts, strict=True)) if counts else (0, 0)
    if compared:
        counted = f"n = {words.count(compared)}{_refused(errors, words)}"
        yield tag("li", tag("span", words["others"], class_="value"), tag("span", tag("small", counted)))


def _refused(errors: int, words: Words) -> str:
    return f", {words.count(errors)} {words['refused']}" if errors else ""


def _segment(segment: SegmentReport, highest: float, average: float, words: Words) -> Markup:
    rate = segment.change_rate
    written = f"{words.share(rate.value)} ({words.share(rate.low)} – {words.share(rate.high)})"
    refused = _refused(segment.errors, words)
    counted = f"n = {words.count(segment.compared)}{refused}, p {words.p_value(segment.adjusted_p_value)}"
    return tag(
        "li",
        tag("span", segment.value, class_="value"),
        charts.whisker(rate, highest, average, f"{segment.value}: {written}"),
        tag("span", written, " ", tag("small", counted)),
    )
