"""What the judgment service adds to the settings that every service has."""

from __future__ import annotations

from typing import Annotated

from millwright_runtime.settings import ServiceSettings
from pydantic import Field
from pydantic_settings import SettingsConfigDict


class JudgmentSettings(ServiceSettings):
    """Read from MILLWRIGHT_JUDGMENT_*."""

    model_config = SettingsConfigDict(env_prefix="MILLWRIGHT_JUDGMENT_")

    waiting_executions: Annotated[int, Field(ge=1_000)] = 50_000
    """How many judgments of one process may wait to be stored; past that, callers are told to come again."""
    execution_retention_days: Annotated[int, Field(ge=1)] = 730
    """How long judgments are kept."""
    replay_page_executions: Annotated[int, Field(ge=1, le=32_768)] = 32_768
    """How many executions a replay judges again at once; what is done is kept after each such page."""
