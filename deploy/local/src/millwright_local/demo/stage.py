"""What the person in front of the demo sees: numbered steps, claims with a tick once they were checked, tables.

It decides nothing. Where the output is no terminal it is plain text.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

INDENT = (0, 0, 0, 2)


class ClaimBroken(Exception):
    """What the demo says does not hold."""


class Stage:
    """Shows the story. Knows which step it is in, so that a failure can be told by its name."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._acts = 0
        self._steps = 0
        self.claims = 0
        self.step_name = ""

    def act(self, title: str) -> None:
        """Announce an act."""
        self._acts += 1
        self._console.print(f"\n[bold]Act {self._acts}: {title}[/]")

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Announce a step; a terminal shows that it is under way."""
        self._steps += 1
        self.step_name = f"step {self._steps}, {name}"
        self._console.print(f"\n[bold cyan]{self._steps}[/] [bold]{name}[/]")
        with self._console.status("[dim]working …[/]"):
            yield

    def say(self, text: str) -> None:
        """Tell something that needs no proof."""
        self._console.print(Padding(Text(text, style="dim"), INDENT, expand=False))

    def ready(self, what: str, seconds: float) -> None:
        """Tell what has started, and how long that took."""
        self._console.print(f"  [green]✓[/] {what} [dim]{seconds:.1f} s[/]")

    def claim(self, what: str, *, holds: bool, measured: str = "") -> None:
        """Tick a claim that holds, with what was measured. Raises ClaimBroken for one that does not."""
        if not holds:
            raise ClaimBroken(f"{what}: {measured}" if measured else what)
        self.claims += 1
        line = Text.assemble(("✓ ", "green"), what, ": " if measured else "", (measured, "bold"))
        self._console.print(Padding(line, INDENT, expand=False))

    def fail(self, why: str) -> None:
        """Tell in which step the story broke off, and why."""
        self._console.print(f"\n[bold red]✗ {self.step_name}: this did not hold[/]", soft_wrap=True)
        self._console.print(why, markup=False, soft_wrap=True)

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Show a table; numbers stand on the right."""
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
        cells = [[_cell(value) for value in row] for row in rows]
        for place, column in enumerate(columns):
            is_number = all(row[place].replace(".", "").replace("%", "").isdecimal() for row in cells)
            table.add_column(column, justify="right" if is_number else "left")
        for row in cells:
            table.add_row(*row)
        self._console.print(Padding(table, INDENT, expand=False))


def _cell(value: object) -> str:
    return f"{value:.1%}" if isinstance(value, float) else str(value)


def milliseconds(seconds: float) -> str:
    """Return a time as people read it."""
    return f"{seconds * 1000:.1f} ms"
