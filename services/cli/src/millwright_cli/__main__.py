"""The `millwright` command: its nouns, put together."""

import io
import sys

import typer

from millwright_cli import session
from millwright_cli.audit import audit
from millwright_cli.etl import etl
from millwright_cli.judgment import execution, experiment, replay, ruleset
from millwright_cli.judgment.judge import judge
from millwright_cli.module import module
from millwright_cli.watch.watch import watch
from millwright_cli.workflow import approval, instance, workflow

app = typer.Typer(
    name="millwright",
    no_args_is_help=True,
    epilog=session.EPILOG,
    # A trace is for whoever mends the command, and must not print a token that a variable holds.
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.callback()(session.root)
app.add_typer(workflow.app, name="workflow")
app.add_typer(instance.app, name="instance")
app.add_typer(approval.app, name="approval")
app.add_typer(ruleset.app, name="ruleset")
app.command("judge", cls=session.Verb)(judge)
app.add_typer(execution.app, name="execution")
app.add_typer(replay.app, name="replay")
app.add_typer(experiment.app, name="experiment")
app.add_typer(module.app, name="module")
app.add_typer(etl.app, name="etl")
app.add_typer(audit.app, name="audit")
app.command("watch", cls=session.Verb)(watch)


def main() -> None:
    """Run the command and exit with one of `errors.ExitCode`."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a glyph that the locale lacks is no reason to fail
    app()


if __name__ == "__main__":
    main()
