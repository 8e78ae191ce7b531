"""What the judgment service adds to the settings that every service has: nothing yet."""

from __future__ import annotations

from millwright_runtime.settings import ServiceSettings
from pydantic_settings import SettingsConfigDict


class JudgmentSettings(ServiceSettings):
    """Read from MILLWRIGHT_JUDGMENT_*."""

    model_config = SettingsConfigDict(env_prefix="MILLWRIGHT_JUDGMENT_")
