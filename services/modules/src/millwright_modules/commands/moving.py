"""Moving the pointer of what is live, in one transaction with settings, history and event.

No code of a module is loaded for it.

Every function locks the modules of the tenant, so that what depends on what is decided on one state.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from millwright_runtime.events.log import EventLog
from millwright_runtime.json import JsonObject
from millwright_runtime.postgres.database import Connection

from millwright_modules.commands import planning
from millwright_modules.domain import module as domain
from millwright_modules.domain import names, resolution, settings
from millwright_modules.domain.errors import DependencyMissing, Dependents, ModuleNotFound, PlanOutdated
from millwright_modules.domain.manifest import reader
from millwright_modules.domain.manifest.model import Manifest
from millwright_modules.domain.module import Activation, Actor, Module, Move, MoveKind
from millwright_modules.domain.problem import Problem
from millwright_modules.domain.resolution import Modules
from millwright_modules.domain.versions import Version
from millwright_modules.store import events, modules, versions
from millwright_modules.store import settings as settings_store
from millwright_modules.store.settings import Saved

_HISTORY_LOOKED_AT = 1000
_PAST_ALL_GENERATIONS = 2**63 - 1


class Moved(NamedTuple):
    """A module as it is now, and the row in its history; None if nothing changed."""

    module: Module
    activation: Activation | None


class Ground(NamedTuple):
    """What a move is decided on, locked."""

    module: Module
    landscape: Modules


async def ground(connection: Connection, code: str) -> Ground:
    """Lock the tenant's modules; raise ModuleNotFound."""
    found = await modules.lock_all(connection)
    module = next((module for module in found if module.code == code), None)
    if module is None:
        raise ModuleNotFound(module=names.module(code))
    return Ground(module, await planning.landscape(connection, found))


async def go_live(
    connection: Connection, log: EventLog, tenant: str, module: Module, manifest: Manifest, actor: Actor
) -> Moved:
    """Make a version live; what stands in its way is the caller's to know, and so are the locks."""
    moved, move = domain.go_live(module, str(manifest.version), actor)
    return await _write(connection, log, tenant, moved, move, manifest)


async def roll_back(
    connection: Connection, log: EventLog, tenant: str, code: str, version: str, expected: int | None, actor: Actor
) -> Moved:
    """Make an earlier version live again, the one before if none is named, with the settings that held then.

    Raises ModuleNotFound, VersionNotFound, NoRollbackTarget, GenerationMismatch, Dependents.
    """
    module, landscape = await ground(connection, code)
    domain.check_generation(module, expected)
    target = version or await rollback_target(connection, module)
    kept = await versions.get(connection, code, target)
    manifest = reader.read_kept(kept.manifest)
    plan = resolution.plan_rollback(planning.candidate(manifest, kept.signer), landscape)
    _check_dependents(code, [problem.path for problem in plan.problems])
    return await _moved(connection, log, tenant, domain.roll_back(module, target, actor), manifest)


async def next_settings(connection: Connection, saved: Saved, manifest: Manifest) -> JsonObject | None:
    """Give the settings that a version is to have once it is live: an earlier one its own, a later one migrated ones.

    Nothing is migrated backwards: an earlier version that had none has its defaults. None for a version that has no
    settings and never had: what is saved then waits for one that has.
    """
    before = Version.parse(saved.version)
    if manifest.version < before:
        kept = await settings_store.find_kept(connection, manifest.code, str(manifest.version))
        if kept is not None:
            return kept
        return dict(manifest.settings.defaults) if manifest.settings else None
    return settings.migrate(saved.values, before, manifest.settings) if manifest.settings else None


async def rollback_target(connection: Connection, module: Module) -> str:
    """Give the version that a rollback without a target goes back to; raise NoRollbackTarget."""
    history = await modules.history(connection, module.code, _PAST_ALL_GENERATIONS, _HISTORY_LOOKED_AT)
    moves = [activation.move for activation in history]
    return domain.rollback_target(module, moves, await versions.kept(connection, module.code))


async def enable(
    connection: Connection, log: EventLog, tenant: str, code: str, expected: int | None, actor: Actor
) -> Moved:
    """Serve a module again; raise ModuleNotFound, NotInstalled, GenerationMismatch, DependencyMissing."""
    module, landscape = await ground(connection, code)
    domain.check_generation(module, expected)
    decided = domain.enable(module, actor)
    if decided[1] is not None:
        _check_dependencies(module, landscape)
    return await _moved(connection, log, tenant, decided)


