"""Resource names, as callers write them and as they are taken apart."""

from __future__ import annotations

import uuid
from typing import NamedTuple

from millwright_runtime.names import NameForm

_RULESET = NameForm("rulesets/{namespace}.{name}")
_VERSION = NameForm("rulesets/{namespace}.{name}/versions/{number}")
_CHANNEL = NameForm("rulesets/{namespace}.{name}/channels/{channel}")
_DRAFT = NameForm("rulesets/{namespace}.{name}/drafts/{draft}")
_EXECUTION = NameForm("executions/{uuid}")
_REPLAY = NameForm("replays/{uuid}")
_DATASET = NameForm("datasets/{dataset}")
_EXPERIMENT = NameForm("experiments/{experiment}")


class VersionName(NamedTuple):
    """A version's name, taken apart."""

    ruleset: str
    number: int


class ChannelName(NamedTuple):
    """A channel's name, taken apart."""

    ruleset: str
    channel: str


class DraftName(NamedTuple):
    """A draft's name, taken apart."""

    ruleset: str
    draft: str


def ruleset(ruleset: str) -> str:
    """Give the resource name of a ruleset by its id, `namespace.name`."""
    return f"rulesets/{ruleset}"


def version(ruleset: str, number: int) -> str:
    """Give the resource name of a version."""
    return f"rulesets/{ruleset}/versions/{number}"


def channel(ruleset: str, channel: str) -> str:
    """Give the resource name of a channel."""
    return f"rulesets/{ruleset}/channels/{channel}"


def draft(ruleset: str, draft: str) -> str:
    """Give the resource name of a draft."""
    return f"rulesets/{ruleset}/drafts/{draft}"


def release(ruleset: str, revision: int) -> str:
    """Give the resource name of a row of the release log."""
    return f"rulesets/{ruleset}/releases/{revision}"


def execution(execution: uuid.UUID) -> str:
    """Give the resource name of an execution."""
    return f"executions/{execution}"


def replay(replay: uuid.UUID) -> str:
    """Give the resource name of a replay."""
    return f"replays/{replay}"


def dataset(dataset: str) -> str:
    """Give the resource name of a data set."""
    return f"datasets/{dataset}"


def experiment(experiment: str) -> str:
    """Give the resource name of an experiment."""
    return f"experiments/{experiment}"


def parse_ruleset(name: str, field: str) -> str:
    """Give the id in a ruleset's name; raise InvalidFields for `field` if it is malformed."""
    return _RULESET.parse(name, field)[0]


def parse_version(name: str, field: str) -> VersionName:
    """Take a version's name apart; raise InvalidFields for `field` if it is malformed."""
    ruleset, number = _VERSION.parse(name, field)
    return VersionName(ruleset, int(number))


def parse_channel(name: str, field: str) -> ChannelName:
    """Take a channel's name apart; raise InvalidFields for `field` if it is malformed."""
    return ChannelName(*_CHANNEL.parse(name, field))


def parse_draft(name: str, field: str) -> DraftName:
    """Take a draft's name apart; raise InvalidFields for `field` if it is malformed."""
    return DraftName(*_DRAFT.parse(name, field))


def parse_execution(name: str, field: str) -> uuid.UUID:
    """Give the id in an execution's name; raise InvalidFields for `field` if it is malformed."""
    return _EXECUTION.parse_uuid(name, field)


def parse_replay(name: str, field: str) -> uuid.UUID:
    """Give the id in a replay's name; raise InvalidFields for `field` if it is malformed."""
    return _REPLAY.parse_uuid(name, field)


def parse_dataset(name: str, field: str) -> str:
    """Give the id in a data set's name; raise InvalidFields for `field` if it is malformed."""
    return _DATASET.parse(name, field)[0]


def parse_experiment(name: str, field: str) -> str:
    """Give the id in an experiment's name; raise InvalidFields for `field` if it is malformed."""
    return _EXPERIMENT.parse(name, field)[0]
