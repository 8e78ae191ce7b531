"""The pieces that every view is drawn with: marks for states, tables, facts, values.

Text that a service sends was written by others: here its control characters are taken out, so that they never reach
the terminal.
"""

import json
from collections.abc import Iterable
from typing import Any

from google.protobuf import json_format
from google.protobuf.struct_pb2 import Value
from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from millwright_cli.words import Vocabulary, Word, Words

# Everything below U+0020 but tab and newline, DELETE, and the C1 controls.
_CONTROLS = dict.fromkeys((*range(9), *range(11, 32), *range(127, 160)), "�")

_BAR_CELLS = 20

# Colour and glyph by the names of the contract's enum values, so that a state reads without colour too.
_MARKS = {
    "STATE_GOOD": ("green", "✔"),
    "STATE_BAD": ("red", "✘"),
    "STATE_PENDING": ("bright_black", "○"),
    "STATE_RUNNING": ("cyan", "▶"),
    "STATE_PAUSED": ("yellow", "‖"),
    "STATE_COMPENSATING": ("yellow", "↩"),
    "STATE_COMPLETED": ("green", "✔"),
    "STATE_FAULTED": ("red", "✘"),
    "STATE_CANCELLED": ("yellow", "■"),
    "STATE_CANCELLING": ("yellow", "□"),
    "STATE_WAITING": ("cyan", "?"),
    "STATE_APPROVED": ("green", "✔"),
    "STATE_REJECTED": ("red", "✘"),
    "STATE_EXPIRED": ("yellow", "■"),
    "STATE_OPEN": ("yellow", "!"),
    "STATE_FIXED": ("green", "✔"),
    "STATE_IGNORED": ("bright_black", "■"),
    "STATE_SUPERSEDED": ("bright_black", "→"),
    "STATE_WITHDRAWN": ("bright_black", "■"),
    "OPERATION_PUBLISH": ("cyan", "+"),
    "OPERATION_PROMOTE": ("green", "↑"),
    "OPERATION_ROLLBACK": ("yellow", "↩"),
    "OPERATION_MARK_BAD": ("red", "✘"),
    "OPERATION_MARK_GOOD": ("green", "✔"),
    "OPERATION_CANARY_START": ("cyan", "◔"),
    "OPERATION_CANARY_STEP": ("cyan", "◑"),
    "OPERATION_CANARY_ABORT": ("yellow", "■"),
    "STATE_HELD": ("yellow", "‖"),
    "STATE_DRAFT": ("yellow", "○"),
    "STATE_VALIDATED": ("green", "◉"),
    "STATE_PUBLISHED": ("green", "✔"),
    "STATE_RETIRED": ("bright_black", "■"),
    "OPERATION_RETIRE": ("bright_black", "■"),
    "OPERATION_PLAN": ("cyan", "◷"),
    "OPERATION_UNPLAN": ("bright_black", "■"),
    "OPERATION_EXPERIMENT_START": ("cyan", "◔"),
    "OPERATION_EXPERIMENT_STEP": ("cyan", "◑"),
    "OPERATION_EXPERIMENT_STOP": ("yellow", "■"),
    "SEVERITY_ERROR": ("red", "✘"),
    "SEVERITY_INFO": ("bright_black", "·"),
    "SEVERITY_CRITICAL": ("red", "✘"),
    "SEVERITY_WARNING": ("yellow", "!"),
    "STATUS_DECIDED": ("green", "✔"),
    "STATUS_INDETERMINATE": ("yellow", "?"),
    "STATUS_NO_MATCH": ("yellow", "∅"),
    "STATE_FAILED": ("red", "✘"),
    "STATE_NOT_REPRODUCIBLE": ("red", "≠"),
    "STATE_STOPPED": ("yellow", "■"),
    "STATE_ROLLED_BACK": ("red", "↩"),
    "STATE_PROMOTED": ("green", "↑"),
    "VERDICT_HOLDS": ("green", "✔"),
    "VERDICT_BROKEN": ("red", "✘"),
    "VERDICT_HIGHER": ("yellow", "▲"),
    "VERDICT_LOWER": ("yellow", "▼"),
    "VERDICT_OPEN": ("yellow", "?"),
    "CHANGE_NONE": ("green", "="),
    "CHANGE_RULE": ("bright_black", "≈"),
    "CHANGE_DETAIL": ("cyan", "~"),
    "CHANGE_OUTCOME": ("yellow", "≠"),
    "CHANGE_ERROR": ("red", "✘"),
    "CHANGE_NOT_REPRODUCIBLE": ("red", "?"),
    "VERDICT_PASS": ("green", "✔"),
    "VERDICT_FAIL": ("red", "✘"),
    "VERDICT_INCONCLUSIVE": ("yellow", "?"),
    "STATE_INSTALLING": ("cyan", "▶"),
    "STATE_ENABLED": ("green", "✔"),
    "STATE_DISABLED": ("yellow", "‖"),
    "STATE_UNINSTALLED": ("bright_black", "■"),
    "STAGE_UPLOADED": ("cyan", "○"),
    "STAGE_EXTRACTING": ("cyan", "▶"),
    "STAGE_VALIDATING": ("cyan", "▶"),
    "STAGE_BUILDING": ("cyan", "▶"),
    "STAGE_ACTIVATING": ("cyan", "▶"),
    "STAGE_COMPLETED": ("green", "✔"),
    "STAGE_FAILED": ("red", "✘"),
    "STAGE_CANCELLED": ("yellow", "■"),
    "STAGE_ROLLED_BACK": ("yellow", "↩"),
    "KIND_INSTALL": ("green", "+"),
    "KIND_UPGRADE": ("green", "↑"),
    "KIND_ROLLBACK": ("yellow", "↩"),
    "KIND_ENABLE": ("green", "✔"),
    "KIND_DISABLE": ("yellow", "‖"),
    "KIND_UNINSTALL": ("bright_black", "■"),
    "KIND_CREATED": ("bright_black", "○"),
    "KIND_STARTED": ("cyan", "▶"),
    "KIND_TASK_COMPLETED": ("green", "·"),
    "KIND_TASK_UNDONE": ("yellow", "↩"),
    "KIND_TASK_RETRIED": ("yellow", "↻"),
    "KIND_TASK_PROGRESS": ("cyan", "…"),
    "KIND_CORRELATION_STARTED": ("cyan", "?"),
    "KIND_CORRELATION_COMPLETED": ("green", "!"),
    "KIND_PAUSED": ("yellow", "‖"),
    "KIND_RESUMED": ("cyan", "▶"),
    "KIND_COMPENSATION_STARTED": ("yellow", "↩"),
    "KIND_COMPLETED": ("green", "✔"),
    "KIND_FAULTED": ("red", "✘"),
    "KIND_CANCELLED": ("yellow", "■"),
}


