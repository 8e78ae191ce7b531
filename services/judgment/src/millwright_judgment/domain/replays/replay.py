"""A replay as a job: what was asked for, where it stands, and how far it is."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from millwright_judgment.domain import names
from millwright_judgment.domain.executions import Filter
from millwright_judgment.domain.input.changes import InputChange

OPEN_REPLAYS = 20
"""So many replays of a tenant may not have ended."""
KEPT = timedelta(days=30)
"""How long a replay is kept after its end."""
MOST_EXECUTIONS = 10_000_000
_MOVING_SHARE = 0.3
"""How much the newest page counts in the rate."""


class ReplayState(StrEnum):
    """Where a replay stands."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    NOT_REPRODUCIBLE = "NOT_REPRODUCIBLE"

    @property
    def is_terminal(self) -> bool:
        """Tell whether it has ended."""
        return not any(before is self for before, _ in REPLAY_TRANSITIONS)


class Step(StrEnum):
    """What moves a replay; each leads to one state, whatever the one before."""

    CREATE = "CREATE"
    CLAIM = "CLAIM"
    """A replica takes it, or takes it over."""
    COUNT = "COUNT"
    """A page is committed."""
    COMPLETE = "COMPLETE"
    FAIL = "FAIL"
    REFUTE = "REFUTE"
    """Something does not come out as it was recorded."""
    CANCEL = "CANCEL"

    @property
    def from_states(self) -> tuple[ReplayState, ...]:
        """Give the states that it leads from."""
        return tuple(before for (before, _), steps in REPLAY_TRANSITIONS.items() if before and self in steps)

    @property
    def to_state(self) -> ReplayState:
        """Give the state that it leads to."""
        return next(after for (_, after), steps in REPLAY_TRANSITIONS.items() if self in steps)


REPLAY_TRANSITIONS: Mapping[tuple[ReplayState | None, ReplayState], frozenset[Step]] = MappingProxyType(
    {
        (None, ReplayState.PENDING): frozenset({Step.CREATE}),
        (ReplayState.PENDING, ReplayState.RUNNING): frozenset({Step.CLAIM}),
        (ReplayState.PENDING, ReplayState.CANCELLED): frozenset({Step.CANCEL}),
        (ReplayState.RUNNING, ReplayState.RUNNING): frozenset({Step.CLAIM, Step.COUNT}),
        (ReplayState.RUNNING, ReplayState.COMPLETED): frozenset({Step.COMPLETE}),
        (ReplayState.RUNNING, ReplayState.FAILED): frozenset({Step.FAIL}),
        (ReplayState.RUNNING, ReplayState.NOT_REPRODUCIBLE): frozenset({Step.REFUTE}),
        (ReplayState.RUNNING, ReplayState.CANCELLED): frozenset({Step.CANCEL}),
    }
)
"""Every move of a replay, with the steps that make it; None is where there is none yet."""


class TargetKind(StrEnum):
    """What is judged with."""

    VERSION = "VERSION"
    DRAFT = "DRAFT"
    RECORDED = "RECORDED"


@dataclass(frozen=True, slots=True)
class Target:
    """A version to judge with, resolved when the replay was created."""

    kind: TargetKind
    number: int = 0
    draft: str = ""
    canonical: str = ""
    """What the draft said then."""
    content_hash: str = ""

    def name(self, ruleset: str) -> str:
        """Give its resource name; empty for what was recorded."""
        match self.kind:
            case TargetKind.VERSION:
                return names.version(ruleset, self.number)
            case TargetKind.DRAFT:
                return names.draft(ruleset, self.draft)
            case TargetKind.RECORDED:
                return ""


