"""What problems look like to a person: where, what, and what to do. Pure functions."""

from collections.abc import Iterable, Mapping

from millwright.modules.v1 import module_pb2
from rich.text import Text

from millwright_cli.drawing import clean, glyph
from millwright_cli.words import Words


def lines(problems: Iterable[module_pb2.Problem], say: Words) -> list[Text]:
    """Draw problems, each with its place and its hint."""
    return [line for problem in problems for line in _lines(problem, say)]


def spoken(texts: Mapping[str, str], say: Words) -> str:
    """Give a text of the service in the language of whoever reads it; in English where it has no other."""
    return clean(texts.get(say.language) or texts.get("en") or "")


def _lines(problem: module_pb2.Problem, say: Words) -> list[Text]:
    place = f"{problem.path}:{problem.line}" if problem.line else problem.path
    sign = glyph(module_pb2.Problem.Severity.Name(problem.severity))
    told = Text.assemble(
        sign, " ", (f"{clean(place)}: " if problem.line else "", "bold"), spoken(problem.messages, say)
    )
    drawn = [Text.assemble(told, (f"  [{clean(problem.reason)}]", "dim"))]
    if hint := spoken(problem.hints, say):
        drawn.append(Text.assemble(("  → ", "cyan"), hint))
    return drawn
