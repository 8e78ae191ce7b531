"""`millwright etl …`: landing files, reading facts, and dealing with rows that were set aside."""

import typer

from millwright_cli.etl import quarantine
from millwright_cli.etl.ingest import ingest
from millwright_cli.etl.query import query
from millwright_cli.etl.report import report
from millwright_cli.session import Noun, Verb

app = typer.Typer(
    cls=Noun, help="Land rows of ERP and MES systems, read facts, mend what was set aside.", no_args_is_help=True
)
for command in (ingest, query, report):
    app.command(cls=Verb)(command)
app.add_typer(quarantine.app, name="quarantine")
