"""The composition root: the only place that builds concrete objects of the judgment service."""

from __future__ import annotations

from pathlib import Path

from millwright_runtime.events.log import EventLog
from millwright_runtime.service import Parts, Platform, Service

from millwright_judgment.api.releases import ReleaseServicer
from millwright_judgment.api.rulesets import RulesetServicer
from millwright_judgment.engine.gate import Gate
from millwright_judgment.engine.plans import Plans
from millwright_judgment.settings import JudgmentSettings

SCHEMA = "judgment"


async def compose(platform: Platform, _settings: JudgmentSettings) -> Parts:
    """Put the service together."""
    log = EventLog(SCHEMA)
    return Parts(
        servicers=[RulesetServicer(platform, log, Gate()), ReleaseServicer(platform, log)],
        loops=[Plans(platform, log)],
    )


SERVICE = Service(
    name=SCHEMA, settings=JudgmentSettings, migrations=Path(__file__).parent / "migrations", compose=compose
)
