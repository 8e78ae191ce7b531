"""Following an experiment to its end: a line for each change, and in a terminal a picture that is drawn anew."""

import time
from collections.abc import Callable, Iterator

from millwright.judgment.v1 import experiment_pb2
from millwright.judgment.v1 import experiment_service_pb2 as pb
from rich.console import Group
from rich.live import Live

from millwright_cli.connection import Connection
from millwright_cli.errors import ExitCode
from millwright_cli.judgment.experiments import Stub
from millwright_cli.judgment.views import experiment as views
from millwright_cli.session import Session

_LOOK_SECONDS = 1.0
_Experiment = experiment_pb2.Experiment
_EXIT_CODES = {
    _Experiment.STATE_PROMOTED: ExitCode.OK,
    _Experiment.STATE_ROLLED_BACK: ExitCode.FAULTED,
    _Experiment.STATE_STOPPED: ExitCode.CANCELLED,
}

Look = tuple[experiment_pb2.Experiment, experiment_pb2.ExperimentReport]


class ExperimentWatch:
    """Looks at an experiment once a second. There is no stream of experiments: their log is the ruleset's."""

    def __init__(
        self, session: Session, connection: Connection, stub: Stub, pause: Callable[[float], None] = time.sleep
    ) -> None:
        self._session = session
        self._connection = connection
        self._stub = stub
        self._pause = pause

    def run(self, name: str) -> ExitCode:
        """Print how an experiment does until it has ended; give the exit code of its end."""
        screen, say = self._session.screen, self._session.say
        last: Look | None = None
        if screen.is_live:
            with Live(console=screen.out, transient=True, auto_refresh=False) as live:
                for last in self._looks(name):
                    live.update(Group(views.line(last[0], say), *views.report(last[1], say)), refresh=True)
        else:
            seen: tuple[object, ...] = ()
            for last in self._looks(name):
                if (told := views.gist(*last)) != seen:
                    screen.one_of_many(
                        pb.GetExperimentResponse(experiment=last[0]), views.line_with_verdicts(*last, say)
                    )
                    seen = told
        assert last is not None
        experiment, report = last
        screen.lines(*views.ended(experiment, say), *views.report(report, say))
        return _EXIT_CODES[experiment.state]

    def _looks(self, name: str) -> Iterator[Look]:
        while True:
            experiment = self._connection.call(self._stub.GetExperiment, pb.GetExperimentRequest(name=name)).experiment
            asking = pb.GetExperimentReportRequest(name=name)
            yield experiment, self._connection.call(self._stub.GetExperimentReport, asking).report
            if experiment.state in _EXIT_CODES:
                return
            self._pause(_LOOK_SECONDS)
