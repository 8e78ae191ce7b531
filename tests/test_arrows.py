"""What `make lint` keeps the domains from is all of the runtime but what is pure."""

from __future__ import annotations

import pkgutil
import tomllib
from pathlib import Path

import millwright_runtime

PROJECT = Path(__file__).parents[1] / "pyproject.toml"
PURE = {"errors", "json", "names", "transitions"}


def test_a_domain_may_import_of_the_runtime_what_is_pure_and_nothing_else():
    contracts = tomllib.loads(PROJECT.read_text())["tool"]["importlinter"]["contracts"]
    (contract,) = (each for each in contracts if each["name"].startswith("The domain does no I/O"))
    there_are = {f"millwright_runtime.{module.name}" for module in pkgutil.iter_modules(millwright_runtime.__path__)}
    assert there_are - set(contract["forbidden_modules"]) == {f"millwright_runtime.{name}" for name in PURE}
