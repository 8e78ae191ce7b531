"""Approvals: decisions that a workflow waits for a person to make.

Owns the states of an approval, who may decide it, and when it goes to somebody else or to nobody.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from types import MappingProxyType
from typing import Any

from millwright_runtime.json import Json, JsonObject
from millwright_runtime.transitions import ImpossibleTransition

from millwright_workflow.domain import partitions, sizes
from millwright_workflow.domain.errors import ApprovalClosed, ApproverRoleMissing
from millwright_workflow.domain.work import TaskKey

COMMENT_LIMIT = 1000
TITLE_LIMIT = 500
DETAILS_LIMIT_BYTES = 256 * 1024
LONGEST_SPAN = timedelta(days=366)
ROLES: Mapping[str, frozenset[str]] = MappingProxyType(
    {"operator": frozenset({"operator", "admin"}), "admin": frozenset({"admin"})}
)
"""Each role that may be asked for, with the roles of a token that suffice."""
_IDS = uuid.UUID("0b7f3f0e-52a7-4c59-8f6b-0f3c9f2f4a10")


class State(Enum):
    """Where an approval stands."""

    WAITING = "WAITING"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    WITHDRAWN = "WITHDRAWN"


class Happening(Enum):
    """What an event tells of an approval."""

    REQUESTED = "REQUESTED"
    ESCALATED = "ESCALATED"
    DECIDED = "DECIDED"
    EXPIRED = "EXPIRED"
    WITHDRAWN = "WITHDRAWN"


INITIAL = State.WAITING
TRANSITIONS: Mapping[tuple[State, State], Happening] = MappingProxyType(
    {
        (State.WAITING, State.WAITING): Happening.ESCALATED,
        (State.WAITING, State.APPROVED): Happening.DECIDED,
        (State.WAITING, State.REJECTED): Happening.DECIDED,
        (State.WAITING, State.EXPIRED): Happening.EXPIRED,
        (State.WAITING, State.WITHDRAWN): Happening.WITHDRAWN,
        (State.WITHDRAWN, State.WAITING): Happening.REQUESTED,
    }
)
"""Every move that an approval can make, with what its event tells."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a workflow wants decided, and by whom."""

    title: str
    details: str
    """JSON text."""
    role: str
    expires_after: timedelta | None = None
    escalates_after: timedelta | None = None
    escalation_role: str | None = None


def question(
    title: str,
    details: Json,
    roles: Collection[str],
    expires_after: timedelta | None,
    escalates_after: timedelta | None,
    escalation_roles: Collection[str],
) -> Question:
    """Give what a workflow wants decided; raise ValueError past a limit. Of several roles the least one counts."""
    if len(title) > TITLE_LIMIT:
        raise ValueError(f"The title has {len(title)} characters; at most {TITLE_LIMIT} are shown.")
    text = sizes.text_of("details", details, DETAILS_LIMIT_BYTES)
    for span in (expires_after, escalates_after):
        if span is not None and not timedelta(0) < span <= LONGEST_SPAN:
            raise ValueError("An approval may expire and escalate after at most 366 days.")
    escalation_role = _least(escalation_roles) if escalates_after is not None else None
    return Question(title, text, _least(roles), expires_after, escalates_after, escalation_role)


def _least(roles: Collection[str]) -> str:
    if not roles or not ROLES.keys() >= set(roles):
        raise ValueError(f"Roles that can decide are {' and '.join(ROLES)}, not {', '.join(roles)[:100]!r}.")
    return "operator" if "operator" in roles else "admin"


@dataclass(frozen=True, slots=True)
class Approval:
    """A decision that a workflow waits for."""

    key: TaskKey
    round: int
    title: str
    details: str
    """JSON text."""
    role: str
    state: State
    decider: str | None
    comment: str | None
    sequence: int
    """Of its newest event."""
    create_time: datetime
    escalate_time: datetime | None
    escalate_role: str | None
    expire_time: datetime | None
    decide_time: datetime | None
    is_news: bool = False
    """Its instance has not noticed its last change yet."""

    @property
    def id(self) -> uuid.UUID:
        """Give its id: the same however often the task asks."""
        return uuid.uuid5(_IDS, f"{self.key.tenant}/{self.key.instance}{self.key.reference}/{self.round}")

    @property
    def part(self) -> int:
        """Give the partition whose owner waits for it."""
        return partitions.of(self.key.instance)


