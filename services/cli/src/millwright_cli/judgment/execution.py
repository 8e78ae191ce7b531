"""`millwright execution list | get | explain`: judgments that were made, and why they came out as they did."""

from typing import Annotated

import typer
from millwright.judgment.v1 import judgment_service_pb2 as pb

from millwright_cli import errors
from millwright_cli.arguments import Limit
from millwright_cli.judgment.arguments import OnlyRuleset
from millwright_cli.judgment.executions import (
    ExecutionName,
    InExperiment,
    Line,
    Outcomes,
    Product,
    Shift,
    Since,
    Unit,
    Until,
    WinningRule,
    connect,
    execution_filter,
)
from millwright_cli.judgment.views import execution as views
from millwright_cli.judgment.words import Term
from millwright_cli.paging import collect
from millwright_cli.session import Noun, Verb, current

app = typer.Typer(cls=Noun, help="See what was judged, and why it came out so.", no_args_is_help=True)


@app.command(cls=Verb)
def get(ctx: typer.Context, name: ExecutionName) -> None:
    """Show one execution: its input, its outcome, what is recommended."""
    session = current(ctx)
    connection, stub = connect(session)
    answer = connection.call(stub.GetExecution, pb.GetExecutionRequest(name=name))
    session.screen.answer(answer, *views.execution(answer.execution, session.say))


@app.command(cls=Verb)
def explain(ctx: typer.Context, name: ExecutionName) -> None:
    """Say why an execution came out so: rules matched, near misses with margins, and what would change it."""
    session = current(ctx)
    connection, stub = connect(session)
    answer = connection.call(stub.ExplainExecution, pb.ExplainExecutionRequest(name=name))
    session.screen.answer(answer, *views.explanation(answer, session.say))


@app.command("list", cls=Verb)
def list_(
    ctx: typer.Context,
    ruleset: OnlyRuleset = None,
    *,
    version: Annotated[
        int | None,
        typer.Option("--version", metavar="N", min=1, help="Only of this version; needs NAME.", show_default=False),
    ] = None,
    since: Since = None,
    until: Until = None,
    outcome: Outcomes = None,
    line: Line = "",
    product: Product = "",
    shift: Shift = "",
    unit: Unit = "",
    experiment: InExperiment = None,
    rule: WinningRule = "",
    limit: Limit = 50,
) -> None:
    """List executions, newest first."""
    session = current(ctx)
    if version and not ruleset:
        raise errors.usage("VERSION_ALONE", session.say(Term.VERSION_ALONE))
    wanted = execution_filter(
        ruleset or "",
        version=version,
        from_time=since,
        to_time=until,
        outcomes=outcome,
        line=line,
        product=product,
        shift=shift,
        unit=unit,
        experiment=experiment,
        rule=rule,
    )
    connection, stub = connect(session)
    request = pb.ListExecutionsRequest(filter=wanted)
    found = collect(connection, stub.ListExecutions, request, lambda page: page.executions, limit)
    table = views.execution_table(found.executions, session.say)
    session.screen.listing(found, table, limit=limit, goes_on=bool(found.next_page_token))
