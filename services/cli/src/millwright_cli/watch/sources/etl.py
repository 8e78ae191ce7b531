"""The etl service: its runs."""

from millwright.etl.v1 import pipeline_service_pb2
from millwright.etl.v1.run_pb2 import Run

from millwright_cli.etl import services
from millwright_cli.etl.run_words import WORDS
from millwright_cli.etl.views import run as views
from millwright_cli.session import Session
from millwright_cli.watch.news import Look, Thing
from millwright_cli.watch.sources.asking import NEWEST, titled

_OPEN = (Run.STATE_PENDING, Run.STATE_RUNNING)


class Etl:
    """Looks at the etl service."""

    service = "etl"

    def __init__(self, session: Session) -> None:
        self._connection, self._pipelines = services.pipeline(session)
        self._say = session.say.of(WORDS)

    def look(self) -> Look:
        """Ask for runs."""
        request = pipeline_service_pb2.ListRunsRequest(page_size=NEWEST)
        return Look([*map(self._run, self._connection.call(self._pipelines.ListRuns, request).runs)])

    def _run(self, it: Run) -> Thing:
        line = titled(views.line(it, self._say), views.days(it))
        return Thing(it.name, Run.State.Name(it.state), it.state in _OPEN, line, it)
