"""What an overload must not do is found, and nothing where all is well."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from tests.soak.flood import REFUSED, Flood
from tests.soak.mix import Outcome
from tests.soak.overload import BOUND_SECONDS, Overload

SERVED = Outcome("judge", 0.0, 1.0, "OK", has_hint=False)
TOLD_TO_COME_AGAIN = Outcome("judge", 0.0, 0.01, REFUSED, has_hint=True)
ROLLBACK = Outcome("rollback", 0.0, 1.0, "OK", has_hint=False)
FLOOD = Flood(Counter({"OK": 100, REFUSED: 200}), Counter(), unhinted=0)
PROBES = [SERVED, SERVED, TOLD_TO_COME_AGAIN]
WELL = Overload(1.0, 300.0, 0.05, FLOOD, PROBES, [ROLLBACK], recovery_seconds=2.0)


def test_what_is_admitted_in_time_or_told_to_come_again_is_well() -> None:
    assert WELL.violations == []


@pytest.mark.parametrize(
    ("bad", "violation"),
    [
        (replace(WELL, probes=[SERVED, replace(SERVED, code="INTERNAL")]), "otherwise than served or refused"),
        (
            replace(WELL, flood=replace(FLOOD, failures=Counter({"judge INTERNAL": 1}))),
            "otherwise than served or refused",
        ),
        (replace(WELL, probes=[TOLD_TO_COME_AGAIN]), "nothing was admitted"),
        (replace(WELL, probes=[replace(SERVED, seconds=BOUND_SECONDS + 1)] * 2), "the slowest hundredth"),
        (replace(WELL, probes=[SERVED, replace(TOLD_TO_COME_AGAIN, has_hint=False)]), "when to come again"),
        (replace(WELL, flood=replace(FLOOD, unhinted=1)), "when to come again"),
        (replace(WELL, emergencies=[replace(ROLLBACK, code=REFUSED)]), "did not go through"),
        (replace(WELL, emergencies=[]), "no rollback and no cancel was tried"),
        (replace(WELL, recovery_seconds=None), "not as before"),
    ],
)
def test_what_must_not_be_is_found(bad, violation) -> None:
    assert [violation in found for found in bad.violations] == [True]
