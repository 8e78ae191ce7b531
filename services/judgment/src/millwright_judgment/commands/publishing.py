"""Publishing: a document that has passed the gate becomes the next version of its ruleset."""

from __future__ import annotations

from dataclasses import dataclass, replace

from millwright_runtime.events.log import EventLog
from millwright_runtime.postgres.database import Connection

from millwright_judgment.commands import releasing
from millwright_judgment.domain import releases
from millwright_judgment.domain.errors import SemverTaken
from millwright_judgment.domain.releases import Actor, Channel, Ledger, Promotion, Version, VersionState
from millwright_judgment.domain.ruleset.model import Ruleset
from millwright_judgment.store import releases as release_store
from millwright_judgment.store import rulesets
from millwright_judgment.store.rulesets import Text


@dataclass(frozen=True, slots=True)
class Candidate:
    """What is to be published: a ruleset without faults, and what the gate said of it."""

    ruleset: Ruleset
    content_hash: bytes
    text: Text


@dataclass(frozen=True, slots=True)
class Published:
    """What publishing gave."""

    ruleset: str
    version: Version
    created: bool
    channel: Channel | None


async def publish(
    connection: Connection, log: EventLog, tenant: str, candidate: Candidate, promote_to: str | None, actor: Actor
) -> Published:
    """Publish a candidate, and promote it if asked; the same content again finds its version.

    Raises SemverTaken, and what a promotion raises.
    """
    ruleset = candidate.ruleset.id
    await rulesets.ensure(connection, tenant, ruleset)
    ledger = await release_store.lock(connection, ruleset)
    version = await rulesets.find_content(connection, ruleset, candidate.content_hash)
    created = version is None
    if version is None:
        version = await _next_version(connection, ledger, candidate, actor)
        await rulesets.insert_version(connection, tenant, ruleset, version, candidate.text, candidate.ruleset.titles)
        await releasing.carry_out(connection, log, tenant, ruleset, releases.publish(ledger, version, actor))
    channel = None
    if promote_to is not None:
        wish = Promotion(promote_to, version.number)
        channel = (await releasing.promote(connection, log, tenant, ruleset, wish, actor)).channel
    return Published(ruleset, version, created, channel)


async def preview(connection: Connection, candidate: Candidate, promote_to: str | None, actor: Actor) -> Published:
    """Give what `publish` would give, and raise what it would raise, without writing or locking anything."""
    ruleset = candidate.ruleset.id
    ledger = await release_store.read(connection, ruleset)
    version = await rulesets.find_content(connection, ruleset, candidate.content_hash)
    created = version is None
    version = version or await _next_version(connection, ledger, candidate, actor)
    channel = None
    if promote_to is not None:
        known = replace(ledger, latest_revision=ledger.latest_revision + created, versions={version.number: version})
        channel = releases.promote(known, Promotion(promote_to, version.number), actor).channel
    return Published(ruleset, version, created, channel)


async def _next_version(connection: Connection, ledger: Ledger, candidate: Candidate, actor: Actor) -> Version:
    semver = candidate.ruleset.version
    if taken := await rulesets.find_semver(connection, ledger.ruleset, semver):
        raise SemverTaken(ruleset=ledger.ruleset, semver=semver, version=taken.number)
    return Version(
        number=ledger.latest_version + 1,
        semver=semver,
        content_hash=candidate.content_hash,
        state=VersionState.PUBLISHED,
        state_reason="",
        creator=actor.subject,
        create_time=ledger.time,
    )
