"""The page on operations names every setting that the judgment service adds, with the default that it has."""

from __future__ import annotations

import re
from pathlib import Path

from millwright_judgment.settings import JudgmentSettings
from millwright_runtime.settings import ServiceSettings

PAGE = (Path(__file__).parents[4] / "docs" / "operations.md").read_text()
OWN = JudgmentSettings.model_fields.keys() - ServiceSettings.model_fields.keys()


def section() -> str:
    """Give the table below the service's prefix."""
    prefix = JudgmentSettings.model_config.get("env_prefix")
    found = re.search(rf"`{prefix}`[^|]*\| setting \| default \|.*?\n\|[-|]+\n((?:\|.*\n)+)", PAGE)
    assert found
    return found[1]


def test_the_settings_table_is_the_settings_class():
    documented = dict(re.findall(r"^\| `([A-Z_]+)` \| `(.+?)` \|", section(), re.MULTILINE))
    assert documented == {name.upper(): str(JudgmentSettings.model_fields[name].default) for name in OWN}


def test_every_row_says_what_its_setting_means():
    rows = [line.split("|") for line in section().splitlines()]
    assert len(rows) == len(OWN)
    assert all(len(row[3].strip()) > 20 for row in rows)
