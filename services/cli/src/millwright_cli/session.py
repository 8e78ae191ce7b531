"""One run of one command: its options, its screen, its connections, and how it ends when something fails.

It owns the options that every command takes, before or after the command's own words. It knows no noun.
"""

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any, Protocol, TypeVar

import grpc
import typer
from google.protobuf.message import Message as Sent
from rich.console import RenderableType
from typer.core import TyperCommand, TyperGroup

from millwright_cli.connection import Connection, Options, Service, connect, new_request_id
from millwright_cli.errors import ExitCode, Failure, refused
from millwright_cli.output import Format, Screen
from millwright_cli.times import span
from millwright_cli.watching import Message, Patience, Stream, StreamEndedError, follow
from millwright_cli.words import Language, Word, Words

_PANEL = "Global options"
_STORE = "millwright_cli.options"


Answer = TypeVar("Answer", bound=Sent)


class Write(Protocol):
    """A request that is carried out once, however often it is sent."""

    request_id: str


class Session:
    """What a command works with."""

    def __init__(self, options: Options, screen: Screen) -> None:
        self._options = options
        self._open = ExitStack()
        self.screen = screen
        self.say = screen.say

    def connect(self, service: Service) -> Connection:
        """Connect to a service until the command ends; raises Failure where nothing says where it is."""
        self.say.enter(service.words)
        return self._open.enter_context(connect(self._options, service, self.say))

    def write(
        self,
        connection: Connection,
        method: "grpc.UnaryUnaryMultiCallable[Any, Answer]",
        request: Write,
        draw: Callable[[Answer, str, Words], Iterable[RenderableType]],
        *,
        is_followed: bool = False,
    ) -> Answer:
        """Send a request under an id of its own, so that it is carried out once, and show its answer and its time.

        Where it is followed by a watch, a script is shown what the watch says alone.
        """
        request.request_id = new_request_id()
        began = perf_counter()
        answer = connection.call(method, request)
        took = span(perf_counter() - began, self.say)
        lines = draw(answer, took, self.say)
        if is_followed:
            self.screen.lines(*lines)
        else:
            self.screen.answer(answer, *lines)
        return answer

    def follow(
        self, open_stream: Callable[[int | None], Stream[Message]], sequence: int | None = None
    ) -> Iterator[Message]:
        """Follow a watch across broken connections, as `watching.follow` does, telling a person about each break."""

        def on_break(sequence: int | None) -> None:
            word = Word.CONNECTING if sequence is None else Word.RECONNECTING
            self.screen.notice(self.say(word, sequence=sequence))

        patience = Patience(at_first=self._options.timeout)
        try:
            yield from follow(open_stream, sequence=sequence, patience=patience, on_break=on_break)
        except StreamEndedError as error:
            raise Failure("UNAVAILABLE", "", self.say(Word.WATCH_ENDED), ExitCode.UNAVAILABLE) from error

    def close(self) -> None:
        """Close every connection."""
        self._open.close()


def current(ctx: typer.Context) -> Session:
    """Give the session of the command that runs."""
    session = ctx.obj
    assert isinstance(session, Session)
    return session


class _WithGlobalOptions:
    """Takes the root's global options too, so that they may stand anywhere."""

    def get_params(self, ctx: Any) -> list[Any]:
        own: list[Any] = super().get_params(ctx)  # type: ignore[misc]  # of the command this is mixed into
        root = ctx.find_root().command
        shared = [] if root is self else root.params
        return [*own, *(param for param in shared if getattr(param, "rich_help_panel", "") == _PANEL)]


class Noun(_WithGlobalOptions, TyperGroup):
    """A noun of the command, such as `workflow`, under which its verbs stand."""


