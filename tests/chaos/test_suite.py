"""The short version of the suite: half a minute of harm. `make chaos` runs the long one."""

from __future__ import annotations

import os

import pytest

from tests.chaos.faults import plan
from tests.chaos.load import KINDS
from tests.chaos.run import harm

SEED = int(os.environ.get("SEED", "1"))
SECONDS = 30.0


@pytest.mark.timeout(600)
async def test_nothing_acknowledged_is_lost_nothing_is_done_twice_and_everything_ends(tmp_path) -> None:
    course = await harm(SEED, SECONDS, tmp_path)
    assert course.violations == []
    assert {work.kind for work in course.book.works} == KINDS
    assert {harm.party for harm in course.book.harms} == {fault.party for fault in plan(SEED, SECONDS)}
