"""The services, as the view asks them: what is open and newest of each, drawn as its own room draws it."""

from collections.abc import Callable

from millwright_cli.session import Session
from millwright_cli.watch.news import Source
from millwright_cli.watch.sources.etl import Etl
from millwright_cli.watch.sources.judgment import Judgment
from millwright_cli.watch.sources.modules import Modules
from millwright_cli.watch.sources.workflow import Workflow

SOURCES: tuple[Callable[[Session], Source], ...] = (Workflow, Judgment, Etl, Modules)
