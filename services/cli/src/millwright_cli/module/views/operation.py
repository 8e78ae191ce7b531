"""What an operation looks like to a person: a bar a stage, or a line. Pure functions."""

from collections.abc import Iterable

from millwright.modules.v1 import module_service_pb2, operation_pb2
from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from millwright_cli.drawing import clean, glyph, marked, short, table
from millwright_cli.module.views.amounts import size
from millwright_cli.module.views.problem import spoken
from millwright_cli.module.words import Term
from millwright_cli.times import moment, span
from millwright_cli.words import Word, Words

STAGES = (
    (operation_pb2.STAGE_EXTRACTING, 0, 25),
    (operation_pb2.STAGE_VALIDATING, 25, 50),
    (operation_pb2.STAGE_BUILDING, 50, 75),
    (operation_pb2.STAGE_ACTIVATING, 75, 100),
)
"""Each stage of an install, and the percents between which it moves."""
_BAR_WIDTH = 28


def bars(sent: tuple[int, int], known: operation_pb2.Operation | None, say: Words) -> RenderableType:
    """Draw a bar for the upload and one for each stage; the one under way says how far it is in numbers."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column()
    grid.add_column(justify="right", no_wrap=True)
    grid.add_column(overflow="fold")
    done, total = sent
    if total:
        amount = say(Term.BYTES_OF, done=size(done), total=size(total))
        grid.add_row(say(Term.UPLOADING), *_bar(done / total), Text(amount if done < total else "", style="dim"))
    percent = known.progress.percent if known else 0.0
    for stage, begin, end in STAGES:
        share = min(max((percent - begin) / (end - begin), 0.0), 1.0)
        is_current = known is not None and known.stage == stage
        told = amounts(known.progress, say) if known is not None and is_current else ""
        grid.add_row(say.named(operation_pb2.Stage.Name(stage)), *_bar(share), Text(told, style="dim"))
    return Group(grid, state(known, say)) if known else grid


def state(known: operation_pb2.Operation, say: Words) -> Text:
    """Say in one line where an operation stands."""
    name = operation_pb2.Stage.Name(known.stage)
    what = " ".join(part for part in (short(known.module), clean(known.version)) if part)
    progress = known.progress
    place = say(Term.PLACE, place=progress.queue_place) if progress.queue_place else ""
    told = "  ".join(filter(None, (spoken(progress.messages, say), place)))
    return Text.assemble(
        marked(name, say),
        f"  {progress.percent:.0f} %",
        (f"  {what}" if what else "", "bold"),
        (f"  {told}" if told else "", "dim"),
    )


def line(known: operation_pb2.Operation, say: Words) -> Text:
    """Say in one line of a log where an operation stands, with its amounts."""
    told = amounts(known.progress, say)
    return Text.assemble(state(known, say), (f"  {told}" if told else "", "dim"))


def sent_line(total: int, say: Words) -> Text:
    """Say that a package was sent."""
    amount = say(Term.BYTES_OF, done=size(total), total=size(total))
    return Text.assemble(glyph("STAGE_UPLOADED"), f" {say(Term.UPLOADING)}  {amount}")


def amounts(progress: operation_pb2.Progress, say: Words) -> str:
    """Say how much of the stage is done, how fast it goes, and how long the whole will take."""
    parts: list[str] = []
    if progress.bytes_total:
        parts.append(say(Term.BYTES_OF, done=size(progress.bytes_done), total=size(progress.bytes_total)))
    if progress.files_total:
        parts.append(say(Term.FILES_OF, done=f"{progress.files_done:,}", total=f"{progress.files_total:,}"))
    if progress.steps_total:
        parts.append(say(Term.STEPS_OF, done=progress.steps_done, total=progress.steps_total))
    if progress.rate:
        parts.append(say(Term.RATE, bytes=size(progress.rate)))
    if progress.seconds_left:
        parts.append(say(Term.LEFT, span=span(progress.seconds_left, say)))
    return " · ".join(parts)


def listing(operations: Iterable[operation_pb2.Operation], say: Words) -> RenderableType:
    """Draw operations as a table."""
    headings = (Term.OPERATION, Term.WHAT, Term.MODULE, Word.VERSION, Term.STAGE, Term.PROGRESS, Word.CREATED)
    rows = (
        (
            short(each.name),
            say.named(operation_pb2.Operation.Kind.Name(each.kind)),
            short(each.module),
            each.version,
            marked(operation_pb2.Stage.Name(each.stage), say),
            f"{each.progress.percent:.0f} %",
            moment(each.create_time, say),
        )
        for each in operations
    )
    return table(headings, rows, say)


def begun(answer: module_service_pb2.InstallModuleResponse, say: Words) -> list[RenderableType]:
    """Say that somebody had begun the same before; nothing where nobody had."""
    if not answer.joined:
        return []
    return [Text(say(Term.JOINED, operation=short(answer.operation.name)), style="dim")]


def _bar(share: float) -> tuple[RenderableType, str]:
    bar = ProgressBar(total=1.0, completed=share, width=_BAR_WIDTH, complete_style="cyan", finished_style="green")
    return bar, f"{100 * share:.0f} %"
