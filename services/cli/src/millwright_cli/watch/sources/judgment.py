"""The judgment service: its replays, its experiments, and its releases."""

from collections.abc import Iterable

from millwright.judgment.v1 import (
    experiment_service_pb2,
    experiment_service_pb2_grpc,
    release_pb2,
    release_service_pb2,
    release_service_pb2_grpc,
    replay_service_pb2,
    ruleset_service_pb2,
    ruleset_service_pb2_grpc,
)
from millwright.judgment.v1.experiment_pb2 import Experiment
from millwright.judgment.v1.replay_pb2 import Replay

from millwright_cli.judgment import replays
from millwright_cli.judgment.views import experiment as experiment_views
from millwright_cli.judgment.views import release as release_views
from millwright_cli.judgment.views import replay as replay_views
from millwright_cli.session import Session
from millwright_cli.watch.news import Look, News, ReleaseLogs, Thing
from millwright_cli.watch.sources.asking import ALL, NEWEST, titled

_OPEN = (Replay.STATE_PENDING, Replay.STATE_RUNNING)


class Judgment:
    """Looks at the judgment service."""

    service = replays.SERVICE.name

    def __init__(self, session: Session) -> None:
        self._connection, self._replays = replays.connect(session)
        self._say = session.say.of(replays.SERVICE.words)
        channel = self._connection.channel
        self._experiments = experiment_service_pb2_grpc.ExperimentServiceStub(channel)
        self._rulesets = ruleset_service_pb2_grpc.RulesetServiceStub(channel)
        self._releases = release_service_pb2_grpc.ReleaseServiceStub(channel)
        self._logs = ReleaseLogs[release_pb2.Release]()

    def look(self) -> Look:
        """Ask for replays, for experiments, and for what releases there were."""
        call = self._connection.call
        found = call(self._replays.ListReplays, replay_service_pb2.ListReplaysRequest(page_size=NEWEST)).replays
        asked = experiment_service_pb2.ListExperimentsRequest(page_size=NEWEST)
        experiments = call(self._experiments.ListExperiments, asked).experiments
        rulesets = call(self._rulesets.ListRulesets, ruleset_service_pb2.ListRulesetsRequest(page_size=ALL)).rulesets
        grown = self._logs.grown({it.name: it.latest_revision for it in rulesets}, self._read_releases)
        things = [*map(self._replay, found), *map(self._experiment, experiments)]
        return Look(
            things, [News.of(titled(release_views.release_line(it, self._say), name), it) for name, it in grown]
        )

    def _read_releases(self, ruleset: str, count: int) -> Iterable[release_pb2.Release]:
        request = release_service_pb2.ListReleasesRequest(ruleset=ruleset, page_size=count)
        return self._connection.call(self._releases.ListReleases, request).releases

    def _replay(self, it: Replay) -> Thing:
        line = titled(replay_views.line(it, self._say), it.ruleset)
        return Thing(it.name, Replay.State.Name(it.state), it.state in _OPEN, line, it)

    def _experiment(self, it: Experiment) -> Thing:
        state, is_open = Experiment.State.Name(it.state), it.state == Experiment.STATE_RUNNING
        return Thing(it.name, state, is_open, experiment_views.line(it, self._say), it)

    def _release(self, name: str, it: release_pb2.Release) -> News:
        return News.of(titled(release_views.release_line(it, self._say), name), it)
