"""What is replayed on, and what if: targets, and changes of inputs, as they are typed."""

from collections.abc import Iterable
from typing import Annotated

import typer
from millwright.judgment.v1 import judgment_pb2, replay_pb2

from millwright_cli.judgment.arguments import reference
from millwright_cli.judgment.values import scalar
from millwright_cli.words import Words

_RECORDED = "recorded"


def target_reference(text: str) -> str:
    """Read what can be replayed on: a version, a draft, a channel, or `recorded`."""
    return text if text == _RECORDED else reference(text)


def target(ruleset: str, text: str) -> replay_pb2.Target:
    """Give what is replayed on, of a ruleset."""
    if text == _RECORDED:
        return replay_pb2.Target(recorded=True)
    found = replay_pb2.Target()
    setattr(found, text.partition("/")[0].removesuffix("s"), f"{ruleset}/{text}")
    return found


To = Annotated[
    list[str],
    typer.Option(
        "--to",
        parser=target_reference,
        metavar="TARGET",
        help="What to judge with: a version's number, drafts/ID, channels/ID, or recorded; again for up to five.",
        show_default=False,
    ),
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="FIELD=VALUE", help="What if the field had this value; may be given more than once."),
]
Multiply = Annotated[
    list[str] | None,
    typer.Option("--multiply", metavar="FIELD=N", help="What if it were so many times as large."),
]
Add = Annotated[
    list[str] | None,
    typer.Option("--add", metavar="FIELD=N", help="What if it were so much larger; -0.5 for less."),
]
Remove = Annotated[list[str] | None, typer.Option("--remove", metavar="FIELD", help="What if it were missing.")]


def input_changes(
    say: Words,
    *,
    set_: Iterable[str] | None,
    multiply: Iterable[str] | None,
    add: Iterable[str] | None,
    remove: Iterable[str] | None,
) -> list[replay_pb2.InputChange]:
    """Give the changes in the order in which they are carried out: set, multiply, add, remove."""
    changes = []
    for text in set_ or ():
        field, value = scalar(text, say)
        changes.append(replay_pb2.InputChange(field=field, set=value))
    for text in multiply or ():
        field, value = scalar(text, say)
        changes.append(replay_pb2.InputChange(field=field, multiply=_number(value, text)))
    for text in add or ():
        field, value = scalar(text, say)
        changes.append(replay_pb2.InputChange(field=field, add=_number(value, text)))
    return changes + [replay_pb2.InputChange(field=field, remove=True) for field in remove or ()]


def _number(value: judgment_pb2.Value, text: str) -> float:
    if value.WhichOneof("kind") != "number":
        raise typer.BadParameter(f"{text!r} is no FIELD=N")
    return value.number
