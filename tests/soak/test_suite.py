"""The short version: seconds of few calls of all kinds, then of too many. `make soak` and `make overload` measure."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from millwright_local.scratch import scratch_directory

from tests.soak.emergencies import kinds
from tests.soak.flood import REFUSED
from tests.soak.mix import ALL_WEIGHTS, DEAR_WEIGHTS, Mix, token_of
from tests.soak.overload import Overload, overload
from tests.soak.page import Soak, write, write_overload
from tests.soak.run import CALLERS, LOGS, ready, soak

CALLS_A_SECOND = 40.0
"""Taken for what can be served: any machine can, and more than half of it is not asked for."""
SOAK_SECONDS = 20.0
ROUND_SECONDS = 5.0
CAPACITY_SECONDS = 2.0
OVERLOAD_SECONDS = 5.0
FEW_AT_ONCE = {"MAX_CONCURRENT_CALLS": "64"}
"""However fast the machine, a flood is more."""

pytestmark = pytest.mark.timeout(600)


@dataclass(frozen=True, slots=True)
class Course:
    """What became of it."""

    soak: Soak
    overload: Overload


@pytest.fixture(scope="module")
async def course(tmp_path_factory) -> Course:
    """A stack's short life."""
    logs = tmp_path_factory.mktemp("soak") / "logs"
    with scratch_directory() as home:
        async with ready(home, logs, weights=ALL_WEIGHTS, settings=LOGS | FEW_AT_ONCE) as (stack, mix):
            soaked = await soak(stack, mix, CALLS_A_SECOND, SOAK_SECONDS, ROUND_SECONDS)
            async with Mix(stack.endpoints, token_of(stack), 2, DEAR_WEIGHTS) as usual:
                await usual.start()
                capacity = await usual.capacity(CAPACITY_SECONDS, CALLERS)
                return Course(soaked, await overload(stack, usual, capacity, OVERLOAD_SECONDS))


def test_calls_of_every_kind_are_made_and_none_fails(course) -> None:
    assert set(course.soak.kinds) == set(ALL_WEIGHTS)
    assert not course.soak.failures


def test_there_are_samples_of_everything(course) -> None:
    assert [it.name for it in course.soak.samples.all if not it.values] == []


def test_the_pages_are_written_with_their_plots(course, tmp_path) -> None:
    write(course.soak, tmp_path)
    write_overload(course.overload, tmp_path)
    assert {it.name for it in tmp_path.iterdir()} == {"soak.md", "soak", "overload.md"}
    assert len(list((tmp_path / "soak").glob("*.png"))) == (tmp_path / "soak.md").read_text().count("![")


def test_what_is_too_much_is_refused_and_told_when_to_come_again(course) -> None:
    assert course.overload.flood.codes[REFUSED]
    assert not course.overload.flood.unhinted


def test_what_is_always_let_in_goes_through(course) -> None:
    assert {(it.kind, it.code) for it in course.overload.emergencies} == {(kind, "OK") for kind in kinds()}
