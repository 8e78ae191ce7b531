"""What the judgment service's resources are called, and the arguments that name them."""

import re
from typing import Annotated

import typer

from millwright_cli import errors
from millwright_cli.arguments import named
from millwright_cli.judgment.words import Term
from millwright_cli.words import Words

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
OnlyRuleset = Annotated[str | None, typer.Argument(parser=ruleset_name, metavar="[NAME]", help="Only of this ruleset.")]
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
        help="How many of the newest judgments the gate judges again; 0 for none, if nothing that they show may block.",
        show_default="10000",
    ),
]
ChannelOption = Annotated[
    str, typer.Option("--channel", metavar="CHANNEL", help="The channel to judge through.", show_default="prod")
]
VersionOption = Annotated[
    int | None,
    typer.Option(
        "--version", metavar="N", min=1, help="Judge by this version, past every channel.", show_default=False
    ),
]


def judged_by(ruleset: str, channel: str, version: int | None, say: Words) -> str:
    """Give the name of what judges: a version, a channel, or the ruleset, which stands for `prod`."""
    if channel and version:
        raise errors.usage("TWO_TARGETS", say(Term.TWO_TARGETS))
    if version:
        return f"{ruleset}/versions/{version}"
    return f"{ruleset}/channels/{channel}" if channel else ruleset
