"""What the modules service's resources are called, and the arguments that name them."""

from pathlib import Path
from typing import Annotated

import typer

from millwright_cli.arguments import named


def module_name(text: str) -> str:
    """Read a module's code, with or without `modules/`, as a resource name."""
    return named("modules", text)


def operation_name(text: str) -> str:
    """Read an operation's id, with or without `operations/`, as a resource name."""
    return named("operations", text)


ModuleName = Annotated[
    str, typer.Argument(parser=module_name, metavar="MODULE", help="The module's code.", show_default=False)
]
OperationName = Annotated[
    str, typer.Argument(parser=operation_name, metavar="OPERATION", help="The operation's id.", show_default=False)
]
Package = Annotated[Path, typer.Argument(metavar="FILE", help="The package.", show_default=False)]
ExpectedGeneration = Annotated[
    int | None,
    typer.Option(
        "--expected-generation",
        metavar="N",
        min=0,
        help="Only if the module's generation is this.",
        show_default=False,
    ),
]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; kept in the history.", show_default=False)]
