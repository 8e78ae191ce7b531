"""The page on operations names every setting, with the default that it has."""

from __future__ import annotations

import re
from pathlib import Path

from millwright_workflow.settings import WorkflowSettings
from pydantic import SecretStr
from pydantic.fields import FieldInfo

PAGE = Path(__file__).parents[4] / "docs" / "operations.md"
SAYS_OTHERWISE = {"MIGRATION_DATABASE_URL": "`DATABASE_URL`", "TENANT_LIMIT": "`{}`"}


def documented() -> dict[str, str]:
    """Give the default of each setting as the page has it."""
    table = re.search(r"\| setting \| default \|.*?\n\|[-|]+\n((?:\|.*\n)+)", PAGE.read_text())
    assert table
    return dict(re.findall(r"^\| `([A-Z_]+)` \| (.+?) \|", table[1], re.MULTILINE))


def default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.default
    if value is None:
        return "unset"
    if value == "":
        return "empty"
    return f"`{value.get_secret_value() if isinstance(value, SecretStr) else value}`"


def test_the_settings_table_is_the_settings_class():
    settings = {name.upper(): default(field) for name, field in WorkflowSettings.model_fields.items()}

    assert documented() == {**settings, **SAYS_OTHERWISE}


def test_the_page_names_the_prefix():
    assert f"`{WorkflowSettings.model_config.get('env_prefix')}`" in PAGE.read_text()
