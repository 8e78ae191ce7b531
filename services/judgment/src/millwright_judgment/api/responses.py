"""What callers get: the domain's values as messages of the contract."""

from __future__ import annotations

from collections.abc import Sequence

from millwright.judgment.v1 import release_pb2, replay_pb2, ruleset_pb2
from millwright_runtime.api.messages import timestamp

from millwright_judgment.domain import names
from millwright_judgment.domain.difference.edits import Edit
from millwright_judgment.domain.releases import Channel, Release, Version
from millwright_judgment.domain.statistics import Interval
from millwright_judgment.store.rulesets import Ruleset


def ruleset(value: Ruleset) -> ruleset_pb2.Ruleset:
    """Give a ruleset."""
    return ruleset_pb2.Ruleset(
        name=names.ruleset(value.ruleset),
        titles=dict(value.titles),
        latest_version=value.latest_version,
        latest_revision=value.latest_revision,
        create_time=timestamp(value.create_time),
        update_time=timestamp(value.update_time),
    )


def version(ruleset: str, value: Version) -> ruleset_pb2.Version:
    """Give a version without its document."""
    return ruleset_pb2.Version(
        name=names.version(ruleset, value.number),
        number=value.number,
        semver=value.semver,
        content_hash=value.content_hash.hex(),
        state=ruleset_pb2.Version.State.Value(f"STATE_{value.state.value}"),
        state_reason=value.state_reason,
        creator=value.creator,
        create_time=timestamp(value.create_time),
    )


def channel(ruleset: str, value: Channel) -> release_pb2.Channel:
    """Give a channel."""
    return release_pb2.Channel(
        name=names.channel(ruleset, value.channel),
        version=value.version,
        revision=value.revision,
        freeze_time=timestamp(value.freeze_time),
        update_time=timestamp(value.update_time),
        experiment=names.experiment(value.trial.experiment) if value.trial else "",
        planned_version=value.plan.version if value.plan else 0,
        planned_time=timestamp(value.plan.time) if value.plan else None,
    )


def channels(ruleset: str, values: Sequence[Channel]) -> list[release_pb2.Channel]:
    """Give a ruleset's channels."""
    return [channel(ruleset, value) for value in values]


def release(ruleset: str, value: Release) -> release_pb2.Release:
    """Give a row of the release log."""
    return release_pb2.Release(
        name=names.release(ruleset, value.revision),
        revision=value.revision,
        operation=release_pb2.Release.Operation.Value(f"OPERATION_{value.operation.value}"),
        channel=value.channel or "",
        from_version=value.from_version or 0,
        to_version=value.to_version,
        marked_bad=value.marked_bad,
        reason=value.reason,
        actor=value.actor,
        automatic=value.automatic,
        create_time=timestamp(value.create_time),
        experiment=names.experiment(value.experiment) if value.experiment else "",
        evidence=value.evidence,
        planned_time=timestamp(value.planned_time),
    )


def edit(value: Edit) -> ruleset_pb2.Edit:
    """Give one difference of two versions."""
    return ruleset_pb2.Edit(
        kind=ruleset_pb2.Edit.Kind.Value(f"KIND_{value.kind}"),
        table=value.table,
        rule=value.rule,
        field=value.field,
        before=value.before,
        after=value.after,
    )


def transitions(values: Sequence[tuple[str, str, int]]) -> list[ruleset_pb2.Transition]:
    """Give how many executions went from which outcome to which."""
    return [
        ruleset_pb2.Transition(from_outcome=before, to_outcome=after, executions=count)
        for before, after, count in values
    ]


def interval(value: Interval) -> replay_pb2.Interval:
    """Give a share, or a difference of shares, with its bounds."""
    return replay_pb2.Interval(
        value=value.value, low=value.low, high=value.high, confidence=value.confidence, method=value.method
    )
