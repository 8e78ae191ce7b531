"""Resource names, as callers write them and as they are taken apart."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass

from millwright_runtime.errors import InvalidFields, Violation

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_WORKFLOW = rf"workflows/({_LABEL}\.{_LABEL})"
_FORMS = {
    "workflow": "workflows/{namespace}.{name}",
    "version": "workflows/{namespace}.{name}/versions/{number}",
    "channel": "workflows/{namespace}.{name}/channels/{channel}",
    "instance": "instances/{uuid}",
    "run_job": "runJobs/{uuid}",
    "approval": "approvals/{uuid}",
}
_PATTERNS = {
    "workflow": re.compile(_WORKFLOW),
    "version": re.compile(rf"{_WORKFLOW}/versions/([1-9][0-9]{{0,8}})"),
    "channel": re.compile(rf"{_WORKFLOW}/channels/({_LABEL})"),
    "run_job": re.compile(r"runJobs/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"),
    "instance": re.compile(rf"instances/({_UUID})"),
    "approval": re.compile(rf"approvals/({_UUID})"),
}


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
    return uuid.UUID(_parse("approval", name, field)[0])


def run_job(run_job: uuid.UUID) -> str:
    """Give the resource name of a run job."""
    return f"runJobs/{run_job}"


def parse_run_job(name: str, field: str) -> uuid.UUID:
    """Give the id in a run job's name; raise InvalidFields for `field` if it is malformed."""
    return uuid.UUID(_parse("run_job", name, field)[0])


def parse_workflow(name: str, field: str) -> str:
    """Give the id in a workflow's name; raise InvalidFields for `field` if it is malformed."""
    return _parse("workflow", name, field)[0]


@dataclass(frozen=True, slots=True)
class VersionName:
    """A version's name, taken apart."""

    workflow: str
    number: int


def parse_version(name: str, field: str) -> VersionName:
    """Take a version's name apart; raise InvalidFields for `field` if it is malformed."""
    workflow, number = _parse("version", name, field)
    return VersionName(workflow, int(number))


@dataclass(frozen=True, slots=True)
class ChannelName:
    """A channel's name, taken apart."""

    workflow: str
    channel: str


def parse_channel(name: str, field: str) -> ChannelName:
    """Take a channel's name apart; raise InvalidFields for `field` if it is malformed."""
    return ChannelName(*_parse("channel", name, field))


def is_label(text: str) -> bool:
    """Tell whether a text is 1 to 63 of a-z, 0-9 and inner dashes, as channels and queues are named."""
    return re.fullmatch(_LABEL, text) is not None


def parse_channel_id(channel: str, field: str) -> str:
    """Give a channel's id as it is; raise InvalidFields for `field` if it is malformed."""
    if not is_label(channel):
        raise InvalidFields([Violation(field, "MALFORMED_NAME", "must be 1 to 63 of a-z, 0-9 and inner dashes")])
    return channel


def parse_instance(name: str, field: str) -> uuid.UUID:
    """Give the id in an instance's name; raise InvalidFields for `field` if it is malformed."""
    return uuid.UUID(_parse("instance", name, field)[0])


def _parse(kind: str, name: str, field: str) -> tuple[str, ...]:
    match = _PATTERNS[kind].fullmatch(name)
    if match is None:
        raise InvalidFields([Violation(field, "MALFORMED_NAME", f"must have the form {_FORMS[kind]}")])
    return match.groups()
