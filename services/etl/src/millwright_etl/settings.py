"""What the etl service adds to the settings that every service has."""

from __future__ import annotations

from typing import Annotated

from millwright_runtime.settings import ServiceSettings
from pydantic import Field
from pydantic_settings import SettingsConfigDict


class EtlSettings(ServiceSettings):
    """Read from MILLWRIGHT_ETL_*."""

    model_config = SettingsConfigDict(env_prefix="MILLWRIGHT_ETL_")

    windows_at_once: Annotated[int, Field(ge=1, le=64)] = 2
    """How many windows one process works on at once; each takes a core of the database."""
    window_seconds: Annotated[float, Field(gt=0)] = 600.0
    """How long the statement of one window may take."""
    window_lease_seconds: Annotated[float, Field(ge=0.5, le=600)] = 10.0
    """How long after its worker has ended without a word a window is begun anew by another."""
    window_memory_megabytes: Annotated[int, Field(ge=4, le=65_536)] = 256
    """What one window may use in the database (`work_mem`) before it goes to disk."""
    run_retention_days: Annotated[int, Field(ge=1)] = 730
    """How long runs are kept after their end; the last one of each business day is kept for good."""
