"""What judging a file looks like to a person: how far it is, and what became of its rows."""

import time
from collections import Counter
from dataclasses import dataclass, field

from google.rpc import error_details_pb2, status_pb2
from millwright.judgment.v1 import judgment_pb2
from millwright.judgment.v1 import judgment_service_pb2 as pb
from rich.console import RenderableType
from rich.text import Text

from millwright_cli.drawing import bar, clean, table
from millwright_cli.judgment.words import Term
from millwright_cli.times import span
from millwright_cli.words import Word, Words

_REFUSALS_SHOWN = 10


@dataclass
class Tally:
    """What became of the rows of a run so far."""

    run: str
    outcomes: Counter[tuple[int, str]] = field(default_factory=Counter)
    refused: int = 0
    replayed: int = 0
    refusals: list[tuple[int, str]] = field(default_factory=list)
    begin_time: float = field(default_factory=time.monotonic)

    @property
    def judged(self) -> int:
        """How many rows were judged."""
        return self.outcomes.total()

    @property
    def done(self) -> int:
        """How many rows were dealt with."""
        return self.judged + self.refused

    @property
    def seconds(self) -> float:
        """How long it has taken."""
        return max(time.monotonic() - self.begin_time, 1e-6)

    def add(self, number: int, result: pb.JudgeResult) -> None:
        """Count what became of a row."""
        if result.HasField("error"):
            self.refused += 1
            if len(self.refusals) < _REFUSALS_SHOWN:
                self.refusals.append((number, _told(result.error)))
            return
        judgment = result.judged.execution.judgment
        self.outcomes[_outcome(judgment)] += 1
        self.replayed += result.judged.replayed


def progress(tally: Tally, lines: int | None, say: Words) -> Text:
    """Say in one line how far a run is."""
    rate = tally.done / tally.seconds
    speed = say(Word.RATE, rate=f"{rate:,.0f}")
    if not lines:
        return Text(f"{say(Word.DONE, done=f'{tally.done:,}')}  {speed}")
    left = span(max(lines - tally.done, 0) / max(rate, 1e-6), say)
    counted = say(Word.DONE_OF, done=f"{tally.done:,}", total=f"{lines:,}")
    return Text.assemble(bar(tally.done / lines), f"  {counted}  {speed}  ", (say(Word.LEFT, span=left), "dim"))


def summary(tally: Tally, say: Words) -> list[RenderableType]:
    """Say what became of all rows: outcomes as a table, then what was refused."""
    rate = f"{tally.done / tally.seconds:,.0f}"
    counts = {"judged": f"{tally.judged:,}", "refused": f"{tally.refused:,}", "rate": rate}
    told = say(Term.FILE_JUDGED, **counts, took=span(tally.seconds, say), run=tally.run)
    lines: list[RenderableType] = [Text.assemble(("✘ ", "red") if tally.refused else ("✔ ", "green"), told)]
    if tally.replayed:
        lines.append(Text(f"  {say(Term.FILE_REPLAYED, n=f'{tally.replayed:,}')}", style="dim"))
    if tally.judged:
        rows = ((name, f"{n:,}", f"{n / tally.judged:.1%}") for (_, name), n in sorted(tally.outcomes.items()))
        lines.append(table((Term.OUTCOME, Term.EXECUTIONS, Term.SHARE), rows, say))
    for number, fault in tally.refusals:
        lines.append(Text.assemble(("✘ ", "red"), (say(Term.ROW, n=number), "bold"), f": {clean(fault)}"))
    if tally.refused > len(tally.refusals):
        lines.append(Text(say(Term.MORE_REFUSED, n=f"{tally.refused - len(tally.refusals):,}"), style="dim"))
    return lines


def _outcome(judgment: judgment_pb2.Judgment) -> tuple[int, str]:
    """Give what to count a judgment as, in the order of the levels; what has no outcome comes last."""
    if judgment.status == judgment_pb2.Judgment.STATUS_DECIDED:
        return judgment.level, judgment.outcome
    return 1_000, judgment_pb2.Judgment.Status.Name(judgment.status).removeprefix("STATUS_")


def _told(error: status_pb2.Status) -> str:
    """Say what was wrong with a row: each field, or the message alone."""
    request = error_details_pb2.BadRequest()
    for detail in error.details:
        if detail.Unpack(request):
            faults = ((each.field.removeprefix("input.values."), each.description) for each in request.field_violations)
            return "; ".join(f"{field}: {fault}" for field, fault in faults)
    return str(error.message)
