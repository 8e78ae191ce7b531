"""The composition root: the only place that builds concrete objects of the etl service."""

from __future__ import annotations

import argparse
import asyncio
import sys
from datetime import timedelta
from pathlib import Path

from millwright_runtime.concurrency.patience import persist
from millwright_runtime.events.log import EventLog
from millwright_runtime.loops import Removal
from millwright_runtime.service import Parts, Platform, Service, Verb, ready

from millwright_etl.api.answers import Answers
from millwright_etl.api.ingestion import IngestServicer
from millwright_etl.api.pipeline import PipelineServicer
from millwright_etl.api.production import ProductionServicer
from millwright_etl.api.quarantine import QuarantineServicer
from millwright_etl.engine.months import Months
from millwright_etl.engine.night import OUT_OF_TIME, Night, exit_code, report
from millwright_etl.engine.working import Worker
from millwright_etl.settings import EtlSettings
from millwright_etl.store import ingest_streams, runs

SCHEMA = "etl"
FORGET_PAUSE_SECONDS = 3600.0
_LONG_ANSWERS = 3
"""One connection in so many may be held by answers that are too long to be read before they are sent."""
_MIGRATIONS = Path(__file__).parent / "migrations"


async def compose(platform: Platform, settings: EtlSettings) -> Parts:
    """Put the service together."""
    log = EventLog(SCHEMA)
    run_age = timedelta(days=settings.run_retention_days)
    most_long = max(1, settings.database_connections // _LONG_ANSWERS)
    return Parts(
        servicers=[
            IngestServicer(platform),
            ProductionServicer(platform, Answers(platform.reading, most_long)),
            PipelineServicer(platform, log),
            QuarantineServicer(platform, log),
        ],
        loops=[
            Worker(platform, log, settings),
            Months(platform.database),
            Removal("forgetting", platform.database, ingest_streams.forget, FORGET_PAUSE_SECONDS),
            Removal("run-history", platform.database, lambda it: runs.forget(it, run_age), FORGET_PAUSE_SECONDS),
        ],
    )


def _night_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--due", action="store_true", required=True, help="all days that are due")
    parser.add_argument("--tenant", action="append", default=[], help="of this plant alone; may be given again")
    parser.add_argument("--wait-seconds", type=float, default=3000.0, help="for how long at most (default: 3000)")


async def _run_night(platform: Platform, settings: EtlSettings, arguments: argparse.Namespace) -> int:
    """Run what is due, tell what came of it, and give the exit code."""
    log = EventLog(SCHEMA)
    night = Night(platform, log, Worker(platform, log, settings))
    try:
        async with asyncio.timeout(arguments.wait_seconds):
            await ready(SCHEMA, _MIGRATIONS, platform.database)
            await night.run(arguments.tenant)
            outcomes = await persist("the night", night.outcomes)
    except TimeoutError:
        sys.stderr.write(f"not done in {arguments.wait_seconds:g} s; what is under way goes on in the service\n")
        return OUT_OF_TIME
    sys.stdout.writelines(f"{line}\n" for line in report(outcomes))
    return exit_code(outcomes)


SERVICE = Service(
    name=SCHEMA,
    settings=EtlSettings,
    migrations=_MIGRATIONS,
    compose=compose,
    verbs=[Verb("run", "bring the facts of all plants up to date, then exit", _night_arguments, _run_night)],
)
