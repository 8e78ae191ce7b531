"""The whole page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from millwright_judgment.domain import names
from millwright_judgment.domain.difference import words as cause_words
from millwright_judgment.domain.difference.causes import Flip
from millwright_judgment.domain.difference.edits import Edit
from millwright_judgment.domain.replays.html import charts
from millwright_judgment.domain.replays.html.markup import Markup, tag, together
from millwright_judgment.domain.replays.html.style import STYLE
from millwright_judgment.domain.replays.html.words import Words
from millwright_judgment.domain.replays.replay import Target, TargetKind
from millwright_judgment.domain.replays.report import CauseReport, Report, SegmentReport, TargetReport
from millwright_judgment.domain.replays.words import WARNINGS

_CAUSES = 20
_SEGMENTS = 25
_LONGEST_CELL = 200
"""Of a rule that was added or removed, so much is shown."""


def write_page(replay: str, report: Report, language: str) -> str:
    """Write a report as one HTML page, in `en` or `ko`."""
    words = Words(language)
    body = [
        _header(replay, report, words),
        *(_target(report, target, words) for target in report.targets),
        tag("footer", words["dry_run"]),
    ]
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", f"{words['title']} · {report.order.ruleset}"),
        tag("style", Markup(STYLE)),
    )
    return f"<!doctype html>{tag('html', head, tag('body', tag('main', *body)), lang=language)}"


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
    listed = [part for name, value in facts for part in (tag("dt", name), tag("dd", value))]
    return tag("header", tag("h1", words["title"]), tag("p", replay, class_="name"), tag("dl", *listed))


def _target(report: Report, target: TargetReport, words: Words) -> Markup:
    name = _name(report.order.ruleset, target.target, words)
    return tag(
        "section",
        tag("h2", tag("small", words["target"]), " ", name),
        _headline(target, words),
        _composition(target, words),
        tag("h3", words["matrix"]),
        _matrix(target.levels, target.transitions, (words["before"], words["after"], words["matrix_note"]), words),
        *_expectation(target, words),
        tag("h3", words["causes"]),
        _causes(target, words),
        *_segments(target, words),
        *_tests(target, words),
        tag("h3", words["warnings"]),
        tag("ul", *(tag("li", WARNINGS[code][words.language]) for code in target.warnings)),
    )


def _name(ruleset: str, target: Target, words: Words) -> str:
    return target.name(ruleset).removeprefix(f"{names.ruleset(ruleset)}/") or words["recorded_version"]


def _headline(target: TargetReport, words: Words) -> Markup:
    rate = target.change_rate
    interval = f"{words['interval']} {words.share(rate.low)} – {words.share(rate.high)}"
    counts = f"{words.count(target.changed_outcomes)} {words['of']} {words.count(target.compared)}"
    directions = [
        tag("li", f"▲ {words.count(target.escalated)} {words['escalated']}"),
        tag("li", f"▼ {words.count(target.relaxed)} {words['relaxed']}"),
    ]
    return tag(
        "div",
        tag("p", tag("b", words.share(rate.value)), " ", words["change_rate"], class_="rate"),
        tag("p", f"{counts} · {interval} ({rate.method})"),
        tag("ul", *directions, class_="directions"),
        class_="headline",
    )


def _composition(target: TargetReport, words: Words) -> Markup:
    parts = [
        ("unchanged", target.unchanged),
        ("rule", target.changed_rules),
        ("detail", target.changed_details),
        ("changed", target.changed_outcomes),
        ("error", target.errors),
    ]
    keys = ("unchanged", "changed_rules", "changed_details", "changed_outcomes", "errors")
    legend = [
        tag("li", tag("i", class_=style), f"{words[key]}: {words.count(count)}")
        for (style, count), key in zip(parts, keys, strict=True)
        if count
    ]
    label = ", ".join(f"{words[key]} {count}" for (_, count), key in zip(parts, keys, strict=True))
    return tag("div", charts.stacked_bar(parts, label), tag("ul", *legend, class_="legend"), class_="composition")


def _expectation(target: TargetReport, words: Words) -> Iterator[Markup]:
    expected = target.expectation
    if expected is None:
        return
    counts = f"{words.count(expected.met)} {words['of']} {words.count(expected.rows)}"
    before = f"{words['met_before']} {words.count(expected.met_before)}"
    sides = (words["expected"], words["found"], words["expected_note"])
    yield tag("h3", words["expectation"])
    yield tag("p", tag("b", words.share(expected.met / expected.rows)), f" {words['met']}: {counts} · {before}")
    yield _matrix(target.levels, expected.transitions, sides, words)


def _matrix(
    levels: Sequence[str], transitions: Sequence[tuple[str, str, int]], sides: tuple[str, str, str], words: Words
) -> Markup:
    """Draw from what to what; `sides` are what rows are, what columns are, and both in a sentence."""
    labels = _labels(levels, transitions)
    counts = {(before, after): count for before, after, count in transitions}
    totals = {before: sum(counts.get((before, after), 0) for after in labels) or 1 for before in labels}

    def cell(before: str, after: str) -> Markup:
        count = counts.get((before, after), 0)
        if not count:
            return tag("td", "·", class_="none")
        share = count / totals[before]
        kind = "same" if before == after else "moved"
        shade = f"--share:{max(0.08, share):.3f}"
        return tag("td", words.count(count), tag("small", words.share(share)), class_=kind, style=shade)

    head = tag("tr", tag("td", f"{sides[0]} ↓ {sides[1]} →"), *(tag("th", each) for each in labels))
    rows = [tag("tr", tag("th", before), *(cell(before, after) for after in labels)) for before in labels]
    return tag("div", tag("table", head, *rows, class_="matrix"), tag("p", sides[2]), class_="wide")


def _labels(levels: Sequence[str], transitions: Sequence[tuple[str, str, int]]) -> Sequence[str]:
    """Give the outcomes that occur: the ruleset's own in their order, then what stands where there is none."""
    found = {label for before, after, _ in transitions for label in (before, after)}
    known = [level for level in levels if level in found]
    return [*known, *sorted(found.difference(known))]


