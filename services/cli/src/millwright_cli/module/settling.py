"""`millwright module key … | policy | settings …`: whom a plant trusts, and what its modules are set to."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from millwright.modules.v1 import module_service_pb2 as pb

from millwright_cli import errors
from millwright_cli.arguments import json_value, named
from millwright_cli.module import signature
from millwright_cli.module.arguments import ModuleName
from millwright_cli.module.modules import connect
from millwright_cli.module.views import settling as views
from millwright_cli.module.words import Term
from millwright_cli.session import Noun, Verb, current
from millwright_cli.words import Word

app = typer.Typer()
key = typer.Typer(cls=Noun, help="Say whose packages are trusted.", no_args_is_help=True)
settings = typer.Typer(cls=Noun, help="Read and change a module's settings.", no_args_is_help=True)
app.add_typer(key, name="key")
app.add_typer(settings, name="settings")

KeyId = Annotated[str, typer.Argument(metavar="ID", help="The key's id, as packages name it.", show_default=False)]


class Policy(StrEnum):
    """What is asked of packages."""

    OFF = "off"
    WARN = "warn"
    ENFORCE = "enforce"


@key.command("add", cls=Verb)
def add_key(
    ctx: typer.Context,
    key_id: KeyId,
    file: Annotated[Path, typer.Argument(metavar="PEM", help="The public key.", show_default=False)],
    *,
    owner: Annotated[str, typer.Option("--owner", metavar="TEXT", help="Whose it is, for people.")] = "",
) -> None:
    """Trust a key: packages signed with it are signed."""
    session = current(ctx)
    connection, stub = connect(session)
    try:
        public = signature.public_key(file.read_bytes())
    except OSError as error:
        cause = error.strerror or type(error).__name__
        raise errors.usage("UNREADABLE", session.say(Word.UNREADABLE, path=file, cause=cause)) from error
    except ValueError as error:
        raise errors.usage("NO_KEY", session.say(Term.NO_KEY, path=file, cause=error)) from error
    trusted = pb.SigningKey(name=named("signingKeys", key_id), public_key=public.public_bytes_raw(), owner=owner)
    answer = connection.call(stub.AddSigningKey, pb.AddSigningKeyRequest(key=trusted))
    session.screen.answer(answer, views.keys([answer.key], session.say))


@key.command("remove", cls=Verb)
def remove_key(ctx: typer.Context, key_id: KeyId) -> None:
    """Trust a key no more; what is installed stays."""
    session = current(ctx)
    connection, stub = connect(session)
    name = named("signingKeys", key_id)
    answer = connection.call(stub.RemoveSigningKey, pb.RemoveSigningKeyRequest(name=name))
    session.screen.answer(answer, views.removed(key_id, session.say))


@key.command("list", cls=Verb)
def list_keys(ctx: typer.Context) -> None:
    """List the keys that are trusted."""
    session = current(ctx)
    connection, stub = connect(session)
    answer = connection.call(stub.GetSignaturePolicy, pb.GetSignaturePolicyRequest())
    session.screen.answer(answer, views.keys(answer.keys, session.say))


@app.command(cls=Verb)
def policy(
    ctx: typer.Context,
    wanted: Annotated[
        Policy | None, typer.Argument(metavar="[off|warn|enforce]", help="What to ask for from now on.")
    ] = None,
) -> None:
    """Say what is asked of packages, or change it: nothing, a warning, or a signature by a trusted key."""
    session = current(ctx)
    connection, stub = connect(session)
    if wanted is None:
        answer = connection.call(stub.GetSignaturePolicy, pb.GetSignaturePolicyRequest())
        session.screen.answer(answer, views.policy(answer.policy, session.say))
        return
    value = pb.SignaturePolicy.Value(f"SIGNATURE_POLICY_{wanted.name}")
    changed = connection.call(stub.SetSignaturePolicy, pb.SetSignaturePolicyRequest(policy=value))
    session.screen.answer(changed, views.policy(changed.policy, session.say))


@settings.command("get", cls=Verb)
def get_settings(ctx: typer.Context, module: ModuleName) -> None:
    """Show a module's settings, and the etag that saving takes."""
    session = current(ctx)
    connection, stub = connect(session)
    answer = connection.call(stub.GetModuleSettings, pb.GetModuleSettingsRequest(name=f"{module}/settings"))
    session.screen.answer(answer, *views.settings(answer.settings, session.say))


@settings.command("set", cls=Verb)
def set_settings(
    ctx: typer.Context,
    module: ModuleName,
    values: Annotated[str, typer.Argument(metavar="JSON", help="All values, as JSON, @FILE, or - for standard input.")],
    *,
    etag: Annotated[
        str, typer.Option("--etag", metavar="ETAG", help="Only if they are as this says.", show_default=False)
    ] = "",
) -> None:
    """Change a module's settings, all at once; they must fit the schema of its live version."""
    session = current(ctx)
    connection, stub = connect(session)
    wanted = json_value(values, session.say)
    if wanted.WhichOneof("kind") != "struct_value":
        raise errors.usage("BAD_VALUE", session.say(Word.BAD_VALUE, cause="settings are an object"))
    request = pb.SaveModuleSettingsRequest(name=f"{module}/settings", values=wanted.struct_value, etag=etag)
    answer = connection.call(stub.SaveModuleSettings, request)
    session.screen.answer(answer, *views.settings(answer.settings, session.say))
