"""Settings of a module: they fit the live version's schema, and follow it from version to version."""

from __future__ import annotations

from collections.abc import Sequence

from millwright_runtime.errors import Violation
from millwright_runtime.json import JsonObject

from millwright_modules.domain.manifest.model import Settings
from millwright_modules.domain.schemas import Rules
from millwright_modules.domain.versions import Version


def faults(values: JsonObject, settings: Settings | None) -> Sequence[Violation]:
    """Give what in `values` does not fit the settings that a version has, each with its JSON pointer."""
    rules = Rules(settings.schema if settings else {"additionalProperties": False})
    return [Violation(fault.pointer, "INVALID_SETTING", fault.text) for fault in rules.faults(values)]


def migrate(values: JsonObject, saved_under: Version, settings: Settings) -> JsonObject:
    """Give settings that were saved under an earlier version as those of this one: steps in order, then defaults.

    A key that a step renames or removes may be absent. Nothing is done to settings of this version or a later one.
    """
    migrated = dict(values)
    for migration in settings.migrations:
        if saved_under < migration.below:
            for step in migration.steps:
                match step.op:
                    case "rename":
                        if step.key in migrated:
                            migrated[step.to] = migrated.pop(step.key)
                    case "remove":
                        migrated.pop(step.key, None)
                    case _:
                        migrated[step.key] = step.value
    return {**settings.defaults, **migrated}
