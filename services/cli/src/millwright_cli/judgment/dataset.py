"""`millwright replay dataset …`: the data sets that were uploaded."""

import typer
from millwright.judgment.v1 import replay_service_pb2 as pb

from millwright_cli.arguments import Limit
from millwright_cli.judgment.arguments import OnlyRuleset
from millwright_cli.judgment.replays import DatasetName, connect
from millwright_cli.judgment.views import dataset as views
from millwright_cli.paging import collect
from millwright_cli.session import Noun, Verb, current

app = typer.Typer(cls=Noun, help="See and remove the rows that were uploaded.", no_args_is_help=True)


@app.command("list", cls=Verb)
def list_(
    ctx: typer.Context,
    ruleset: OnlyRuleset = None,
    limit: Limit = 50,
) -> None:
    """List data sets by name."""
    session = current(ctx)
    connection, stub = connect(session)
    request = pb.ListDatasetsRequest(ruleset=ruleset or "")
    found = collect(connection, stub.ListDatasets, request, lambda page: page.datasets, limit)
    table = views.dataset_table(found.datasets, session.say)
    session.screen.listing(found, table, limit=limit, goes_on=bool(found.next_page_token))


@app.command(cls=Verb)
def get(ctx: typer.Context, dataset: DatasetName) -> None:
    """Show a data set: how many rows it has, and why others of its file were left out."""
    session = current(ctx)
    connection, stub = connect(session)
    answer = connection.call(stub.GetDataset, pb.GetDatasetRequest(name=dataset))
    session.screen.answer(answer, *views.dataset(answer.dataset, session.say))


@app.command(cls=Verb)
def delete(ctx: typer.Context, dataset: DatasetName) -> None:
    """Delete a data set; replays that have begun go on with its rows."""
    session = current(ctx)
    connection, stub = connect(session)
    answer = connection.call(stub.DeleteDataset, pb.DeleteDatasetRequest(name=dataset))
    session.screen.answer(answer, views.removal(dataset, session.say))
