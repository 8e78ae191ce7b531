"""What the judgment service's resources are called, and the arguments that name them."""

import re
from typing import Annotated

import typer

from millwright_cli.arguments import named

_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_REFERENCE = re.compile(rf"versions/[1-9]\d*|drafts/{_LABEL}|channels/{_LABEL}")


def ruleset_name(text: str) -> str:
    """Read `namespace.name`, with or without `rulesets/`, as a resource name."""
    return named("rulesets", text)


def reference(text: str) -> str:
    """Read what a ruleset can be judged with: a version's number, `drafts/{id}` or `channels/{id}`."""
    name = f"versions/{text}" if text.isdecimal() else text
    if not _REFERENCE.fullmatch(name):
        raise typer.BadParameter(f"{text!r} is no version such as 3, drafts/tighter or channels/prod")
    return name


RulesetName = Annotated[
    str, typer.Argument(parser=ruleset_name, metavar="NAME", help="The ruleset: namespace.name.", show_default=False)
]
DraftId = Annotated[
    str, typer.Argument(metavar="DRAFT", help="The draft's id: a-z, 0-9 and dashes.", show_default=False)
]
Replayed = Annotated[
    int | None,
    typer.Option(
        "--replay",
        metavar="N",
        min=0,
        max=100_000,
        help="How many of the newest judgments the gate judges again; 0 for none.",
        show_default="10000",
    ),
]
