"""What a manifest says, once it was checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from millwright_runtime.json import Json, JsonObject

from millwright_modules.domain.versions import Range, Version


class Category(StrEnum):
    """What a module is for."""

    CORE = "core"
    FEATURE = "feature"
    INDUSTRY = "industry"
    INTEGRATION = "integration"


@dataclass(frozen=True, slots=True)
class SettingsStep:
    """One step of a migration of settings: rename a key, remove it, or set it."""

    op: str
    key: str
    to: str = ""
    value: Json = None


@dataclass(frozen=True, slots=True)
class SettingsMigration:
    """What is done to settings that were saved under a version below this one."""

    below: Version
    steps: Sequence[SettingsStep]


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings that a module has."""

    schema: JsonObject
    defaults: JsonObject
    migrations: Sequence[SettingsMigration]
    """The lowest `below` first."""


@dataclass(frozen=True, slots=True)
class Frontend:
    """The page that a module brings: a source that is built, or a file that was built before."""

    entry: str
    externals: Sequence[str]
    is_prebuilt: bool


@dataclass(frozen=True, slots=True)
class Route:
    """A path of the module's page, and the RPC that answers it."""

    path: str
    method: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """A module's own description."""

    code: str
    version: Version
    titles: Mapping[str, str]
    category: Category
    publisher: str
    platform: Range
    dependencies: Mapping[str, Range]
    permissions: Sequence[str]
    settings: Settings | None
    frontend: Frontend | None
    rulesets: Sequence[str]
    workflows: Sequence[str]
    routes: Sequence[Route]