def _causes(target: TargetReport, words: Words) -> Markup:
    if not target.causes:
        return tag("p", words["no_causes"])
    shown = [_cause(cause, words) for cause in target.causes[:_CAUSES]]
    left = len(target.causes) - len(shown)
    more = [tag("p", f"+ {left} {words['more']}")] if left else []
    return together(tag("p", words["causes_note"]), tag("ol", *shown, class_="causes"), *more)


def _cause(report: CauseReport, words: Words) -> Markup:
    shares = f"{words.count(report.executions)} · {words.share(report.share)}"
    cumulative = f"{words['cumulative']} {words.share(report.cumulative_share)}"
    moves = [f"{before} → {after}: {words.count(count)}" for before, after, count in report.transitions]
    parts: list[Markup] = []
    if report.cause.minimal_edits:
        parts.append(tag("h4", words["edits"]))
        parts.append(tag("ul", *(tag("li", _edit(edit)) for edit in report.cause.minimal_edits)))
    if report.cause.flips:
        parts.append(tag("h4", words["flips"]))
        parts.append(tag("ul", *(tag("li", _flip(flip, words)) for flip in report.cause.flips)))
    parts.append(tag("h4", words["examples"]))
    parts.append(tag("ul", *(tag("li", _example(each, words), class_="name") for each in report.examples)))
    return tag(
        "li",
        tag("p", cause_words.in_words(report.cause)[words.language], class_="sentence"),
        charts.bar(report.share, shares),
        tag("p", f"{shares} ({cumulative}) · ", "; ".join(moves)),
        tag("details", tag("summary", f"{report.id} · {words['details']}"), *parts),
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
    if not target.segments or not target.changed_outcomes:
        return
    yield tag("h3", words["segments"])
    yield tag("p", words["segments_note"])
    average = target.change_rate.value
    highest = max(average, *(each.change_rate.high for each in target.segments)) or 1.0
    for dimension in dict.fromkeys(each.dimension for each in target.segments):
        found = [each for each in target.segments if each.dimension == dimension]
        rows = [_segment(each, highest, average, words) for each in found[:_SEGMENTS]]
        left = len(found) - len(rows)
        more = [tag("li", f"+ {left} {words['more']}")] if left else []
        yield tag("h4", words[dimension])
        yield tag("ul", *rows, *more, class_="segments")


def _segment(segment: SegmentReport, highest: float, average: float, words: Words) -> Markup:
    rate = segment.change_rate
    written = f"{words.share(rate.value)} ({words.share(rate.low)} – {words.share(rate.high)})"
    counted = f"n = {words.count(segment.compared)}, p {words.p_value(segment.adjusted_p_value)}"
    return tag(
        "li",
        tag("span", segment.value, class_="value"),
        charts.whisker(rate, highest, average, f"{segment.value}: {written}"),
        tag("span", written, " ", tag("small", counted)),
    )


def _tests(target: TargetReport, words: Words) -> Iterator[Markup]:
    if not target.tests:
        return
    yield tag("h3", words["tests"])
    yield tag(
        "ul",
        *(
            tag(
                "li",
                f"{each.questions[words.language]} ",
                tag("small", f"{each.result.name}, {words['p_value']} {words.p_value(each.result.p_value)}"),
            )
            for each in target.tests
        ),
    )
