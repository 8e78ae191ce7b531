"""What an overload must not do is found, and nothing where all is well."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.soak.mix import Outcome
from tests.soak.overload import BOUND_SECONDS, REFUSED, Overload

SERVED = Outcome("judge", 0.0, 1.0, "OK", has_hint=False)
TOLD_TO_COME_AGAIN = Outcome("judge", 0.0, 0.01, REFUSED, has_hint=True)
ROLLBACK = Outcome("rollback", 0.0, 1.0, "OK", has_hint=False)
WELL = Overload(300.0, 0.05, [SERVED, SERVED, TOLD_TO_COME_AGAIN], [ROLLBACK], recovery_seconds=2.0)


def test_what_is_admitted_in_time_or_told_to_come_again_is_well() -> None:
    assert WELL.violations == []


@pytest.mark.parametrize(
    ("bad", "violation"),
    [
        (replace(WELL, outcomes=[SERVED, replace(SERVED, code="INTERNAL")]), "otherwise than served or refused"),
        (replace(WELL, outcomes=[TOLD_TO_COME_AGAIN]), "nothing was admitted"),
        (replace(WELL, outcomes=[replace(SERVED, seconds=BOUND_SECONDS + 1)] * 2), "the slowest hundredth"),
        (replace(WELL, outcomes=[SERVED, replace(TOLD_TO_COME_AGAIN, has_hint=False)]), "when to come again"),
        (replace(WELL, emergencies=[replace(ROLLBACK, code=REFUSED)]), "did not go through"),
        (replace(WELL, emergencies=[]), "no rollback and no cancel was tried"),
        (replace(WELL, recovery_seconds=None), "not as before"),
    ],
)
def test_what_must_not_be_is_found(bad, violation) -> None:
    assert [violation in found for found in bad.violations] == [True]
