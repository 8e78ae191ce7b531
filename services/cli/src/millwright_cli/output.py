"""How answers and failures reach a person or a script: stdout for the answer, stderr for everything else.

With JSON, stdout carries the protobuf JSON mapping of the answer and nothing else.
"""

import json
import sys
from enum import StrEnum

from google.protobuf import json_format
from google.protobuf.message import Message
from rich.console import Console, RenderableType
from rich.text import Text

from millwright_cli.drawing import clean
from millwright_cli.errors import Failure
from millwright_cli.words import Word, Words

# A pipe has no width: wide enough that no row of a table breaks.
_PIPE_WIDTH = 240


class Format(StrEnum):
    """What the command prints."""

    TEXT = "text"
    JSON = "json"


class Screen:
    """The two streams of one command, in one format and one language."""

    def __init__(self, output_format: Format, say: Words) -> None:
        self.say = say
        self.is_json = output_format is Format.JSON
        self.out = _console(stderr=False)
        self._err = _console(stderr=True)

    @property
    def is_live(self) -> bool:
        """Whether a person watches, so that lines may be drawn anew."""
        return self.out.is_terminal and not self.is_json

    def answer(self, message: Message, *lines: RenderableType) -> None:
        """Print an answer: the whole message as JSON, or the lines made of it for people."""
        if self.is_json:
            self.raw(json.dumps(as_json(message), ensure_ascii=False, indent=2))
        else:
            self.lines(*lines)

    def listing(self, message: Message, rows: RenderableType, *, limit: int, goes_on: bool) -> None:
        """Print a list, and say so if it goes on beyond the limit."""
        more = [Text(self.say(Word.MORE, limit=limit), style="dim")] if goes_on else []
        self.answer(message, rows, *more)

    def one_of_many(self, message: Message, *lines: RenderableType) -> None:
        """Print one message of a watch: as one line of JSON, or as lines for people; it is seen at once."""
        if self.is_json:
            self.raw(json.dumps(as_json(message), ensure_ascii=False))
        else:
            self.lines(*lines)
        self.out.file.flush()

    def lines(self, *lines: RenderableType) -> None:
        """Print lines for people, none with JSON."""
        if not self.is_json:
            for line in lines:
                self.out.print(line, soft_wrap=isinstance(line, Text))

    def raw(self, text: str) -> None:
        """Print text as it is, for whatever reads the other end of a pipe."""
        self.out.file.write(text if text.endswith("\n") else f"{text}\n")

    def notice(self, text: str) -> None:
        """Tell a person something beside the answer, where no pipe takes it for one; a script is told nothing."""
        if not self.is_json:
            # Through the console that draws a live line, lest the two write over one another.
            console = self.out if self.is_live else self._err
            console.print(Text(text, style="dim"), soft_wrap=True)

    def aside(self, *lines: RenderableType) -> None:
        """Show a person lines beside the answer, where no pipe takes them for it; a script is shown none."""
        if not self.is_json:
            for line in lines:
                self._err.print(line, soft_wrap=isinstance(line, Text))

    def failure(self, failure: Failure) -> None:
        """Print a failure on stderr: what happened, each violation, and what to do."""
        if self.is_json:
            self._err.file.write(json.dumps(failure.as_json(), ensure_ascii=False) + "\n")
            return
        name = failure.reason or failure.code
        self._err.print(Text.assemble(("✘ ", "red"), clean(failure.message), (f"  [{name}]", "dim")), soft_wrap=True)
        for found in failure.violations:
            line = Text.assemble("  ", (clean(found.field), "bold"), ": ", clean(found.description))
            self._err.print(line, soft_wrap=True)
        if hint := self.say.hint(failure.reason, failure.code):
            self._err.print(Text.assemble(("→ ", "cyan"), hint), soft_wrap=True)


def as_json(message: Message) -> object:
    """Convert to the protobuf JSON mapping, with every field that has a default, so that its shape never varies."""
    return json_format.MessageToDict(message, always_print_fields_with_no_presence=True)


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    return Console(
        file=stream, width=None if stream.isatty() else _PIPE_WIDTH, highlight=False, markup=False, emoji=False
    )