async def disable(
    connection: Connection, log: EventLog, tenant: str, code: str, expected: int | None, actor: Actor
) -> Moved:
    """Serve a module to nobody; raise ModuleNotFound, NotInstalled, GenerationMismatch, Dependents."""
    module, landscape = await ground(connection, code)
    domain.check_generation(module, expected)
    decided = domain.disable(module, actor)
    if decided[1] is not None:
        _check_dependents(code, resolution.dependents(code, landscape))
    return await _moved(connection, log, tenant, decided)


async def uninstall(
    connection: Connection,
    log: EventLog,
    tenant: str,
    code: str,
    token: str,
    expected: int | None,
    actor: Actor,
    *,
    purge: bool,
) -> Sequence[Module]:
    """Take a module out, and with a plan's token those that need it; give it first, then those.

    Raises ModuleNotFound, NotInstalled, GenerationMismatch, Dependents, PlanOutdated.
    """
    module, landscape = await ground(connection, code)
    domain.check_generation(module, expected)
    domain.check_installed(module)
    plan = resolution.plan_uninstall(code, landscape)
    if token and token != plan.token:
        raise PlanOutdated
    if not token:
        _check_dependents(code, [step.code for step in plan.steps if step.code != code])
    gone = []
    for step in plan.steps:
        moved, move = domain.uninstall(await modules.get(connection, step.code), actor)
        left = (await _write(connection, log, tenant, moved, move)).module
        if purge:
            await settings_store.purge(connection, step.code)
            await versions.remove(connection, step.code, await versions.kept(connection, step.code))
        gone.append(left)
    return gone[::-1]


async def undo(connection: Connection, log: EventLog, tenant: str, before: Ground, actor: Actor) -> Sequence[Problem]:
    """Take the last move back that made a version live: what was before it is again, disabled if it was.

    A module that had no version before goes out. That others need by now what goes does not stop it, for it is sick;
    give a warning for each that is left without.
    """
    module, landscape = before
    last, *earlier = await modules.history(connection, module.code, module.generation + 1, 2)
    if not last.move.from_version:
        await _moved(connection, log, tenant, domain.uninstall(module, actor))
        return resolution.left_without(module.code, None, landscape)
    kept = await versions.get(connection, module.code, last.move.from_version)
    manifest = reader.read_kept(kept.manifest)
    back = await _moved(connection, log, tenant, domain.roll_back(module, kept.version, actor), manifest)
    if earlier[0].move.kind is not MoveKind.DISABLE:
        return resolution.left_without(module.code, manifest.version, landscape)
    await _moved(connection, log, tenant, domain.disable(back.module, actor))
    return resolution.left_without(module.code, None, landscape)


def _check_dependents(code: str, dependents: Sequence[str]) -> None:
    if dependents:
        raise Dependents(module=names.module(code), dependents=", ".join(map(names.module, dependents)))


def _check_dependencies(module: Module, landscape: Modules) -> None:
    own = landscape[module.code]
    missing = [
        f"{needed} {wanted.text}"
        for needed, wanted in sorted(own.dependencies.items())
        if (found := landscape.get(needed)) is None or not found.is_enabled or found.version not in wanted
    ]
    if missing:
        raise DependencyMissing(module=names.module(module.code), dependencies=", ".join(missing))


async def _moved(
    connection: Connection,
    log: EventLog,
    tenant: str,
    decided: tuple[Module, Move | None],
    manifest: Manifest | None = None,
) -> Moved:
    module, move = decided
    if move is None:
        return Moved(module, None)
    return await _write(connection, log, tenant, module, move, manifest)


async def _write(
    connection: Connection, log: EventLog, tenant: str, module: Module, move: Move, manifest: Manifest | None = None
) -> Moved:
    if manifest is not None:
        await _move_settings(connection, tenant, move, manifest)
    written, activation = await modules.write_move(connection, tenant, module, move, manifest)
    await log.append(connection, [events.of_activation(tenant, activation)])
    return Moved(written, activation)


async def _move_settings(connection: Connection, tenant: str, move: Move, manifest: Manifest) -> None:
    """Keep the settings of the version that is left, and give the next one its own, which fit it.

    An install whose settings would not fit was refused before; of what goes live in any other way, those that it had or
    its defaults hold.
    """
    saved = await settings_store.find(connection, move.code)
    if saved is None:
        return
    await settings_store.keep(connection, tenant, move.code, saved)
    values = await next_settings(connection, saved, manifest)
    if values is not None and manifest.settings and settings.faults(values, manifest.settings):
        kept = await settings_store.find_kept(connection, move.code, move.to_version)
        is_fit = kept is not None and not settings.faults(kept, manifest.settings)
        values = kept if is_fit else dict(manifest.settings.defaults)
    if values is not None:
        await settings_store.save(connection, tenant, move.code, values, move.to_version, saved.updater)
