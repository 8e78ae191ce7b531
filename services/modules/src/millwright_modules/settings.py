"""What the modules service adds to the settings that every service has."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Annotated, Literal

from millwright_runtime.api.peers import CallingSettings
from pydantic import Field, model_validator
from pydantic_settings import SettingsConfigDict

from millwright_modules.blobs.s3 import Bucket


class ModulesSettings(CallingSettings):
    """Read from MILLWRIGHT_MODULES_*."""

    model_config = SettingsConfigDict(env_prefix="MILLWRIGHT_MODULES_")

    work_directory: Path = Path(tempfile.gettempdir()) / f"millwright-modules-{os.getuid()}"
    """Where packages are unpacked and copies of artifacts are kept; each process has a directory of its own in it."""
    esbuild: Path | None = None
    """The binary that builds frontends. Unset: the one in the cache of the user. It must be the pinned one."""
    cache_megabytes: Annotated[int, Field(ge=256)] = 1024
    """How much of artifacts one process keeps as files. All of it is in the store of artifacts, too."""
    artifacts: Literal["postgres", "s3"] = "postgres"
    """Where packages and assets are stored. What lies elsewhere, where it can be reached, is moved there."""
    s3_bucket: str = ""
    """The bucket for them. Empty: none."""
    s3_prefix: str = ""
    """What the names of objects in it begin with."""
    s3_endpoint: Annotated[str | None, Field(pattern="^https?://")] = None
    """The server of the bucket. Unset: AWS, in its region."""
    s3_region: str = "us-east-1"
    """The region of the bucket."""
    s3_credentials: Path | None = None
    """A file in the form of `~/.aws/credentials`. Unset: as AWS_* variables or the machine's identity have them."""
    operations_at_once: Annotated[int, Field(ge=1, le=64)] = 2
    """How many operations one process works on at once; the others wait their turn."""
    upload_megabytes: Annotated[int, Field(ge=128)] = 2048
    """How much a tenant may have uploaded that no version is kept of. What is not touched for a day goes."""
    versions_kept: Annotated[int, Field(ge=2, le=100)] = 5
    """How many versions of a module are kept to roll back to, the live one among them."""
    operation_retention_days: Annotated[int, Field(ge=1)] = 90
    """How long operations are kept after their end."""
    judgment_endpoint: str | None = None
    """Where the judgment service listens, which checks the rulesets that modules bring. Unset: they are not checked."""
    workflow_endpoint: str | None = None
    """Where the workflow service listens, which checks the workflows that modules bring. Unset: they are not."""
    owner_seconds: Annotated[float, Field(gt=0, le=600)] = 30.0
    """How long an install waits for one of these services that is away."""

    @model_validator(mode="after")
    def _has_bucket(self) -> ModulesSettings:
        if self.artifacts == "s3" and not self.s3_bucket:
            message = "artifacts=s3 needs s3_bucket"
            raise ValueError(message)
        return self

    @property
    def bucket(self) -> Bucket | None:
        """Give the bucket, if there is one."""
        if not self.s3_bucket:
            return None
        return Bucket(self.s3_bucket, self.s3_prefix, self.s3_endpoint, self.s3_region, self.s3_credentials)
