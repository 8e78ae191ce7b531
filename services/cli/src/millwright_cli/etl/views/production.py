"""Facts as a table."""

from collections.abc import Mapping, Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from millwright_cli.drawing import table
from millwright_cli.etl.facts import Measure, Rows
from millwright_cli.etl.words import Term
from millwright_cli.words import Words


def facts(rows: Rows, say: Words) -> RenderableType:
    """Lay out facts, numbers to the right."""
    headings = [Term[f"DIMENSION_{group.name}"] for group in rows.groups]
    headings += [Term[f"MEASURE_{measure.name}"] for measure in rows.measures]
    if not headings or not rows.rows:
        return table(headings or [Term.COUNT], [], say)
    cells = [_cells(keys, values) for keys, values in rows]
    grid = table(headings, cells, say)
    assert isinstance(grid, Table)
    for column in grid.columns[len(rows.groups) :]:
        column.justify = "right"
    return grid


def _cells(keys: Sequence[str], values: Mapping[Measure, float | None]) -> list[str | Text]:
    return [*keys, *(number(value, measure) for measure, value in values.items())]


def number(value: float | None, measure: Measure) -> Text:
    """Say a measure: shares in percent, the rest with thousands apart."""
    if value is None:
        return Text("–", style="dim")
    if measure.is_share:
        return Text(f"{value:.1%}")
    return Text(f"{value:,.1f}" if measure is Measure.CYCLE_SECONDS else f"{value:,.0f}")
