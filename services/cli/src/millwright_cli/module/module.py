"""`millwright module …`: the noun, put together."""

import typer

from millwright_cli.module import changing, installing, making, settling
from millwright_cli.session import Noun

app = typer.Typer(
    cls=Noun, help="Make packages of modules, and install, upgrade, roll back and remove them.", no_args_is_help=True
)
app.add_typer(making.app)
app.add_typer(installing.app)
app.add_typer(changing.app)
app.add_typer(settling.app)
