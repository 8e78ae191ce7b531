"""The picture of all services: what each is at, and the lines of what came about, the newest last."""

from collections import deque
from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from millwright_cli.watch.news import Thing
from millwright_cli.watch.words import Term
from millwright_cli.words import Words

_THINGS, _LINES = 10, 12
"""How many things of one service, and how many lines of news, there is room for."""


class View:
    """What is known of each service, drawn whenever it is asked for."""

    def __init__(self, say: Words) -> None:
        self._say = say
        self._services: dict[str, RenderableType] = {}
        self._lines: deque[Text] = deque(maxlen=_LINES)

    def show(self, service: str, things: list[Thing]) -> None:
        """Show what a service is at."""
        lines = [it.line for it in things[:_THINGS]]
        if len(things) > _THINGS:
            lines.append(Text(self._say(Term.MORE, n=len(things) - _THINGS), style="dim"))
        self._services[service] = Group(*lines) if lines else Text(self._say(Term.QUIET), style="dim")

    def show_away(self, service: str, reason: str) -> None:
        """Show that a service does not answer."""
        self._services[service] = away(reason, self._say)

    def add(self, service: str, line: Text) -> None:
        """Add a line of news."""
        self._lines.append(tagged(service, line))

    def __rich__(self) -> RenderableType:
        """Draw it."""
        grid = Table.grid(padding=(0, 2))
        grid.add_column(style="bold", no_wrap=True)
        grid.add_column(no_wrap=True, overflow="ellipsis")
        for service, shown in self._services.items():
            grid.add_row(service, shown)
        return Group(grid, *self._news())

    def _news(self) -> Iterator[RenderableType]:
        if self._lines:
            yield Rule(style="dim")
            for line in self._lines:
                yield Text.assemble(line, no_wrap=True, overflow="ellipsis")


def tagged(service: str, line: Text) -> Text:
    """Say which service a line is from."""
    return Text.assemble((f"{service:9} ", "bold"), line)


def away(reason: str, say: Words) -> Text:
    """Say that a service does not answer."""
    return Text.assemble(("✘ ", "red"), say(Term.AWAY, reason=reason))


def back(say: Words) -> Text:
    """Say that it answers again."""
    return Text.assemble(("✔ ", "green"), say(Term.BACK))
