"""What the modules service adds to the settings that every service has."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Annotated

from millwright_runtime.settings import ServiceSettings
from pydantic import Field
from pydantic_settings import SettingsConfigDict


class ModulesSettings(ServiceSettings):
    """Read from MILLWRIGHT_MODULES_*."""

    model_config = SettingsConfigDict(env_prefix="MILLWRIGHT_MODULES_")

    work_directory: Path = Path(tempfile.gettempdir()) / f"millwright-modules-{os.getuid()}"
    """Where packages are unpacked and copies of artifacts are kept; each process has a directory of its own in it."""
    esbuild: Path | None = None
    """The binary that builds frontends. Unset: the one in the cache of the user. It must be the pinned one."""
    cache_megabytes: Annotated[int, Field(ge=256)] = 1024
    """How much of artifacts one process keeps as files. All of it is in Postgres, too."""
    operations_at_once: Annotated[int, Field(ge=1, le=64)] = 2
    """How many operations one process works on at once; the others wait their turn."""
    versions_kept: Annotated[int, Field(ge=2, le=100)] = 5
    """How many versions of a module are kept to roll back to, the live one among them."""
    operation_retention_days: Annotated[int, Field(ge=1)] = 90
    """How long operations are kept after their end."""
