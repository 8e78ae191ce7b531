"""What the workflow service adds to the settings that every service has."""

from __future__ import annotations

from typing import Annotated

from millwright_runtime.settings import ServiceSettings
from pydantic import Field
from pydantic_settings import SettingsConfigDict


class WorkflowSettings(ServiceSettings):
    """Read from MILLWRIGHT_WORKFLOW_*."""

    model_config = SettingsConfigDict(env_prefix="MILLWRIGHT_WORKFLOW_")

    max_instances: Annotated[int, Field(ge=1)] = 10_000
    """How many instances one process runs at once."""
    sandbox_processes: Annotated[int, Field(ge=1, le=64)] = 2
    """How many child processes evaluate expressions that are not provably cheap."""
