"""What a change would do, decided on what is installed."""

from __future__ import annotations

from collections.abc import Sequence

from millwright_runtime.postgres.database import Connection

from millwright_modules.domain import resolution
from millwright_modules.domain.manifest import reader
from millwright_modules.domain.manifest.model import Manifest
from millwright_modules.domain.module import Module, ModuleVersion, State
from millwright_modules.domain.problem import Problem
from millwright_modules.domain.resolution import Candidate, Installed, Modules, Plan
from millwright_modules.domain.versions import Version
from millwright_modules.store import modules, versions


def candidate(manifest: Manifest, signer: str = "") -> Candidate:
    """Give what is to go live, as far as others depend on it."""
    return Candidate(manifest.code, manifest.version, manifest.platform, manifest.dependencies, signer)


async def landscape(connection: Connection, found: Sequence[Module] | None = None) -> Modules:
    """Give what is installed, by code; `found` if the caller has read, and perhaps locked, the modules."""
    rows = await modules.installed(connection) if found is None else found
    rows = [module for module in rows if module.is_installed]
    described = await versions.manifests(connection, [(module.code, module.active_version) for module in rows])
    return {module.code: _installed(module, *described[module.code]) for module in rows if module.code in described}


async def plan_rollback(connection: Connection, code: str, version: str) -> Plan:
    """Plan that an earlier version goes live again; raise VersionNotFound."""
    target = await versions.get(connection, code, version)
    manifest = reader.read_kept(target.manifest)
    return resolution.plan_rollback(candidate(manifest, target.signer), await landscape(connection))


async def unmet(connection: Connection, version: ModuleVersion) -> Sequence[Problem]:
    """Give what of an installed version's dependencies is not there, or not as it needs it."""
    needed = reader.read_kept(version.manifest).dependencies
    if not needed:
        return ()
    found = [module for module in await modules.installed(connection) if module.code in needed]
    return resolution.unmet(needed, await landscape(connection, found))


def _installed(module: Module, manifest_text: str, signer: str) -> Installed:
    manifest = reader.read_kept(manifest_text)
    return Installed(
        code=module.code,
        version=Version.parse(module.active_version),
        dependencies=manifest.dependencies,
        is_enabled=module.state is State.ENABLED,
        generation=module.generation,
        signer=signer,
    )