class Verb(_WithGlobalOptions, TyperCommand):
    """A command that runs in a session and ends with a documented exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command in a session of its own; a failure is printed and becomes the exit code."""
        given = dict(ctx.meta.get(_STORE, {}))
        language = given.pop("lang", None) or Language.of_locale(_locale())
        screen = Screen(given.pop("output", None) or Format.TEXT, Words(language))
        ctx.obj = session = Session(Options(**given), screen)
        try:
            return super().invoke(ctx)
        except Failure as failure:
            screen.failure(failure)
            raise typer.Exit(failure.exit_code) from failure
        except grpc.RpcError as error:
            refusal = refused(error)
            screen.failure(refusal)
            raise typer.Exit(refusal.exit_code) from error
        finally:
            session.close()


def _keep(ctx: typer.Context, param: typer.CallbackParam, value: Any) -> None:
    """Keep an option where the command finds it: what is typed last holds, and what is typed beats the environment."""
    given = ctx.meta.setdefault(_STORE, {})
    source = ctx.get_parameter_source(str(param.name))
    typed = source is not None and source.name == "COMMANDLINE"
    if value is not None and (typed or param.name not in given):
        given[param.name] = value


def _locale() -> str:
    return next((value for name in ("LC_ALL", "LC_MESSAGES", "LANG") if (value := os.environ.get(name))), "")


def _print_version(*, wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"millwright {version('millwright-cli')}\n")
        raise typer.Exit(ExitCode.OK)


def _shared(*names: str, **settings: Any) -> Any:
    return typer.Option(*names, rich_help_panel=_PANEL, expose_value=False, callback=_keep, **settings)


def root(
    *,
    endpoint: Annotated[
        str | None,
        _shared(
            "--endpoint",
            metavar="HOST:PORT",
            show_default="MILLWRIGHT_WORKFLOW_ENDPOINT and its like, else the local stack's",
            help="The service to call.",
        ),
    ] = None,
    token: Annotated[
        str | None,
        _shared("--token", metavar="TOKEN", envvar="MILLWRIGHT_TOKEN", help="Your bearer token; a file is safer."),
    ] = None,
    token_file: Annotated[
        Path | None,
        _shared("--token-file", metavar="PATH", envvar="MILLWRIGHT_TOKEN_FILE", help="A file that holds the token."),
    ] = None,
    timeout: Annotated[
        float | None,
        _shared(
            "--timeout",
            metavar="SECONDS",
            min=0.001,
            help="How long one call may take; watches may take for ever.",
            show_default="10",
        ),
    ] = None,
    ca: Annotated[
        Path | None,
        _shared("--ca", metavar="FILE", envvar="MILLWRIGHT_CA", help="Use TLS, and trust these authorities (PEM)."),
    ] = None,
    cert: Annotated[
        Path | None,
        _shared("--cert", metavar="FILE", envvar="MILLWRIGHT_CERT", help="Use TLS, and show this certificate (PEM)."),
    ] = None,
    cert_key: Annotated[
        Path | None,
        _shared(
            "--cert-key",
            metavar="FILE",
            envvar="MILLWRIGHT_CERT_KEY",
            help="The private key of that certificate (PEM).",
        ),
    ] = None,
    plaintext: Annotated[
        bool | None,
        _shared("--plaintext", help="Use no TLS.", show_default="on this machine only"),
    ] = None,
    output: Annotated[
        Format | None,
        _shared(
            "-o",
            "--output",
            envvar="MILLWRIGHT_OUTPUT",
            help="Text for people, or JSON for scripts.",
            show_default="text",
        ),
    ] = None,
    lang: Annotated[
        Language | None,
        _shared("--lang", help="The language of the text.", show_default="from LANG"),
    ] = None,
    version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=lambda wanted: _print_version(wanted=wanted), help="Print the version."
        ),
    ] = False,
) -> None:
    """Operate a plant's software: workflows and their instances, rulesets and what they judged.

    The global options may stand anywhere. Without --endpoint, the local stack that `make up` runs is used.
    """


EPILOG = "Exit codes: " + " · ".join(f"{code.value} {code.meaning}" for code in ExitCode) + "."
