"""Modules: which version is live, and every move of that pointer. A move gives the module and the row to write."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from millwright_modules.domain.errors import GenerationMismatch, NoRollbackTarget, NotInstalled
from millwright_modules.domain.names import module as module_name
from millwright_modules.domain.problem import Problem


class State(StrEnum):
    """Where a module stands."""

    INSTALLING = "INSTALLING"
    ENABLED = "ENABLED"
    DISABLED = "DISABLED"
    UNINSTALLED = "UNINSTALLED"


class MoveKind(StrEnum):
    """What was done to what is live."""

    INSTALL = "INSTALL"
    UPGRADE = "UPGRADE"
    ROLLBACK = "ROLLBACK"
    ENABLE = "ENABLE"
    DISABLE = "DISABLE"
    UNINSTALL = "UNINSTALL"


@dataclass(frozen=True, slots=True)
class Module:
    """A module's row."""

    code: str
    titles: Mapping[str, str]
    category: str
    publisher: str
    state: State
    active_version: str
    """Live, or the last that was; empty before there was one."""
    generation: int
    operation: uuid.UUID | None
    create_time: datetime
    update_time: datetime

    @property
    def is_installed(self) -> bool:
        """Tell whether a version is installed, served or not."""
        return self.state in {State.ENABLED, State.DISABLED}

    @property
    def live_version(self) -> str:
        """Give the version that is installed; empty for none."""
        return self.active_version if self.is_installed else ""


@dataclass(frozen=True, slots=True)
class Asset:
    """A file that browsers load."""

    path: str
    digest: bytes
    size_bytes: int
    media_type: str


@dataclass(frozen=True, slots=True)
class ModuleVersion:
    """A version's row: it never changes."""

    code: str
    version: str
    package_digest: bytes
    package_bytes: int
    manifest: str
    entry: str
    """The asset that is the frontend's entry; empty without a frontend."""
    signer: str
    warnings: Sequence[Problem]
    create_time: datetime


@dataclass(frozen=True, slots=True)
class Move:
    """A row of the history, to be written."""

    code: str
    generation: int
    kind: MoveKind
    from_version: str
    to_version: str
    actor: str
    reason: str
    is_automatic: bool = False
    operation: uuid.UUID | None = None


@dataclass(frozen=True, slots=True)
class Activation:
    """A row of the history, as it was written."""

    move: Move
    create_time: datetime


@dataclass(frozen=True, slots=True)
class Actor:
    """Who moves a pointer, and why."""

    name: str
    reason: str
    is_automatic: bool = False
    operation: uuid.UUID | None = None


def check_generation(module: Module, expected: int | None) -> None:
    """Raise GenerationMismatch unless the module is as the caller has seen it."""
    if expected is not None and expected != module.generation:
        raise GenerationMismatch(
            module=module_name(module.code), generation=module.generation, expected_generation=expected
        )


def check_installed(module: Module) -> None:
    """Raise NotInstalled unless a version is installed."""
    if not module.is_installed:
        raise NotInstalled(module=module_name(module.code))


def go_live(module: Module, version: str, actor: Actor) -> tuple[Module, Move]:
    """Make a version live, whatever was live before."""
    kind = MoveKind.UPGRADE if module.is_installed else MoveKind.INSTALL
    return _moved(module, kind, State.ENABLED, version, actor)


def roll_back(module: Module, version: str, actor: Actor) -> tuple[Module, Move | None]:
    """Make an earlier version live again; nothing to write if it is live and served."""
    if module.state is State.ENABLED and module.active_version == version:
        return module, None
    return _moved(module, MoveKind.ROLLBACK, State.ENABLED, version, actor)


def enable(module: Module, actor: Actor) -> tuple[Module, Move | None]:
    """Serve it again; nothing to write if it is."""
    check_installed(module)
    if module.state is State.ENABLED:
        return module, None
    return _moved(module, MoveKind.ENABLE, State.ENABLED, module.active_version, actor)


def disable(module: Module, actor: Actor) -> tuple[Module, Move | None]:
    """Serve it to nobody; nothing to write if it is not served."""
    check_installed(module)
    if module.state is State.DISABLED:
        return module, None
    return _moved(module, MoveKind.DISABLE, State.DISABLED, module.active_version, actor)


def uninstall(module: Module, actor: Actor) -> tuple[Module, Move]:
    """Take it out. The version that was live is remembered, for a rollback that brings it back."""
    check_installed(module)
    return _moved(module, MoveKind.UNINSTALL, State.UNINSTALLED, "", actor)


def rollback_target(module: Module, history: Sequence[Move], kept: Sequence[str]) -> str:
    """Give the version that was live before the one that is, by a history that is newest first.

    Where rollbacks were made already, it goes further back: a version that was left by a rollback is no target, nor is
    one that is not kept. Of what is uninstalled, it is the version that was live last. Raises NoRollbackTarget.
    """
    left = {move.from_version for move in history if move.kind is MoveKind.ROLLBACK}
    passed = {module.live_version, *left}
    for move in history:
        if move.from_version and move.from_version in kept and move.from_version not in passed:
            return move.from_version
    raise NoRollbackTarget(module=module_name(module.code))


def _moved(module: Module, kind: MoveKind, state: State, version: str, actor: Actor) -> tuple[Module, Move]:
    move = Move(
        code=module.code,
        generation=module.generation + 1,
        kind=kind,
        from_version=module.live_version,
        to_version=version,
        actor=actor.name,
        reason=actor.reason,
        is_automatic=actor.is_automatic,
        operation=actor.operation,
    )
    moved = replace(
        module, state=state, active_version=version or module.active_version, generation=module.generation + 1
    )
    return moved, move
