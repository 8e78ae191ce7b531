"""Parts of pages: their frame, facts, what becomes what, tests, and what to keep in mind."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from millwright_judgment.domain.html import charts
from millwright_judgment.domain.html.markup import Markup, tag
from millwright_judgment.domain.html.style import STYLE
from millwright_judgment.domain.html.words import Words
from millwright_judgment.domain.statistics import Interval, TestResult


def page(title: str, body: Iterable[Markup], words: Words) -> str:
    """Put a whole page around its body."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", title),
        tag("style", Markup(STYLE)),
    )
    return f"<!doctype html>{tag('html', head, tag('body', tag('main', *body)), lang=words.language)}"


def header(title: str, name: str, facts: Iterable[tuple[str, str]]) -> Markup:
    """Say what the page is about: its title, the resource's name, and facts, a name and a value each."""
    listed = [part for known, value in facts for part in (tag("dt", known), tag("dd", value))]
    return tag("header", tag("h1", title), tag("p", name, class_="name"), tag("dl", *listed))


def headline(
    rate: Interval, changed: int, judged: int, moved: tuple[int, int], words: Words, *, refused: int = 0
) -> Markup:
    """Say how many outcomes change; `moved` are how many become more severe, and how many less."""
    interval = f"{words['interval']} {words.share(rate.low)} – {words.share(rate.high)}"
    counts = f"{words.count(changed)} {words['of']} {words.count(judged)}"
    directions = [
        tag("li", f"▲ {words.count(moved[0])} {words['escalated']}"),
        tag("li", f"▼ {words.count(moved[1])} {words['relaxed']}"),
    ]
    return tag(
        "div",
        tag("p", tag("b", words.share(rate.value)), " ", words["change_rate"], class_="rate"),
        tag("p", f"{counts} · {interval} ({rate.method})"),
        *([tag("p", _refused(refused, judged + refused, words), class_="refused")] if refused else []),
        tag("ul", *directions, class_="directions"),
        class_="headline",
    )


def _refused(count: int, total: int, words: Words) -> str:
    return f"{words.count(count)} {words['refused_of']} {words.count(total)}"


def composition(parts: Sequence[tuple[str, str, int]], words: Words) -> Markup:
    """Draw what the whole consists of: a class of the style, a key of the words and a count each."""
    legend = [
        tag("li", tag("i", class_=style), f"{words[key]}: {words.count(count)}") for style, key, count in parts if count
    ]
    label = ", ".join(f"{words[key]} {count}" for _, key, count in parts)
    bar = charts.stacked_bar([(style, count) for style, _, count in parts], label)
    return tag("div", bar, tag("ul", *legend, class_="legend"), class_="composition")


def matrix(
    levels: Sequence[str], transitions: Sequence[tuple[str, str, int]], sides: tuple[str, str, str], words: Words
) -> Markup:
    """Draw from what to what; `sides` are what rows are, what columns are, and both in a sentence."""
    found = {label for before, after, _ in transitions for label in (before, after)}
    labels = in_order(levels, found)
    counts = {(before, after): count for before, after, count in transitions}
    totals = {before: sum(counts.get((before, after), 0) for after in labels) or 1 for before in labels}

    def cell(before: str, after: str) -> Markup:
        kind = "same" if before == after else "moved"
        return share_cell(counts.get((before, after), 0), totals[before], kind, words)

    head = tag("tr", tag("td", f"{sides[0]} ↓ {sides[1]} →"), *(tag("th", each) for each in labels))
    rows = [tag("tr", tag("th", before), *(cell(before, after) for after in labels)) for before in labels]
    return tag("div", tag("table", head, *rows, class_="matrix"), tag("p", sides[2]), class_="wide")


def share_cell(count: int, total: int, kind: str, words: Words) -> Markup:
    """Give a cell of a matrix: a count and its share of the row, the darker the larger; `kind` is its class."""
    if not count:
        return tag("td", "·", class_="none")
    share = count / total
    shade = f"--share:{max(0.08, share):.3f}"
    return tag("td", words.count(count), tag("small", words.share(share)), class_=kind, style=shade)


def in_order(levels: Sequence[str], found: Iterable[str]) -> Sequence[str]:
    """Give the outcomes that occur: the ruleset's own in their order, then what stands where there is none."""
    occurring = set(found)
    known = [level for level in levels if level in occurring]
    return [*known, *sorted(occurring.difference(known))]


def tests(results: Sequence[tuple[str, TestResult]], words: Words) -> Iterator[Markup]:
    """Say what tests say: a question and its answer each; nothing if there are none."""
    if not results:
        return
    yield tag("h3", words["tests"])
    yield tag(
        "ul",
        *(
            tag(
                "li",
                f"{question} ",
                tag("small", _tested(result, words)),
            )
            for question, result in results
        ),
    )


def _tested(result: TestResult, words: Words) -> str:
    effect = f", {words['design_effect']} {result.effect:.2g}" if result.effect > 1 else ""
    return f"{result.name}{effect}, {words['p_value']} {words.p_value(result.p_value)}"


def warnings(texts: Iterable[Mapping[str, str]], words: Words) -> Iterator[Markup]:
    """Say what to keep in mind; each is given in every language."""
    yield tag("h3", words["warnings"])
    yield tag("ul", *(tag("li", each[words.language]) for each in texts))
