"""Publishing: a definition becomes the next version of its workflow."""

from __future__ import annotations

from dataclasses import dataclass, replace

from millwright_runtime.events.log import EventLog
from millwright_runtime.postgres.database import Connection

from millwright_workflow.commands import releasing
from millwright_workflow.domain import releases
from millwright_workflow.domain.definition import Definition
from millwright_workflow.domain.errors import SemverTaken
from millwright_workflow.domain.releases import Actor, Channel, Ledger, Promotion, Version
from millwright_workflow.store import releases as release_store
from millwright_workflow.store import workflows


@dataclass(frozen=True, slots=True)
class Published:
    """What publishing gave."""

    workflow: str
    version: Version
    created: bool
    channel: Channel | None


async def publish(
    connection: Connection, log: EventLog, tenant: str, definition: Definition, promote_to: str | None, actor: Actor
) -> Published:
    """Publish a definition that has no faults, and promote it if asked; the same content again finds its version.

    Raises SemverTaken, and what a promotion raises.
    """
    workflow = f"{definition.namespace}.{definition.name}"
    await workflows.ensure(connection, tenant, workflow)
    ledger = await release_store.lock(connection, workflow)
    version = await workflows.find_version(connection, workflow, definition.content_hash)
    created = version is None
    if version is None:
        version = await _next_version(connection, ledger, definition, actor)
        source = workflows.Definition(definition.source, definition.canonical.decode())
        await workflows.insert_version(connection, tenant, workflow, version, source)
        await releasing.carry_out(connection, log, tenant, workflow, releases.publish(ledger, version, actor))
    channel = None
    if promote_to is not None:
        wish = Promotion(promote_to, version.number)
        channel = (await releasing.promote(connection, log, tenant, workflow, wish, actor)).channel
    return Published(workflow, version, created, channel)


async def preview(connection: Connection, definition: Definition, promote_to: str | None, actor: Actor) -> Published:
    """Give what `publish` would give, and raise what it would raise, without writing or locking anything."""
    workflow = f"{definition.namespace}.{definition.name}"
    ledger = await release_store.read(connection, workflow)
    version = await workflows.find_version(connection, workflow, definition.content_hash)
    created = version is None
    version = version or await _next_version(connection, ledger, definition, actor)
    channel = None
    if promote_to is not None:
        known = replace(ledger, latest_revision=ledger.latest_revision + created, versions={version.number: version})
        channel = releases.promote(known, Promotion(promote_to, version.number), actor).channel
    return Published(workflow, version, created, channel)


async def _next_version(connection: Connection, ledger: Ledger, definition: Definition, actor: Actor) -> Version:
    if taken := await workflows.find_semver(connection, ledger.workflow, definition.semver):
        raise SemverTaken(workflow=ledger.workflow, semver=definition.semver, version=taken.number)
    return Version(
        number=ledger.latest_version + 1,
        semver=definition.semver,
        content_hash=definition.content_hash,
        bad_reason=None,
        creator=actor.subject,
        create_time=ledger.time,
    )
