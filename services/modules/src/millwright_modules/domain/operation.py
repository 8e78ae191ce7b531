"""Operations: an install, stage by stage, with its progress.

UPLOADED → EXTRACTING → VALIDATING → BUILDING → ACTIVATING → COMPLETED; on the way it may fail or be cancelled, and what
went live and is not healthy is rolled back. `docs/architecture/operation-states.md` draws it.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum

from millwright_modules.domain.problem import Problem
from millwright_modules.domain.words import Text

MOST_HEALTH_TIME = timedelta(minutes=10)
USUAL_HEALTH_TIME = timedelta(seconds=10)
MOST_ATTEMPTS = 5
"""How often an operation is taken and not given back; one that ends whoever takes it is given up."""
LIVE_SHARE = 0.2
"""How much of ACTIVATING is done once the pointer has moved; the rest is the health watch."""

_ALMOST_ALL = 99.9
_SURE_PERCENT = 2.0
"""From so much on, the pace of what was done says something of the rest."""


class Stage(StrEnum):
    """Where an operation stands."""

    UPLOADED = "UPLOADED"
    EXTRACTING = "EXTRACTING"
    VALIDATING = "VALIDATING"
    BUILDING = "BUILDING"
    ACTIVATING = "ACTIVATING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    ROLLED_BACK = "ROLLED_BACK"

    @property
    def is_terminal(self) -> bool:
        """Tell whether nothing comes after it."""
        return not NEXT[self]

    @property
    def is_cancellable(self) -> bool:
        """Tell whether nothing of it can have gone live."""
        return Stage.CANCELLED in NEXT[self]


NEXT: Mapping[Stage, frozenset[Stage]] = {
    Stage.UPLOADED: frozenset({Stage.EXTRACTING, Stage.FAILED, Stage.CANCELLED}),
    Stage.EXTRACTING: frozenset({Stage.VALIDATING, Stage.FAILED, Stage.CANCELLED}),
    Stage.VALIDATING: frozenset({Stage.BUILDING, Stage.FAILED, Stage.CANCELLED}),
    Stage.BUILDING: frozenset({Stage.ACTIVATING, Stage.COMPLETED, Stage.FAILED, Stage.CANCELLED}),
    Stage.ACTIVATING: frozenset({Stage.COMPLETED, Stage.ROLLED_BACK, Stage.FAILED}),
    Stage.COMPLETED: frozenset(),
    Stage.FAILED: frozenset(),
    Stage.CANCELLED: frozenset(),
    Stage.ROLLED_BACK: frozenset(),
}
"""Where an operation may go from each stage."""

_SPANS = {
    Stage.UPLOADED: (0.0, 0.0),
    Stage.EXTRACTING: (0.0, 25.0),
    Stage.VALIDATING: (25.0, 50.0),
    Stage.BUILDING: (50.0, 75.0),
    Stage.ACTIVATING: (75.0, _ALMOST_ALL),
    Stage.COMPLETED: (100.0, 100.0),
}


class Activity(StrEnum):
    """What is being done, for people."""

    WAITING = "WAITING"
    FETCHING = "FETCHING"
    UNPACKING = "UNPACKING"
    READING = "READING"
    CHECKING = "CHECKING"
    ASKING = "ASKING"
    BUILDING = "BUILDING"
    STORING = "STORING"
    SWITCHING = "SWITCHING"
    WATCHING = "WATCHING"
    DONE = "DONE"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    ROLLED_BACK = "ROLLED_BACK"

    @property
    def messages(self) -> Mapping[str, str]:
        """Give it in words, by language."""
        return {"en": _WORDS[self].en, "ko": _WORDS[self].ko}


_WORDS = {
    Activity.WAITING: Text("Waiting for its turn", "차례를 기다리는 중"),
    Activity.FETCHING: Text("Fetching the package", "패키지를 가져오는 중"),
    Activity.UNPACKING: Text("Checking and unpacking files", "파일 검사 및 압축 해제 중"),
    Activity.READING: Text("Reading the manifest", "매니페스트를 읽는 중"),
    Activity.CHECKING: Text("Checking signature and dependencies", "서명과 의존 관계를 확인하는 중"),
    Activity.ASKING: Text("Having rulesets and workflows checked", "규칙과 워크플로를 확인하는 중"),
    Activity.BUILDING: Text("Building the frontend", "프런트엔드를 빌드하는 중"),
    Activity.STORING: Text("Storing what browsers load", "브라우저용 파일을 저장하는 중"),
    Activity.SWITCHING: Text("Going live", "새 버전으로 전환하는 중"),
    Activity.WATCHING: Text("Live; watching its health", "전환 완료, 상태를 확인하는 중"),
    Activity.DONE: Text("Installed", "설치 완료"),
    Activity.FAILED: Text("Failed; what was live is live", "실패. 기존 버전이 그대로 동작합니다"),
    Activity.CANCELLED: Text("Cancelled; what was live is live", "취소됨. 기존 버전이 그대로 동작합니다"),
    Activity.ROLLED_BACK: Text("Not healthy; rolled back", "상태 이상으로 이전 버전으로 되돌림"),
}


@dataclass(frozen=True, slots=True)
class Done:
    """How much of a stage is done."""

    bytes_done: int = 0
    bytes_total: int = 0
    files_done: int = 0
    files_total: int = 0
    steps_done: int = 0
    steps_total: int = 0

    @property
    def share(self) -> float:
        """Give what is done of the stage, from 0 to 1: by bytes, else by files, else by steps."""
        pairs = (
            (self.bytes_done, self.bytes_total),
            (self.files_done, self.files_total),
            (self.steps_done, self.steps_total),
        )
        return next((min(1.0, done / total) for done, total in pairs if total), 0.0)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an operation is."""

    percent: float = 0.0
    done: Done = Done()
    bytes_per_second: float = 0.0
    seconds_left: float = 0.0
    activity: Activity = Activity.WAITING
    place: int = 0
    """Among those that wait to be worked on, from 1; 0 for one that does not."""


