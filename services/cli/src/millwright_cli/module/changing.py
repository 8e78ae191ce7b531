"""`millwright module list | info | history | rollback | enable | disable | uninstall | plan`.

What is live, and what moves it in one call.
"""

from typing import Annotated

import typer
from millwright.modules.v1 import module_service_pb2 as pb

from millwright_cli.arguments import Limit
from millwright_cli.connection import Connection
from millwright_cli.errors import ExitCode
from millwright_cli.module.arguments import ExpectedGeneration, ModuleName, Package, Reason
from millwright_cli.module.modules import Stub, connect
from millwright_cli.module.uploading import upload
from millwright_cli.module.views import module as views
from millwright_cli.paging import collect
from millwright_cli.session import Noun, Session, Verb, current

app = typer.Typer()
plan = typer.Typer(cls=Noun, help="Say what a change would do; change nothing.", no_args_is_help=True)
app.add_typer(plan, name="plan")


@app.command("list", cls=Verb)
def list_modules(
    ctx: typer.Context,
    *,
    with_uninstalled: Annotated[
        bool, typer.Option("--with-uninstalled", help="Those that were taken out, too.")
    ] = False,
    limit: Limit = 50,
) -> None:
    """List modules."""
    session = current(ctx)
    connection, stub = connect(session)
    request = pb.ListModulesRequest(include_uninstalled=with_uninstalled)
    found = collect(connection, stub.ListModules, request, lambda page: page.modules, limit)
    rows = views.listing(found.modules, session.say)
    session.screen.listing(found, rows, limit=limit, goes_on=bool(found.next_page_token))


@app.command(cls=Verb)
def info(ctx: typer.Context, module: ModuleName) -> None:
    """Show a module: what is live, what was built, and the versions that are kept."""
    session = current(ctx)
    connection, stub = connect(session)
    answer = connection.call(stub.GetModule, pb.GetModuleRequest(name=module))
    kept = connection.call(stub.ListModuleVersions, pb.ListModuleVersionsRequest(module=module))
    session.screen.answer(answer, *views.details(answer, kept.versions, session.say))


@app.command(cls=Verb)
def history(ctx: typer.Context, module: ModuleName, *, limit: Limit = 50) -> None:
    """Show what was live when, newest first."""
    session = current(ctx)
    connection, stub = connect(session)
    request = pb.ListActivationsRequest(module=module)
    found = collect(connection, stub.ListActivations, request, lambda page: page.activations, limit)
    rows = views.history(found.activations, session.say)
    session.screen.listing(found, rows, limit=limit, goes_on=bool(found.next_page_token))


@app.command(cls=Verb)
def rollback(
    ctx: typer.Context,
    module: ModuleName,
    *,
    reason: Reason,
    to: Annotated[
        str,
        typer.Option(
            "--to", metavar="VERSION", help="The version to go back to.", show_default="the one that was live before"
        ),
    ] = "",
    expected_generation: ExpectedGeneration = None,
) -> None:
    """Make an earlier version live again, in one call."""
    session = current(ctx)
    connection, stub = connect(session)
    request = pb.RollbackModuleRequest(
        name=module, target_version=to, expected_generation=expected_generation, reason=reason
    )
    session.write(connection, stub.RollbackModule, request, views.move)


@app.command(cls=Verb)
def enable(ctx: typer.Context, module: ModuleName, *, reason: Reason = "") -> None:
    """Serve a module again."""
    session = current(ctx)
    connection, stub = connect(session)
    answer = connection.call(stub.EnableModule, pb.EnableModuleRequest(name=module, reason=reason))
    session.screen.answer(answer, views.live(answer.module, session.say))


@app.command(cls=Verb)
def disable(ctx: typer.Context, module: ModuleName, *, reason: Reason = "") -> None:
    """Serve a module to nobody, and keep it."""
    session = current(ctx)
    connection, stub = connect(session)
    answer = connection.call(stub.DisableModule, pb.DisableModuleRequest(name=module, reason=reason))
    session.screen.answer(answer, views.live(answer.module, session.say))


@app.command(cls=Verb)
def uninstall(
    ctx: typer.Context,
    module: ModuleName,
    *,
    reason: Reason,
    plan_token: Annotated[
        str,
        typer.Option(
            "--plan",
            metavar="TOKEN",
            help="Of `plan uninstall`: modules that need it go with it.",
            show_default=False,
        ),
    ] = "",
    purge: Annotated[bool, typer.Option("--purge", help="Remove its settings and versions as well.")] = False,
    expected_generation: ExpectedGeneration = None,
) -> None:
    """Take a module out; its settings are kept unless --purge."""
    session = current(ctx)
    connection, stub = connect(session)
    request = pb.UninstallModuleRequest(
        name=module, plan_token=plan_token, purge=purge, expected_generation=expected_generation, reason=reason
    )
    session.write(connection, stub.UninstallModule, request, views.removal)


@plan.command("install", cls=Verb)
def plan_install(ctx: typer.Context, file: Package) -> None:
    """Say what installing a package would do. It is uploaded for that; exits with 4 if something stands in its way."""
    session = current(ctx)
    connection, stub = connect(session)
    sent = upload(session, connection, stub, file, lambda *_: None)
    _plan(session, connection, stub, pb.PlanChangeRequest(install=sent.name))


@plan.command("rollback", cls=Verb)
def plan_rollback(ctx: typer.Context, module: ModuleName) -> None:
    """Say what rolling a module back would do; exits with 4 if something stands in its way."""
    session = current(ctx)
    _plan(session, *connect(session), pb.PlanChangeRequest(rollback=module))


@plan.command("uninstall", cls=Verb)
def plan_uninstall(ctx: typer.Context, module: ModuleName) -> None:
    """Say what would go with a module, and give the token for it; exits with 4 if something stands in its way."""
    session = current(ctx)
    _plan(session, *connect(session), pb.PlanChangeRequest(uninstall=module))


def _plan(session: Session, connection: Connection, stub: Stub, request: pb.PlanChangeRequest) -> None:
    answer = connection.call(stub.PlanChange, request)
    session.screen.answer(answer, *views.plan(answer, session.say))
    if views.is_blocked(answer):
        raise typer.Exit(ExitCode.REFUSED)
