"""The composition root: the only place that builds concrete objects of the etl service."""

from __future__ import annotations

from pathlib import Path

from millwright_runtime.events.log import EventLog
from millwright_runtime.service import Parts, Platform, Service

from millwright_etl.api.ingestion import IngestServicer
from millwright_etl.api.pipeline import PipelineServicer
from millwright_etl.api.production import ProductionServicer
from millwright_etl.api.quarantine import QuarantineServicer
from millwright_etl.engine.forgetting import Forgetting
from millwright_etl.engine.working import Worker
from millwright_etl.settings import EtlSettings

SCHEMA = "etl"


async def compose(platform: Platform, settings: EtlSettings) -> Parts:
    """Put the service together."""
    log = EventLog(SCHEMA)
    return Parts(
        servicers=[
            IngestServicer(platform),
            ProductionServicer(platform),
            PipelineServicer(platform, log),
            QuarantineServicer(platform, log),
        ],
        loops=[Worker(platform, log, settings), Forgetting(platform.database)],
    )


SERVICE = Service(name=SCHEMA, settings=EtlSettings, migrations=Path(__file__).parent / "migrations", compose=compose)
