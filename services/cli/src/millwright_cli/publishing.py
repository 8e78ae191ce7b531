"""What the commands share that publish: a --promote whose channel may be left out."""

import re
from typing import Annotated, Any

import typer

from millwright_cli.session import Verb

Promote = Annotated[
    str, typer.Option("--promote", metavar="[CHANNEL]", help="Promote it too, to prod if no channel is named.")
]


class Publish(Verb):
    """A command whose --promote may stand without a channel."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put `prod` after a --promote that no channel follows. FILE is no channel's id unless it has no dot."""
        for index in [index for index, arg in enumerate(args) if arg == "--promote"]:
            if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", "".join(args[index + 1 : index + 2])):
                args = [*args[:index], "--promote=prod", *args[index + 1 :]]
        return super().parse_args(ctx, args)
