"""Reports as pages: one HTML file that needs nothing else."""

from pathlib import Path
from typing import Annotated

import typer

from millwright_cli import errors
from millwright_cli.session import Session
from millwright_cli.words import Word

PageFile = Annotated[
    Path | None,
    typer.Option(
        "--html", metavar="FILE", help="Write it as one page that opens from a file, too.", show_default=False
    ),
]


def write(session: Session, path: Path, text: str) -> None:
    """Write a page."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        cause = error.strerror or type(error).__name__
        raise errors.usage("UNREADABLE", session.say(Word.UNREADABLE, path=path, cause=cause)) from error