def clean(text: str) -> str:
    """Replace control characters, which could rewrite what a terminal shows."""
    return text.translate(_CONTROLS)


def short(resource: str) -> str:
    """Give the last segment of a resource name: what a person calls it."""
    return clean(resource.rpartition("/")[2])


def marked(name: str, say: Words) -> Text:
    """Say a value of one of the contract's enums with its glyph and colour."""
    colour, glyph = _MARKS.get(name, ("default", "?"))
    return Text(f"{glyph} {say.named(name)}", style=colour)


def glyph(name: str) -> Text:
    """Give the coloured glyph of an enum value alone."""
    colour, sign = _MARKS.get(name, ("default", "?"))
    return Text(sign, style=colour)


def json_text(value: Value) -> str:
    """Write a JSON value for a person: on one line if it is short, else indented."""
    plain = _whole(json_format.MessageToDict(value))
    line = json.dumps(plain, ensure_ascii=False, sort_keys=True)
    return clean(line if len(line) <= 80 else json.dumps(plain, ensure_ascii=False, indent=2, sort_keys=True))


def _whole(value: Any) -> Any:
    """Write 3 for the 3.0 that a protobuf Value makes of every number."""
    match value:
        case dict():
            return {key: _whole(each) for key, each in value.items()}
        case list():
            return [_whole(each) for each in value]
        case float() if value.is_integer():
            return int(value)
    return value


def table(headings: Iterable[Vocabulary | str], rows: Iterable[Iterable[str | Text]], say: Words) -> RenderableType:
    """Lay rows out under their headings, words or names; no rows give one sentence."""
    grid = Table(box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for heading in headings:
        grid.add_column(clean(heading) if isinstance(heading, str) else say(heading))
    cells = [[_cell(value) for value in row] for row in rows]
    for row in cells:
        grid.add_row(*row)
    # What a row is called by is copied from here: it stays whole, and everything else gives way.
    first = grid.columns[0]
    first.width = max(cell_len(str(first.header)), *(row[0].cell_len for row in cells), 0)
    for column in grid.columns[1:]:
        column.overflow = "fold"
    return grid if grid.row_count else Text(say(Word.NOTHING), style="dim")


def bar(share: float) -> Text:
    """Draw a share from 0 to 1 as a bar."""
    cells = round(min(max(share, 0.0), 1.0) * _BAR_CELLS)
    return Text.assemble(("█" * cells, "cyan"), ("░" * (_BAR_CELLS - cells), "dim"))


def number(value: float) -> str:
    """Write a number without the noise of its binary form."""
    return f"{value:.12g}"


def facts(rows: Iterable[tuple[Vocabulary, str | Text]], say: Words) -> RenderableType:
    """Lay out what is known of one thing, a fact a line; empty facts are left out."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    for word, value in rows:
        if value:
            grid.add_row(say(word), _cell(value))
    return grid


def _cell(value: str | Text) -> Text:
    return value if isinstance(value, Text) else Text(clean(value))


def caveats(say: Words, *, dry_run: bool = False, replayed: bool = False) -> list[Text]:
    """Say what an answer to a write does not mean."""
    words = [*([Word.DRY_RUN] if dry_run else []), *([Word.REPLAYED] if replayed else [])]
    return [Text(say(word), style="dim") for word in words]