RECORDED = Target(TargetKind.RECORDED)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which executions are replayed."""

    executions: tuple[uuid.UUID, ...] = ()
    """By their ids, the newest first; empty for a filter and for a data set."""
    filter: Filter | None = None
    sample_rate: float = 1.0
    most_executions: int = MOST_EXECUTIONS
    seed: int = 0
    dataset: str = ""
    """A data set, whose rows take the place of executions."""
    content: str = ""
    """The hash of what it held when the replay was created."""

    @property
    def is_whole(self) -> bool:
        """Tell whether it is all that the filter lets through, as far as there are not too many."""
        return (self.filter is not None or bool(self.dataset)) and self.sample_rate >= 1.0

    def share_of(self, rows: int) -> int:
        """Give about how many of a data set's rows are selected."""
        return min(self.most_executions, max(1, round(rows * self.sample_rate)) if rows else 0)

    def to_json(self) -> dict[str, Any]:
        """Give it as it is kept."""
        return {
            "executions": [str(each) for each in self.executions],
            "filter": _filter_to_json(self.filter) if self.filter else None,
            "sampleRate": self.sample_rate,
            "mostExecutions": self.most_executions,
            "seed": self.seed,
            "dataset": self.dataset,
            "content": self.content,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Selection:
        """Read what `to_json` wrote."""
        return cls(
            tuple(uuid.UUID(each) for each in value["executions"]),
            _filter_from_json(value["filter"]) if value["filter"] else None,
            value["sampleRate"],
            value["mostExecutions"],
            value["seed"],
            value["dataset"],
            value["content"],
        )


@dataclass(frozen=True, slots=True)
class Order:
    """What was asked for. It never changes."""

    ruleset: str
    selection: Selection
    baseline: Target
    targets: tuple[Target, ...]
    changes: tuple[InputChange, ...] = ()
    tolerance: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Give it as it is kept."""
        return {
            "ruleset": self.ruleset,
            "selection": self.selection.to_json(),
            "baseline": asdict(self.baseline),
            "targets": [asdict(target) for target in self.targets],
            "changes": [change.to_json() for change in self.changes],
            "tolerance": self.tolerance,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Order:
        """Read what `to_json` wrote."""
        return cls(
            value["ruleset"],
            Selection.from_json(value["selection"]),
            _target(value["baseline"]),
            tuple(_target(each) for each in value["targets"]),
            tuple(InputChange.from_json(each) for each in value["changes"]),
            value["tolerance"],
        )


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a replay is."""

    total: int
    done: int = 0
    changed: int = 0
    percent: float = 0.0
    rate: float = 0.0
    """Executions a second, lately."""
    seconds_left: float = 0.0
    """0 if that is not known."""
    errors: int = 0
    """How many inputs the first target refuses: those are not among the changed."""

    def after(self, done: int, changed: int, errors: int, seconds: float) -> Progress:
        """Give the progress after a page that took `seconds`."""
        lately = (done - self.done) / max(seconds, 1e-3)
        rate = lately if not self.rate else self.rate + _MOVING_SHARE * (lately - self.rate)
        total = max(self.total, done)
        percent = max(self.percent, min(99.9, 100 * done / total if total else 0.0))
        return Progress(total, done, changed, percent, rate, (total - done) / rate if rate else 0.0, errors)

    def completed(self) -> Progress:
        """Give the progress of what is done."""
        return replace(self, total=self.done, percent=100.0, seconds_left=0.0)


@dataclass(frozen=True, slots=True)
class Replay:
    """A replay."""

    replay: uuid.UUID
    order: Order
    state: ReplayState
    progress: Progress
    error: str
    creator: str
    sequence: int
    create_time: datetime
    start_time: datetime | None = None
    end_time: datetime | None = None


def _target(value: Mapping[str, Any]) -> Target:
    return Target(**{**value, "kind": TargetKind(value["kind"])})


def _filter_to_json(wanted: Filter) -> dict[str, Any]:
    times = {name: time.isoformat() for name in ("from_time", "to_time") if (time := getattr(wanted, name)) is not None}
    return {**{name: value for name, value in asdict(wanted).items() if value}, **times}


def _filter_from_json(value: Mapping[str, Any]) -> Filter:
    times = {name: datetime.fromisoformat(value[name]) for name in ("from_time", "to_time") if name in value}
    return Filter(**{**value, **times})
