"""What a process of each service may need at most, by its settings: what a deployment's limits must leave room for."""

from importlib import import_module
from typing import Any

from millwright_judgment.domain.datasets.dataset import MOST_BYTES
from millwright_judgment.engine.datasets import reading, receiving
from millwright_modules.archive.limits import Limits as ArchiveLimits
from millwright_modules.confinement.process import Limits as BuildLimits
from millwright_workflow.engine.calls import protos
from millwright_workflow.engine.sandbox.pool import Limits as SandboxLimits

MIB = 1 << 20
PROCESS_BYTES = 512 * MIB
"""Twice as much as the largest one in docs/soak.md and docs/benchmarks.md, and some."""
DRAIN_STEPS = 3
CLOSING_SECONDS = 10


def settings_class(service: str) -> Any:
    """Give the settings of a service, by their class."""
    return getattr(import_module(f"millwright_{service}.settings"), f"{service.title()}Settings")


def setting(service: str, given: dict[str, str], name: str) -> float:
    """Give the number that a setting comes to; `given` are settings by their full names in the environment."""
    return float(given.get(f"MILLWRIGHT_{service}_{name}".upper(), settings_class(service).model_fields[name].default))


def memory_bytes(service: str, given: dict[str, str]) -> float:
    """Give what the process and its children may use, without what lies in files."""
    match service:
        case "workflow":
            sandbox = setting(service, given, "sandbox_processes") * SandboxLimits().memory_bytes
            return PROCESS_BYTES + sandbox + protos._PROCESSES * protos._MEMORY_BYTES
        case "judgment":
            return PROCESS_BYTES + reading.MEMORY_BYTES
        case "modules":
            return PROCESS_BYTES + setting(service, given, "operations_at_once") * BuildLimits().memory_bytes
        case _:
            return PROCESS_BYTES


def scratch_bytes(service: str, given: dict[str, str]) -> float:
    """Give what may lie in `/tmp` at once."""
    match service:
        case "workflow":
            return protos._PROCESSES * 2 * protos._OUTPUT_BYTES
        case "judgment":
            return receiving._UPLOADS * MOST_BYTES + reading._WRITTEN_BYTES
        case "modules":
            package = ArchiveLimits().archive_bytes + ArchiveLimits().unpacked_bytes
            return (
                setting(service, given, "cache_megabytes") * MIB
                + setting(service, given, "operations_at_once") * package
            )
        case _:
            return 0


def drain_seconds(service: str, given: dict[str, str]) -> float:
    """Give how long a drain may take: docs/operations.md says 70 s of the default."""
    return DRAIN_STEPS * setting(service, given, "drain_seconds") + CLOSING_SECONDS
