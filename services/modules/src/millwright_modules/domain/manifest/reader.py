"""Reading manifests: every problem at once, each with its JSON pointer."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib import resources
from typing import Any

import jsonschema_rs

from millwright_modules.domain import schemas
from millwright_modules.domain.manifest import source
from millwright_modules.domain.manifest.model import (
    Category,
    Frontend,
    Manifest,
    Route,
    Settings,
    SettingsMigration,
    SettingsStep,
)
from millwright_modules.domain.problem import Problem, Refused, shown
from millwright_modules.domain.versions import Range, Version
from millwright_modules.domain.words import Reason

EXTERNALS = ("react", "react/jsx-runtime", "react-dom", "react-dom/client", "@millwright/sdk")
"""What the page that loads modules brings: a module may leave these out of what is built."""

_SCHEMA = json.loads((resources.files(__package__) / "module-1.schema.json").read_text("utf-8"))
_RULES = jsonschema_rs.validator_for(_SCHEMA, offline=True)
_KEPT_PROBLEMS = 50


def read(content: bytes) -> Manifest:
    """Read `module.json`; raise Refused with all that is wrong with it."""
    value = source.read(content)
    problems = list(_of_schema(value))
    if not problems and isinstance(value, dict):
        problems = list(_of_meaning(value))
    if problems or not isinstance(value, dict):
        raise Refused(problems[:_KEPT_PROBLEMS])
    return _manifest(value)


@lru_cache(maxsize=512)
def read_kept(text: str) -> Manifest:
    """Read the manifest of a version, which was checked when it came and never changes; the latest are remembered.

    Nobody may change what is given.
    """
    return read(text.encode())


def _of_schema(value: Any) -> Iterator[Problem]:
    for error in _RULES.iter_errors(value):
        is_unknown = type(error.kind).__name__.endswith(("AdditionalProperties", "UnevaluatedProperties"))
        reason = Reason.UNKNOWN_KEY if is_unknown else Reason.MANIFEST_INVALID
        yield Problem(reason, shown(schemas.pointer(error.instance_path)), found=shown(error.message))


def _of_meaning(value: Mapping[str, Any]) -> Iterator[Problem]:
    yield from _of_versions(value)
    if value["code"] in value.get("dependencies", {}):
        yield Problem(Reason.DEPENDENCY_CYCLE, value["code"], found=f"{value['code']} → {value['code']}")
    for place, external in enumerate(value.get("frontend", {}).get("externals", [])):
        if external not in EXTERNALS:
            pointer = f"/frontend/externals/{place}"
            yield Problem(Reason.UNKNOWN_EXTERNAL, pointer, ", ".join(EXTERNALS), shown(external))
    yield from _of_settings(value.get("settings", {}))


def _of_versions(value: Mapping[str, Any]) -> Iterator[Problem]:
    versions = {"/version": value["version"]}
    for place, migration in enumerate(value.get("settings", {}).get("migrations", [])):
        versions[f"/settings/migrations/{place}/below"] = migration["below"]
    for pointer, text in versions.items():
        try:
            Version.parse(text)
        except ValueError:
            yield Problem(Reason.INVALID_VERSION, pointer, "1.2.0", shown(text))
    ranges = {"/platform": value["platform"]}
    ranges |= {f"/dependencies/{code}": text for code, text in value.get("dependencies", {}).items()}
    for pointer, text in ranges.items():
        try:
            Range.parse(text)
        except ValueError:
            yield Problem(Reason.INVALID_RANGE, pointer, "^1.2.0", shown(text))


def _of_settings(settings: Mapping[str, Any]) -> Iterator[Problem]:
    if not settings:
        return
    try:
        rules = schemas.Rules(settings["schema"], "/settings/schema")
    except Refused as refused:
        yield from refused.problems
        return
    for fault in rules.faults(settings.get("defaults", {})):
        place = shown(f"/settings/defaults{fault.pointer}")
        yield Problem(Reason.INVALID_DEFAULTS, place, found=shown(fault.text))


def _manifest(value: Mapping[str, Any]) -> Manifest:
    backend = value.get("backend", {})
    return Manifest(
        code=value["code"],
        version=Version.parse(value["version"]),
        titles=value["titles"],
        category=Category(value["category"]),
        publisher=value["publisher"],
        platform=Range.parse(value["platform"]),
        dependencies={code: Range.parse(text) for code, text in value.get("dependencies", {}).items()},
        permissions=tuple(value.get("permissions", ())),
        settings=_settings(value["settings"]) if "settings" in value else None,
        frontend=_frontend(value["frontend"]) if "frontend" in value else None,
        rulesets=tuple(backend.get("rulesets", ())),
        workflows=tuple(backend.get("workflows", ())),
        routes=tuple(Route(**route) for route in backend.get("routes", ())),
    )


def _settings(value: Mapping[str, Any]) -> Settings:
    migrations = [
        SettingsMigration(Version.parse(one["below"]), tuple(SettingsStep(**step) for step in one["operations"]))
        for one in value.get("migrations", ())
    ]
    migrations.sort(key=lambda migration: migration.below)
    return Settings(value["schema"], value.get("defaults", {}), tuple(migrations))


def _frontend(value: Mapping[str, Any]) -> Frontend:
    is_prebuilt = "prebuilt" in value
    entry = value["prebuilt"] if is_prebuilt else value["entry"]
    return Frontend(entry, tuple(value.get("externals", EXTERNALS)), is_prebuilt)
