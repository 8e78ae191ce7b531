"""Validating what was unpacked: manifest, contents, signature, dependencies, settings; every problem at once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from millwright_runtime.json import Json
from millwright_runtime.postgres.database import Connection, Database

from millwright_modules.archive.extraction import StagedFile
from millwright_modules.commands import moving, planning
from millwright_modules.domain import brought, contents, resolution, routes, settings, signing
from millwright_modules.domain.manifest import reader, source
from millwright_modules.domain.manifest.model import Manifest
from millwright_modules.domain.operation import Options
from millwright_modules.domain.problem import Problem, Refused, Severity, refusal
from millwright_modules.domain.resolution import Consent
from millwright_modules.domain.signing import FileHash, Verdict
from millwright_modules.domain.versions import Version
from millwright_modules.domain.words import Reason
from millwright_modules.engine.contract import contract
from millwright_modules.store import keys, versions
from millwright_modules.store import settings as settings_store


@dataclass(frozen=True, slots=True)
class Tree:
    """A package, unpacked."""

    root: Path
    files: Mapping[str, StagedFile]


@dataclass(frozen=True, slots=True)
class Validated:
    """What a package is, once nothing is wrong with it."""

    manifest: Manifest
    manifest_text: str
    signer: str
    warnings: Sequence[Problem]


async def validate(
    database: Database, tenant: str, digest: bytes, tree: Tree, options: Options, platform: Version
) -> Validated:
    """Judge a package on what was unpacked, and on what is installed; raise Refused with all that is wrong."""
    if source.FILE not in tree.files:
        raise refusal(Reason.MANIFEST_MISSING, "", source.FILE)
    content = await asyncio.to_thread((tree.root / source.FILE).read_bytes)
    manifest = await asyncio.to_thread(reader.read, content)
    statement = await asyncio.to_thread(_statement, tree)
    async with database.snapshot(tenant) as connection:
        verdict = await _verify(connection, tree, statement, manifest)
        found = [
            *contents.problems(manifest, tree.files),
            *routes.problems(manifest, contract()),
            *verdict.problems,
            *await obstacles(connection, manifest, verdict.signer, options, platform),
            *await _taken(connection, manifest, digest),
        ]
    if any(problem.severity is Severity.ERROR for problem in found):
        raise Refused(found)
    return Validated(manifest, content.decode("utf-8-sig"), verdict.signer, found)


def documents(tree: Tree, manifest: Manifest) -> Mapping[str, bytes]:
    """Read what a package brings for other services; of what is too large, enough to tell."""
    return {path: _begin(tree.root / path) for path in brought.all_paths(manifest) if path in tree.files}


def _begin(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(brought.LARGEST_BYTES + 1)


async def obstacles(
    connection: Connection, manifest: Manifest, signer: str, options: Options, platform: Version
) -> Sequence[Problem]:
    """Give what stands in the way of a version going live over what is installed."""
    landscape = await planning.landscape(connection)
    consent = Consent(options.allow_downgrade, options.allow_signer_change)
    plan = resolution.plan_install(planning.candidate(manifest, signer), landscape, platform, consent)
    return [*plan.problems, *await _unfit_settings(connection, manifest)]


async def _verify(connection: Connection, tree: Tree, statement: Json, manifest: Manifest) -> Verdict:
    trusted = {key.key: key.public_key for key in await keys.all_trusted(connection)}
    policy = await keys.policy(connection)
    files = {path: FileHash(file.size_bytes, file.digest) for path, file in tree.files.items() if path != signing.FILE}
    is_prebuilt = manifest.frontend is not None and manifest.frontend.is_prebuilt
    return await asyncio.to_thread(signing.verify, statement, files, trusted, policy, is_prebuilt=is_prebuilt)


def _statement(tree: Tree) -> Json:
    if signing.FILE not in tree.files:
        return None
    try:
        return source.read((tree.root / signing.FILE).read_bytes(), signing.FILE, signing.LARGEST_BYTES)
    except Refused:
        return {}  # which is no signature


async def _taken(connection: Connection, manifest: Manifest, digest: bytes) -> Sequence[Problem]:
    there = await versions.find(connection, manifest.code, str(manifest.version))
    if there is None or there.package_digest == digest:
        return ()
    return [Problem(Reason.VERSION_TAKEN, str(manifest.version), there.package_digest.hex(), digest.hex())]


async def _unfit_settings(connection: Connection, manifest: Manifest) -> Sequence[Problem]:
    saved = await settings_store.find(connection, manifest.code)
    values = await moving.next_settings(connection, saved, manifest) if saved else None
    return list(_unfit(manifest, values)) if values is not None else ()


def _unfit(manifest: Manifest, values: dict[str, Json]) -> Iterator[Problem]:
    for fault in settings.faults(values, manifest.settings):
        yield Problem(Reason.SETTINGS_UNFIT, fault.field or "/", found=fault.description)
