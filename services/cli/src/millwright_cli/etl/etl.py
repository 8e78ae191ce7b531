"""`millwright etl …`: landing files, making and reading facts, and dealing with rows that were set aside."""

import typer

from millwright_cli.etl import quarantine
from millwright_cli.etl.generate import generate
from millwright_cli.etl.ingest import ingest
from millwright_cli.etl.query import query
from millwright_cli.etl.report import report
from millwright_cli.etl.run import backfill, run
from millwright_cli.etl.runs import cancel, runs, show, watch
from millwright_cli.session import Noun, Verb

app = typer.Typer(
    cls=Noun,
    help="Land rows of ERP and MES systems, make and read facts, mend what was set aside.",
    no_args_is_help=True,
)
for command in (ingest, generate, run, backfill, runs, show, watch, cancel, query, report):
    app.command(cls=Verb)(command)
app.add_typer(quarantine.app, name="quarantine")
