"""The composition root: the only place that builds concrete objects of the modules service."""

from __future__ import annotations

import asyncio
import logging
import sys
from importlib import metadata
from pathlib import Path

from millwright_runtime.certificates import Certificates
from millwright_runtime.events.log import EventLog
from millwright_runtime.service import Parts, Platform, Service

from millwright_modules.api.servicer import ModuleServicer
from millwright_modules.archive.limits import Limits
from millwright_modules.artifacts.files import BlobFiles
from millwright_modules.artifacts.workplace import Workplace
from millwright_modules.blobs.keeper import Keeper
from millwright_modules.blobs.postgres import PostgresPlace
from millwright_modules.blobs.s3 import S3Place
from millwright_modules.building import toolchain
from millwright_modules.building.builder import Builder
from millwright_modules.building.toolchain import Esbuild, Missing
from millwright_modules.domain.brought import Kind
from millwright_modules.domain.versions import Version
from millwright_modules.engine.assets import Assets
from millwright_modules.engine.gathering import Gathering
from millwright_modules.engine.health import Health
from millwright_modules.engine.installing import Installing
from millwright_modules.engine.owners import Owner, Owners
from millwright_modules.engine.receiving import Receiving
from millwright_modules.engine.tidying import Tidying
from millwright_modules.engine.unpacking import Packages
from millwright_modules.engine.worker import Worker
from millwright_modules.settings import ModulesSettings

SCHEMA = "modules"
_log = logging.getLogger(__name__)
_REPLAYED = 1_000
"""So many past judgments say whether a ruleset that a replay may block could be published; its gate looks at more."""


async def compose(platform: Platform, settings: ModulesSettings) -> Parts:
    """Put the service together."""
    log = EventLog(SCHEMA)
    limits = Limits()
    version = Version.parse(metadata.version("millwright-modules"))
    keeper = _keeper(platform, settings)
    workplace = await asyncio.to_thread(Workplace, settings.work_directory)
    files = BlobFiles(keeper, workplace.folder("blobs"), settings.cache_megabytes << 20)
    packages = Packages(files, limits)
    esbuild = await asyncio.to_thread(_esbuild, settings.esbuild)
    assets = Assets(platform.database, keeper, Builder(esbuild, workplace.folder("builds")))
    certificates = settings.certificates()
    owners = _owners(settings, certificates)
    seconds = settings.owner_seconds
    installing = Installing(workplace, packages, assets, Health(files), owners, version, seconds)
    receiving = Receiving(platform.database, keeper, files, limits, settings.upload_megabytes << 20)
    return Parts(
        servicers=[ModuleServicer(platform, log, receiving, packages, files, owners, version)],
        loops=[
            Worker(platform, log, installing, settings.operations_at_once),
            Tidying(platform.database, keeper, settings.versions_kept, settings.operation_retention_days),
            Gathering(keeper),
            *([certificates] if certificates else []),
        ],
        closers=[workplace.close, owners.close],
    )


def _keeper(platform: Platform, settings: ModulesSettings) -> Keeper:
    try:
        buckets = [S3Place(settings.bucket)] if settings.bucket else []
    except ValueError as error:
        sys.exit(f"MILLWRIGHT_MODULES_S3_CREDENTIALS {error}")
    return Keeper(platform.database, PostgresPlace(platform.database), buckets, settings.artifacts)


def _owners(settings: ModulesSettings, certificates: Certificates | None) -> Owners:
    """Give the services that check what modules bring."""
    judgment = Owner(
        Kind.RULESET,
        "judgment",
        "MILLWRIGHT_MODULES_JUDGMENT_ENDPOINT",
        settings.judgment_endpoint,
        "millwright.judgment.v1.ruleset_service_pb2",
        "millwright.judgment.v1.RulesetService/PublishVersion",
        lambda document: {"document": document, "validate_only": True, "replay_executions": _REPLAYED},
    )
    workflow = Owner(
        Kind.WORKFLOW,
        "workflow",
        "MILLWRIGHT_MODULES_WORKFLOW_ENDPOINT",
        settings.workflow_endpoint,
        "millwright.workflow.v1.workflow_service_pb2",
        "millwright.workflow.v1.WorkflowService/PublishVersion",
        lambda document: {"definition": document, "validate_only": True},
    )
    return Owners([judgment, workflow], settings.identity(), certificates)


def _esbuild(path: Path | None) -> Esbuild | Missing:
    """Give the binary, or what stands in the way of building: then frontends that were built before are taken."""
    try:
        return toolchain.find(path)
    except Missing as lack:
        _log.warning("frontends are not built here", extra={"fault": str(lack)})
        return lack


SERVICE = Service(
    name=SCHEMA, settings=ModulesSettings, migrations=Path(__file__).parent / "migrations", compose=compose
)
