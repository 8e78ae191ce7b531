"""Resource names, as callers write them and as they are taken apart."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from millwright_runtime.names import NameForm

_WORKFLOW = NameForm("workflows/{namespace}.{name}")
_VERSION = NameForm("workflows/{namespace}.{name}/versions/{number}")
_CHANNEL = NameForm("workflows/{namespace}.{name}/channels/{channel}")
_INSTANCE = NameForm("instances/{uuid}")
_RUN_JOB = NameForm("runJobs/{uuid}")
_APPROVAL = NameForm("approvals/{uuid}")


def workflow(workflow: str) -> str:
    """Give the resource name of a workflow by its id, `namespace.name`."""
    return f"workflows/{workflow}"


def version(workflow: str, number: int) -> str:
    """Give the resource name of a version."""
    return f"workflows/{workflow}/versions/{number}"


def channel(workflow: str, channel: str) -> str:
    """Give the resource name of a channel."""
    return f"workflows/{workflow}/channels/{channel}"


def release(workflow: str, revision: int) -> str:
    """Give the resource name of a row of the release log."""
    return f"workflows/{workflow}/releases/{revision}"


def instance(instance: uuid.UUID) -> str:
    """Give the resource name of an instance."""
    return f"instances/{instance}"


def approval(approval: uuid.UUID) -> str:
    """Give the resource name of an approval."""
    return f"approvals/{approval}"


def parse_approval(name: str, field: str) -> uuid.UUID:
    """Give the id in an approval's name; raise InvalidFields for `field` if it is malformed."""
    return _APPROVAL.parse_uuid(name, field)


def run_job(run_job: uuid.UUID) -> str:
    """Give the resource name of a run job."""
    return f"runJobs/{run_job}"


def parse_run_job(name: str, field: str) -> uuid.UUID:
    """Give the id in a run job's name; raise InvalidFields for `field` if it is malformed."""
    return _RUN_JOB.parse_uuid(name, field)


def parse_workflow(name: str, field: str) -> str:
    """Give the id in a workflow's name; raise InvalidFields for `field` if it is malformed."""
    return _WORKFLOW.parse(name, field)[0]


@dataclass(frozen=True, slots=True)
class VersionName:
    """A version's name, taken apart."""

    workflow: str
    number: int


def parse_version(name: str, field: str) -> VersionName:
    """Take a version's name apart; raise InvalidFields for `field` if it is malformed."""
    workflow, number = _VERSION.parse(name, field)
    return VersionName(workflow, int(number))


@dataclass(frozen=True, slots=True)
class ChannelName:
    """A channel's name, taken apart."""

    workflow: str
    channel: str


def parse_channel(name: str, field: str) -> ChannelName:
    """Take a channel's name apart; raise InvalidFields for `field` if it is malformed."""
    return ChannelName(*_CHANNEL.parse(name, field))


def parse_instance(name: str, field: str) -> uuid.UUID:
    """Give the id in an instance's name; raise InvalidFields for `field` if it is malformed."""
    return _INSTANCE.parse_uuid(name, field)
