"""A report as charts for a terminal."""

from collections.abc import Iterator, Mapping, Sequence

from rich.cells import cell_len
from rich.console import RenderableType
from rich.text import Text

from millwright_cli.drawing import clean
from millwright_cli.etl.facts import Measure, Report, Rows
from millwright_cli.etl.views.production import number
from millwright_cli.etl.words import Term
from millwright_cli.words import Words

_WIDTH = 40
_MOST_DEFECTS = 8
_GOOD, _DEFECT, _SCRAP = "green", "red", "yellow"
_EIGHTHS = " ▏▎▍▌▋▊▉"


def title(found: Report, say: Words) -> str:
    """Say what a report is about."""
    first, last = found.days.first, found.days.last
    return say(Term.REPORT_DAY if first == last else Term.REPORT, from_date=first, to_date=last)


def report(found: Report, say: Words) -> Iterator[RenderableType]:
    """Draw a report."""
    yield Text(title(found, say), style="bold")
    if not found.by_day.rows:
        yield Text(say(Term.NO_FACTS), style="dim")
        return
    for _, values in found.whole:
        told = [f"{say(Term[f'MEASURE_{each.name}'])} {number(values[each], each)}" for each in found.whole.measures]
        yield Text("  ".join(told))
    yield from _pieces(Term.BY_DAY, found.by_day, say)
    yield from _shares(found.by_line, say)
    yield from _pieces(Term.BY_SHIFT, found.by_shift, say)
    if found.defects:
        yield _heading(Term.DEFECTS, say)
        shown = found.defects[:_MOST_DEFECTS]
        yield from _bars([(kind, [(pieces, _DEFECT)], f"{pieces:,.0f}") for kind, pieces in shown])


def _pieces(word: Term, rows: Rows, say: Words) -> Iterator[RenderableType]:
    parts = (("MEASURE_GOOD_QTY", _GOOD), ("MEASURE_DEFECT_QTY", _DEFECT), ("MEASURE_SCRAP_QTY", _SCRAP))
    legend = Text("  ").join(Text.assemble(("█ ", style), say.named(name)) for name, style in parts)
    yield Text.assemble(_heading(word, say), "   ", legend)
    yield from _bars(
        [
            (
                keys[0],
                [
                    (values[Measure.GOOD_QTY] or 0, _GOOD),
                    (values[Measure.DEFECT_QTY] or 0, _DEFECT),
                    (values[Measure.SCRAP_QTY] or 0, _SCRAP),
                ],
                f"{_told(values, Measure.TOTAL_QTY)}   {say(Term.MEASURE_OEE)} {_told(values, Measure.OEE)}",
            )
            for keys, values in rows
        ]
    )


def _shares(rows: Rows, say: Words) -> Iterator[RenderableType]:
    yield _heading(Term.BY_LINE, say)
    parts = (Measure.AVAILABILITY, Measure.PERFORMANCE, Measure.QUALITY)
    yield from _bars(
        [
            (
                keys[0],
                [(values[Measure.OEE] or 0, "cyan")],
                f"{_told(values, Measure.OEE)}   = "
                + " × ".join(f"{say(Term[f'MEASURE_{each.name}'])} {_told(values, each)}" for each in parts),
            )
            for keys, values in rows
        ],
        most=1.0,
    )


def _bars(rows: Sequence[tuple[str, Sequence[tuple[float, str]], str]], most: float = 0.0) -> Iterator[Text]:
    """Draw a bar of parts a row, each as wide as its value is of the largest sum."""
    labels = [clean(label) for label, _, _ in rows]
    width = max((cell_len(label) for label in labels), default=0)
    most = max([most, *(sum(value for value, _ in parts) for _, parts, _ in rows)])
    for label, (_, parts, told) in zip(labels, rows, strict=True):
        bar = Text.assemble(*((_bar(value, most), style) for value, style in parts))
        yield Text.assemble(f"  {label}{' ' * (width - cell_len(label))} ", bar, " " * (_WIDTH - len(bar)), f" {told}")


def _bar(value: float, most: float) -> str:
    eighths = round(value / most * _WIDTH * 8) if most else 0
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def _heading(word: Term, say: Words) -> Text:
    return Text(say(word), style="bold")


def _told(values: Mapping[Measure, float | None], measure: Measure) -> str:
    return str(number(values[measure], measure))
