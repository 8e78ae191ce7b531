"""What the workflow service adds to the settings that every service has."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from millwright_runtime.api.peers import CallingSettings
from pydantic import AfterValidator, Field
from pydantic_settings import SettingsConfigDict

from millwright_workflow.engine.calls.network import parse_networks


def _networks(text: str) -> str:
    parse_networks(text)
    return text


class WorkflowSettings(CallingSettings):
    """Read from MILLWRIGHT_WORKFLOW_*."""

    model_config = SettingsConfigDict(env_prefix="MILLWRIGHT_WORKFLOW_")

    max_instances: Annotated[int, Field(ge=1)] = 10_000
    """How many instances one process runs at once."""
    instance_retention_days: Annotated[int, Field(ge=1)] = 30
    """How long an instance is kept after its end, with its checkpoints, its events and what was asked for it."""
    sandbox_processes: Annotated[int, Field(ge=1, le=64)] = 2
    """How many child processes evaluate expressions and validate data where that is not provably cheap."""
    call_seconds: Annotated[float, Field(gt=0, le=3600)] = 30.0
    """How long one call of a workflow to another system may take, redirections included."""
    denied_networks: Annotated[str, AfterValidator(_networks)] = (
        "169.254.0.0/16,fe80::/10,fd00:ec2::/32,fd20:ce::/32,100.100.100.200/32"
    )
    """Networks that workflows may not call, with commas: by default where clouds keep the credentials of machines."""
    http_circuits: bool = False
    """Whether a host that keeps failing is left alone for a while by all of a tenant's workflows."""
    judgment_endpoint: str | None = None
    """Where the judgment service listens, for `call: judge` and `rollback-ruleset`. Unset: it cannot be called."""
    etl_endpoint: str | None = None
    """Where the etl service listens, for `call: run-pipeline` and `query-production`. Unset: it cannot be called."""
    modules_endpoint: str | None = None
    """Where the modules service listens, for `call: install-module`. Unset: it cannot be called."""
    documents_directory: Path | None = None
    """Where `file:` URIs of workflows may lead, for every tenant. Unset: nowhere."""
    secrets_directory: Path | None = None
    """Where secrets are files: the directory of a tenant holds one file a secret. Unset: there are none."""
    secrets_prefix: str = ""
    """What variables that are secrets begin with: `<prefix>TENANT__NAME`. Empty: none are."""
    event_keep_seconds: Annotated[int, Field(ge=0, le=86_400)] = 0
    """How long an event is kept for those who begin to listen after it has come; 0 keeps none."""