def first(key: TaskKey, question: Question, round_: int, now: datetime) -> Approval:
    """Give the approval of a task that asks for the first time, in this round of its instance."""
    return Approval(
        key=key,
        round=round_,
        title=question.title,
        details=question.details,
        role=question.role,
        state=INITIAL,
        decider=None,
        comment=None,
        sequence=1,
        create_time=now,
        escalate_time=_after(now, question.escalates_after),
        escalate_role=question.escalation_role,
        expire_time=_after(now, question.expires_after),
        decide_time=None,
    )


def ask(approval: Approval) -> Approval:
    """Give the approval of a task that asks again: waiting anew if it was withdrawn."""
    return _move(approval, State.WAITING, decide_time=None) if approval.state is State.WITHDRAWN else approval


@dataclass(frozen=True, slots=True)
class Decision:
    """What somebody decides."""

    decider: str
    roles: Collection[str]
    is_approved: bool
    comment: str

    @property
    def state(self) -> State:
        """Give where it leads."""
        return State.APPROVED if self.is_approved else State.REJECTED


def decide(approval: Approval, decision: Decision, now: datetime) -> Approval:
    """Give an approval, decided; as it is if the same person decided the same before.

    Raises ApproverRoleMissing; ApprovalClosed if it was decided otherwise, has expired or was withdrawn.
    """
    if ROLES[approval.role].isdisjoint(decision.roles):
        raise ApproverRoleMissing(approval=approval.id, role=approval.role)
    if approval.state is decision.state and approval.decider == decision.decider:
        return approval
    if approval.state is not State.WAITING:
        raise ApprovalClosed(approval=approval.id, state=approval.state.value)
    if approval.expire_time is not None and now >= approval.expire_time:
        raise ApprovalClosed(approval=approval.id, state=State.EXPIRED.value)
    return _move(
        approval,
        decision.state,
        decider=decision.decider,
        comment=decision.comment,
        decide_time=now,
        is_news=True,
    )


def pass_on(approval: Approval, now: datetime) -> Approval:
    """Give a waiting approval whose time has come: expired, or in the hands of the next role."""
    if approval.expire_time is not None and now >= approval.expire_time:
        return _move(approval, State.EXPIRED, decide_time=approval.expire_time, is_news=True)
    if approval.escalate_time is not None and now >= approval.escalate_time:
        role = approval.escalate_role or approval.role
        return _move(approval, State.WAITING, role=role, escalate_time=None, escalate_role=None)
    return approval


def withdraw(approval: Approval, now: datetime) -> Approval:
    """Give an approval that nobody waits for any more."""
    return _move(approval, State.WITHDRAWN, decide_time=now) if approval.state is State.WAITING else approval


def happening(before: Approval | None, after: Approval) -> Happening:
    """Give what the event of a change tells."""
    return Happening.REQUESTED if before is None else TRANSITIONS[before.state, after.state]


def output(approval: Approval) -> JsonObject:
    """Give what a decided approval is to its workflow."""
    assert approval.decide_time is not None
    return {
        "decision": approval.state.value.lower(),
        "decider": approval.decider,
        "comment": approval.comment,
        "time": approval.decide_time.isoformat(),
    }


def _after(now: datetime, span: timedelta | None) -> datetime | None:
    return None if span is None else now + span


def _move(approval: Approval, to: State, **changes: Any) -> Approval:
    if (approval.state, to) not in TRANSITIONS:
        raise ImpossibleTransition("an approval", approval.state, to)
    return replace(approval, state=to, sequence=approval.sequence + 1, **changes)
