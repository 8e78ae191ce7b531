"""`millwright module init | pack | sign | verify`: making packages. No service is asked."""

import json
import os
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from millwright_cli import errors
from millwright_cli.errors import ExitCode, Failure, Violation
from millwright_cli.module import manifest, package, signature, template
from millwright_cli.module.package import BadPackageError, Files
from millwright_cli.module.words import WORDS, Term
from millwright_cli.session import Session, Verb, current
from millwright_cli.words import Word

app = typer.Typer()

Package = Annotated[Path, typer.Argument(metavar="FILE", help="The package.", show_default=False)]


@app.command(cls=Verb)
def init(
    ctx: typer.Context,
    directory: Annotated[Path, typer.Argument(metavar="DIRECTORY", help="A new directory.", show_default=False)],
    *,
    code: Annotated[
        str, typer.Option("--code", metavar="CODE", help="The module's code.", show_default="the directory's name")
    ] = "",
    title: Annotated[
        str, typer.Option("--title", metavar="TEXT", help="What people call it.", show_default="made of the code")
    ] = "",
) -> None:
    """Begin a module: a manifest and a page that builds."""
    session = _session(ctx)
    code = code or directory.resolve().name
    if not manifest.is_code(code):
        raise errors.usage("NO_CODE", session.say(Term.NO_CODE, code=code))
    try:
        written = template.write(directory, code, title or code.replace("-", " ").title())
    except FileExistsError as error:
        raise errors.usage("NOT_EMPTY", session.say(Term.NOT_EMPTY, path=directory)) from error
    except OSError as error:
        raise _unreadable(session, directory, error) from error
    _tell(session, {"files": [str(path) for path in written]}, *(str(path) for path in written))


@app.command(cls=Verb)
def pack(
    ctx: typer.Context,
    directory: Annotated[Path, typer.Argument(metavar="DIRECTORY", help="The module.", show_default=False)],
    *,
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FILE", help="The package.", show_default="CODE-VERSION.zip")
    ] = None,
) -> None:
    """Make a package of a module: the same files give the same bytes.

    What begins with a dot and `node_modules` are left out: what a page needs lies beside it or comes with the platform.
    """
    session = _session(ctx)
    try:
        files = package.read_directory(directory)
        found = manifest.read(files)
        target = to or Path(f"{found.code}-{found.version}.zip")
        content = package.archive(files)
        _replace(target, content)
    except BadPackageError as error:
        raise _bad(session, directory, error) from error
    except OSError as error:
        raise _unreadable(session, directory, error) from error
    facts = {"path": str(target), "code": found.code, "version": found.version, "files": len(files)}
    _tell(session, {**facts, "bytes": len(content)}, session.say(Term.PACKED, **facts, bytes=f"{len(content):,}"))


@app.command(cls=Verb)
def sign(
    ctx: typer.Context,
    file: Package,
    *,
    key: Annotated[Path, typer.Option("--key", metavar="PEM", help="An Ed25519 private key.", show_default=False)],
    key_id: Annotated[
        str,
        typer.Option(
            "--key-id", metavar="ID", help="What the plant calls the key.", show_default="the key file's name"
        ),
    ] = "",
) -> None:
    """Sign a package, in place: its files, each with size and SHA-256."""
    session = _session(ctx)
    key_id = key_id or key.stem
    if not signature.is_key_id(key_id):
        raise errors.usage("NO_KEY_ID", session.say(Term.NO_KEY_ID, id=key_id))
    try:
        private = signature.private_key(_read(session, key))
    except ValueError as error:
        raise errors.usage("NO_KEY", session.say(Term.NO_KEY, path=key, cause=error)) from error
    signed = signature.sign(_files(session, file), key_id, private)
    try:
        _replace(file, package.archive(signed))
    except OSError as error:
        raise _unreadable(session, file, error) from error
    _tell(session, {"path": str(file), "key": key_id}, session.say(Term.SIGNED, path=file, key=key_id))


@app.command(cls=Verb)
def verify(
    ctx: typer.Context,
    file: Package,
    *,
    key: Annotated[
        Path, typer.Option("--key", metavar="PEM", help="The signer's public key, from the signer.", show_default=False)
    ],
) -> None:
    """Check that a package is signed with a key and unchanged; exits with 5, and names each file, if it is not."""
    session = _session(ctx)
    try:
        public = signature.public_key(_read(session, key))
    except ValueError as error:
        raise errors.usage("NO_KEY", session.say(Term.NO_KEY, path=key, cause=error)) from error
    files = _files(session, file)
    found = list(signature.findings(files, public))
    if found:
        raise Failure(
            code="INVALID_ARGUMENT",
            reason=found[0].fault.value if len(found) == 1 else "NOT_VERIFIED",
            message=session.say(Term.NOT_VERIFIED, path=file),
            exit_code=ExitCode.INVALID,
            violations=[Violation(one.path, session.say(Term[one.fault.value])) for one in found],
        )
    signer = signature.signer(files)
    _tell(session, {"path": str(file), "key": signer}, session.say(Term.VERIFIED, path=file, key=signer))


def _session(ctx: typer.Context) -> Session:
    session = current(ctx)
    session.say.enter(WORDS)
    return session


def _tell(session: Session, answer: dict[str, object], *lines: str) -> None:
    if session.screen.is_json:
        session.screen.raw(json.dumps(answer, ensure_ascii=False, indent=2))
    else:
        session.screen.lines(*(Text.assemble(("✔ ", "green"), line) for line in lines))


def _files(session: Session, path: Path) -> Files:
    try:
        return package.read_archive(_read(session, path))
    except BadPackageError as error:
        raise _bad(session, path, error) from error


def _read(session: Session, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(session, path, error) from error


def _replace(path: Path, content: bytes) -> None:
    """Write a file whole: whoever looks sees what was there, or what is there now."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}-", delete=False) as partial:
        partial.write(content)
    mask = os.umask(0)
    os.umask(mask)
    Path(partial.name).chmod(0o666 & ~mask)
    Path(partial.name).replace(path)


def _bad(session: Session, place: Path, error: BadPackageError) -> Failure:
    return errors.usage("BAD_PACKAGE", session.say(Term.BAD_PACKAGE, path=error.path or place, cause=error.cause))


def _unreadable(session: Session, path: Path, error: OSError) -> Failure:
    cause = error.strerror or type(error).__name__
    return errors.usage("UNREADABLE", session.say(Word.UNREADABLE, path=error.filename or path, cause=cause))
