"""`millwright module install | upgrade | watch | cancel | operations`: what takes time, with its progress."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from google.protobuf.duration_pb2 import Duration
from millwright.modules.v1 import module_service_pb2 as pb

from millwright_cli import errors
from millwright_cli.arguments import Limit, duration
from millwright_cli.connection import new_request_id
from millwright_cli.module import manifest, package
from millwright_cli.module.arguments import ExpectedGeneration, OperationName, Package, module_name
from millwright_cli.module.modules import connect
from millwright_cli.module.operation_watch import OperationWatch
from millwright_cli.module.package import BadPackageError
from millwright_cli.module.uploading import upload
from millwright_cli.module.views import operation as views
from millwright_cli.module.words import Term
from millwright_cli.paging import collect
from millwright_cli.session import Session, Verb, current
from millwright_cli.words import Word

app = typer.Typer()

OptionalReason = Annotated[
    str, typer.Option("--reason", metavar="TEXT", help="Why; kept in the history.", show_default=False)
]
SkipActivation = Annotated[
    bool, typer.Option("--skip-activation", help="Install the version, and leave live what is live.")
]
AllowDowngrade = Annotated[bool, typer.Option("--allow-downgrade", help="Accept a version older than the live one.")]
AllowSignerChange = Annotated[
    bool, typer.Option("--allow-signer-change", help="Accept another signer than the live version's.")
]
HealthTime = Annotated[
    timedelta | None,
    typer.Option(
        "--health-time",
        parser=duration,
        metavar="SPAN",
        help="How long its health is watched once it is live.",
        show_default="10s",
    ),
]
Detach = Annotated[bool, typer.Option("--detach", help="Do not wait for the end.")]


@app.command(cls=Verb)
def install(
    ctx: typer.Context,
    file: Package,
    *,
    reason: OptionalReason = "",
    skip_activation: SkipActivation = False,
    allow_downgrade: AllowDowngrade = False,
    allow_signer_change: AllowSignerChange = False,
    health_time: HealthTime = None,
    expected_generation: ExpectedGeneration = None,
    detach: Detach = False,
) -> None:
    """Install a package, or upgrade to it, and show each stage; exits with 8 if it fails or does not stay healthy."""
    options = pb.InstallOptions(
        skip_activation=skip_activation,
        allow_downgrade=allow_downgrade,
        allow_signer_change=allow_signer_change,
        health_time=_span(health_time),
        expected_generation=expected_generation,
        reason=reason,
    )
    _install(current(ctx), file, options, detach=detach)


@app.command(cls=Verb)
def upgrade(
    ctx: typer.Context,
    file: Package,
    *,
    reason: OptionalReason = "",
    allow_downgrade: AllowDowngrade = False,
    allow_signer_change: AllowSignerChange = False,
    health_time: HealthTime = None,
    detach: Detach = False,
) -> None:
    """Upgrade a module that is installed, if it is still as it was when this began; exits with 3 if it is not there."""
    session = current(ctx)
    connection, stub = connect(session)
    try:
        code = manifest.read(package.read_archive(_content(session, file))).code
    except BadPackageError as error:
        told = session.say(Term.NOT_A_MODULE, path=error.path or file, cause=error.cause)
        raise errors.usage("BAD_PACKAGE", told) from error
    installed = connection.call(stub.GetModule, pb.GetModuleRequest(name=module_name(code))).module
    options = pb.InstallOptions(
        allow_downgrade=allow_downgrade,
        allow_signer_change=allow_signer_change,
        health_time=_span(health_time),
        expected_generation=installed.generation,
        reason=reason,
    )
    _install(session, file, options, detach=detach)


@app.command(cls=Verb)
def watch(ctx: typer.Context, operation: OperationName) -> None:
    """Watch an operation until it ends; exits with 8 if it failed, with 9 if it was cancelled."""
    session = current(ctx)
    followed = OperationWatch(session, *connect(session))
    with followed.drawn():
        code = followed.run(operation)
    raise typer.Exit(code)


@app.command(cls=Verb)
def cancel(ctx: typer.Context, operation: OperationName) -> None:
    """Stop an operation that has not gone live yet."""
    session = current(ctx)
    connection, stub = connect(session)
    answer = connection.call(stub.CancelOperation, pb.CancelOperationRequest(name=operation))
    session.screen.answer(answer, views.state(answer.operation, session.say))


@app.command(cls=Verb)
def operations(
    ctx: typer.Context,
    *,
    module: Annotated[
        str, typer.Option("--module", metavar="MODULE", help="Only this module's.", show_default=False)
    ] = "",
    only_open: Annotated[bool, typer.Option("--open", help="Only those that have not ended.")] = False,
    limit: Limit = 50,
) -> None:
    """List operations, newest first."""
    session = current(ctx)
    connection, stub = connect(session)
    named = module_name(module) if module else ""
    request = pb.ListOperationsRequest(module=named, only_open=only_open)
    found = collect(connection, stub.ListOperations, request, lambda page: page.operations, limit)
    rows = views.listing(found.operations, session.say)
    session.screen.listing(found, rows, limit=limit, goes_on=bool(found.next_page_token))


def _install(session: Session, file: Path, options: pb.InstallOptions, *, detach: bool) -> None:
    connection, stub = connect(session)
    followed = OperationWatch(session, connection, stub)
    with followed.drawn():
        sent = upload(session, connection, stub, file, followed.picture.take_sent)
        if not session.screen.is_live:
            session.screen.lines(views.sent_line(sent.total_bytes, session.say))
        request = pb.InstallModuleRequest(upload=sent.name, options=options, request_id=new_request_id())
        begun = connection.call(stub.InstallModule, request)
        session.screen.lines(*views.begun(begun, session.say))
        if detach:
            session.screen.answer(begun, views.state(begun.operation, session.say))
            return
        code = followed.run(begun.operation.name)
    raise typer.Exit(code)


def _span(span: timedelta | None) -> Duration | None:
    return None if span is None else Duration(seconds=int(span.total_seconds()))


def _content(session: Session, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        cause = error.strerror or type(error).__name__
        raise errors.usage("UNREADABLE", session.say(Word.UNREADABLE, path=path, cause=cause)) from error
