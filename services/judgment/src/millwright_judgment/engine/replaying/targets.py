"""Targets: from what is named to what judges."""

from __future__ import annotations

import asyncio

from millwright_runtime.postgres.database import Connection

from millwright_judgment.domain.evaluation.rows import Evaluator
from millwright_judgment.domain.names import ChannelName, DraftName, VersionName
from millwright_judgment.domain.replays.replay import RECORDED, Target, TargetKind
from millwright_judgment.domain.ruleset import canonical, document
from millwright_judgment.engine.versions import Versions
from millwright_judgment.store import drafts, releases, rulesets

Named = VersionName | DraftName | ChannelName | None
"""What a caller names; None for the version that each execution was judged with."""


async def resolve(connection: Connection, named: Named) -> Target:
    """Give what is named as it is now; raise VersionNotFound, ChannelNotFound, DraftNotFound, InvalidRuleset."""
    match named:
        case None:
            return RECORDED
        case DraftName(ruleset, draft):
            found = await drafts.get(connection, ruleset, draft)
            read = document.read(found.document).require()
            content_hash = canonical.content_hash(read).hex()
            return Target(TargetKind.DRAFT, draft=draft, canonical=canonical.to_text(read), content_hash=content_hash)
        case ChannelName(ruleset, channel):
            number = (await releases.get_channel(connection, ruleset, channel)).version
        case VersionName(ruleset, number):
            pass
    version, _ = await rulesets.get_version(connection, ruleset, number)
    return Target(TargetKind.VERSION, number=version.number, content_hash=version.content_hash.hex())


async def evaluator_of(versions: Versions, tenant: str, ruleset: str, target: Target) -> Evaluator | None:
    """Give what judges; None for the version that each execution was judged with."""
    match target.kind:
        case TargetKind.VERSION:
            return (await versions.compiled(tenant, ruleset, target.number)).evaluator
        case TargetKind.DRAFT:
            return await asyncio.to_thread(_compile, target.canonical)
        case TargetKind.RECORDED:
            return None


def _compile(text: str) -> Evaluator:
    return Evaluator(document.read(text).require())
