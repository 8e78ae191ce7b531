"""How long a service was away for its callers after it was harmed. Pure: computed from the book alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tests.chaos.book import Call, Harm, Work

SERVERS = {"postgres", "valkey", "nats"}


@dataclass(frozen=True, slots=True)
class Recovery:
    """What followed a fault."""

    kind: str
    answer_seconds: float | None
    """From the fault to the first acknowledged call that was begun after it."""
    work_seconds: float | None
    """From the fault until all had ended that was under way then."""


def recoveries(harms: Iterable[Harm], calls: Sequence[Call], works: Sequence[Work]) -> list[Recovery]:
    """Return what followed each fault; a server is every service's, and the slowest service counts."""
    services = sorted({call.service for call in calls})
    return [_recovery(harm, services, calls, works) for harm in harms]


def _recovery(harm: Harm, services: Sequence[str], calls: Sequence[Call], works: Sequence[Work]) -> Recovery:
    name = harm.party
    harmed = services if name in SERVERS else [name]
    answers = [answer for service in harmed if (answer := _first_answer(harm, service, calls)) is not None]
    ends = [
        work.end - harm.begin
        for work in works
        if work.service in harmed and work.end is not None and work.begin < harm.begin < work.end
    ]
    label = f"{harm.kind} {name}" if name in SERVERS else harm.kind
    return Recovery(label, max(answers, default=None), max(ends, default=None))


def _first_answer(harm: Harm, service: str, calls: Sequence[Call]) -> float | None:
    ends = (
        call.end - harm.begin
        for call in calls
        if call.service == service and call.begin >= harm.begin and call.end is not None and not call.refusal
    )
    return min(ends, default=None)
