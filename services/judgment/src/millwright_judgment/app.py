"""The composition root: the only place that builds concrete objects of the judgment service."""

from __future__ import annotations

from pathlib import Path

from millwright_runtime.events.log import EventLog
from millwright_runtime.loops import Removal
from millwright_runtime.service import Parts, Platform, Service

from millwright_judgment.api.experiments import ExperimentServicer
from millwright_judgment.api.judging import JudgmentServicer
from millwright_judgment.api.releases import ReleaseServicer
from millwright_judgment.api.replays import ReplayServicer
from millwright_judgment.api.rulesets import RulesetServicer
from millwright_judgment.engine.copying import Copies
from millwright_judgment.engine.datasets.receiving import Receiving
from millwright_judgment.engine.experiments import Experiments
from millwright_judgment.engine.gate import Gate
from millwright_judgment.engine.judging import Judging
from millwright_judgment.engine.plans import Plans
from millwright_judgment.engine.recording import Recorder
from millwright_judgment.engine.replaying.gate import GateReplays
from millwright_judgment.engine.replaying.replays import Replays
from millwright_judgment.engine.versions import Versions
from millwright_judgment.settings import JudgmentSettings
from millwright_judgment.store import datasets, executions, experiments, trials

SCHEMA = "judgment"
REMOVAL_PAUSE_SECONDS = 600.0


async def compose(platform: Platform, settings: JudgmentSettings) -> Parts:
    """Put the service together."""
    log = EventLog(SCHEMA)
    versions = Versions(platform.database)
    recorder = Recorder(platform.database, settings.waiting_executions)
    judging = Judging(platform.database, versions, recorder)
    return Parts(
        servicers=[
            RulesetServicer(platform, log, Gate(GateReplays(platform.database, versions))),
            ReleaseServicer(platform, log),
            JudgmentServicer(platform, judging),
            ExperimentServicer(platform, log, versions),
            ReplayServicer(platform, log, versions, judging, Receiving(platform.database, versions)),
        ],
        loops=[
            Plans(platform, log),
            Removal("keys", platform.database, executions.forget_keys, REMOVAL_PAUSE_SECONDS),
            Copies(platform.database, versions, settings.execution_retention_days),
            Experiments(platform, log, versions),
            Removal("units", platform.database, experiments.forget_units, REMOVAL_PAUSE_SECONDS),
            Removal("marks", platform.database, trials.forget_marks, REMOVAL_PAUSE_SECONDS),
            Removal("datasets", platform.database, datasets.forget, REMOVAL_PAUSE_SECONDS),
            Replays(platform, log, versions, settings.replay_page_executions),
        ],
        # The recorder is no loop: calls that are still served while the service drains need it.
        closers=[versions.close, recorder.close],
        keep_days={"execution": settings.execution_retention_days},
    )


SERVICE = Service(
    name=SCHEMA, settings=JudgmentSettings, migrations=Path(__file__).parent / "migrations", compose=compose
)
