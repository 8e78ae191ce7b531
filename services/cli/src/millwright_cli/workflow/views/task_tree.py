"""What an instance's tasks look like to a person: a tree, of which only what is under way is drawn in full."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from millwright_cli.drawing import clean
from millwright_cli.times import span
from millwright_cli.words import Words
from millwright_cli.workflow.task_tree import Task, TaskState, TaskTree
from millwright_cli.workflow.words import Term

# Colour, glyph and word of each state.
_MARKS = {
    TaskState.PENDING: ("bright_black", "○", Term.TASK_PENDING),
    TaskState.RUNNING: ("cyan", "▶", Term.TASK_RUNNING),
    TaskState.WAITING: ("cyan", "?", Term.TASK_WAITING),
    TaskState.DONE: ("green", "✔", Term.TASK_DONE),
    TaskState.SKIPPED: ("bright_black", "–", Term.TASK_SKIPPED),
    TaskState.FAILED: ("red", "✘", Term.TASK_FAILED),
    TaskState.STOPPED: ("yellow", "■", Term.TASK_STOPPED),
}
_LONGEST_RUN = 5
"""So many tasks of a list that stand alike are drawn; of more, those nearest to what is under way."""
_BAR_CELLS = 10


def task_tree(tree: TaskTree, say: Words, *, now_seconds: float) -> RenderableType:
    """Draw the tree as it stands at a moment: a line a task, with its time and what is particular to it."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(overflow="ellipsis", no_wrap=True)
    grid.add_column(justify="right", no_wrap=True)
    grid.add_column(overflow="ellipsis", no_wrap=True)
    for row in _rows(list(tree.root.inner), "", say, now_seconds):
        grid.add_row(*row)
    return grid


def _rows(tasks: Sequence[Task], indent: str, say: Words, now_seconds: float) -> Iterator[tuple[Text, Text, Text]]:
    shown = list(_folded(tasks))
    for place, (run, hidden) in enumerate(shown):
        is_last = place == len(shown) - 1
        branch, below = ("└─ ", "   ") if is_last else ("├─ ", "│  ")
        if hidden:
            colour, _, word = _MARKS[run[0].state]
            text = say(Term.FOLDED, n=hidden, state=say(word))
            yield Text.assemble((indent + branch, "dim"), (text, colour)), Text(), Text()
            continue
        (task,) = run
        colour, glyph, _ = _MARKS[task.state]
        if task.kind == "wait" and task.state is TaskState.RUNNING:
            glyph = _MARKS[TaskState.WAITING][1]
        if task.retries and task.state is TaskState.RUNNING:
            colour, glyph = "yellow", "↻"
        name_style = "bold" if task.state.is_open else "dim" if colour == "bright_black" else ""
        name = Text.assemble((indent + branch, "dim"), (f"{glyph} ", colour), (clean(task.name), name_style))
        yield name, Text(_took(task, say, now_seconds), style="dim"), _note(task, say)
        if _is_open(task):
            yield from _rows(_inside(task), indent + below, say, now_seconds)


def _folded(tasks: Sequence[Task]) -> Iterator[tuple[list[Task], int]]:
    """Give each task alone with 0, and in place of many that stand alike one of them with how many are not drawn."""
    for state, group in groupby(tasks, key=lambda task: task.state):
        run = list(group)
        hidden = len(run) - _LONGEST_RUN + 1
        if hidden < 2:
            yield from (([task], 0) for task in run)
        elif state in (TaskState.DONE, TaskState.SKIPPED):  # what follows them is nearer
            yield run[:1], hidden
            yield from (([task], 0) for task in run[hidden:])
        else:
            yield from (([task], 0) for task in run[:-hidden])
            yield run[-1:], hidden


def _is_open(task: Task) -> bool:
    """Tell whether what is inside a task is drawn: a finished one is one line."""
    return task.state.is_open or task.state in (TaskState.FAILED, TaskState.STOPPED)


def _inside(task: Task) -> list[Task]:
    """Give what is drawn inside a task; what would handle an error is left out until there is one."""
    lists = task.lists.items()
    return [
        each
        for place, tasks in lists
        if place != "/catch/do" or any(handler.state is not TaskState.PENDING for handler in tasks)
        for each in tasks
    ]


def _took(task: Task, say: Words, now_seconds: float) -> str:
    if task.begin_seconds is None or task.state in (TaskState.PENDING, TaskState.SKIPPED):
        return ""
    return span((now_seconds if task.end_seconds is None else task.end_seconds) - task.begin_seconds, say)


def _note(task: Task, say: Words) -> Text:
    """Say how far a task is, which round or attempt it is in, how much it holds, and what went wrong."""
    parts: list[Text] = []
    if task.percent is not None and task.state is TaskState.RUNNING:
        filled = round(task.percent / 100 * _BAR_CELLS)
        bar = "━" * filled + "╌" * (_BAR_CELLS - filled)
        parts.append(Text(f"{bar} {task.percent:.0f} %", style="cyan"))
    if task.kind == "for" and task.begin_seconds is not None:
        word, number = (Term.ROUNDS, task.round) if task.state is TaskState.DONE else (Term.ROUND, task.round + 1)
        parts.append(Text(say(word, n=number), style="dim"))
    if task.retries:
        parts.append(Text(say(Term.ATTEMPT, n=task.retries + 1), style="yellow"))
    if not _is_open(task) and (count := sum(1 for _ in task.all_inside)) and task.kind != "for":
        parts.append(Text(say(Term.TASKS_INSIDE, n=count), style="dim"))
    if task.error and task.state is not TaskState.DONE:
        parts.append(Text(clean(task.error), style="red"))
    return Text("  ").join(parts)
