"""The options that every command takes are its own nowhere: what is typed means one thing."""

from collections.abc import Iterator
from typing import Any

import typer
from millwright_cli.__main__ import app

ROOT = typer.main.get_command(app)
GLOBAL = [param for param in ROOT.params if getattr(param, "rich_help_panel", "") == "Global options"]
SHARED = {option for param in GLOBAL for option in (param.name, *param.opts)}


def verbs(command: Any, words: str = "millwright") -> Iterator[tuple[str, Any]]:
    """Give every command that does something, by what is typed."""
    below = getattr(command, "commands", None)
    if below is None:
        yield words, command
        return
    for name, each in below.items():
        yield from verbs(each, f"{words} {name}")


def test_no_command_has_an_option_of_its_own_that_every_command_has():
    own = {words: {it for param in verb.params for it in (param.name, *param.opts)} for words, verb in verbs(ROOT)}
    assert len(own) > 50
    assert {"endpoint", "--endpoint", "cert_key"} <= SHARED
    assert {words: taken for words, options in own.items() if (taken := options & SHARED)} == {}