def percent(stage: Stage, share: float, before: float) -> float:
    """Give the percentage at a share of a stage: never less than `before`, and 100 only when it has completed."""
    if stage not in _SPANS:  # it ended on the way
        return before
    begin, end = _SPANS[stage]
    return max(before, begin + (end - begin) * min(1.0, max(0.0, share)))


@dataclass(frozen=True, slots=True)
class Options:
    """How to install."""

    skip_activation: bool = False
    allow_downgrade: bool = False
    allow_signer_change: bool = False
    health_time: timedelta = USUAL_HEALTH_TIME
    reason: str = ""

    @property
    def outcome(self) -> tuple[bool, ...]:
        """Give what decides what comes out of it: who wants the same outcome is content with one operation."""
        return (self.skip_activation, self.allow_downgrade, self.allow_signer_change)


def seconds_left(options: Options, at: float, gained: float, seconds: float) -> float:
    """Estimate the time to the end at a percentage, of which `gained` took `seconds`; 0 while nothing is known.

    The work goes on at its pace, and the health watch, of known length, is still to come.
    """
    if gained < _SURE_PERCENT:
        return 0.0
    if options.skip_activation:
        end, watch = _SPANS[Stage.ACTIVATING][0], timedelta()
    else:
        end, watch = percent(Stage.ACTIVATING, LIVE_SHARE, 0.0), options.health_time
    return seconds / gained * max(0.0, end - at) + watch.total_seconds()


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation's row."""

    tenant: str
    id: uuid.UUID
    code: str
    """Empty until the manifest has been read."""
    version: str
    package_digest: bytes
    options: Options
    base_generation: int
    """The module's when it was asked for: it goes live over that alone."""
    live_generation: int | None
    """The module's once it was live."""
    stage: Stage
    progress: Progress
    problems: Sequence[Problem]
    requester: str
    traceparent: str
    """Where in a trace it was asked for (W3C Trace Context); its events and its questions are of that trace."""
    sequence: int
    epoch: int
    attempts: int
    """How often it was taken and not given back, this time included."""
    create_time: datetime
    update_time: datetime
    end_time: datetime | None = field(default=None)

    @property
    def day(self) -> date:
        """Give the day with which its events go."""
        return self.create_time.date()
