"""The soak's slope test finds what grows, and is not moved by noise, by a warm-up or by a few wild samples."""

from __future__ import annotations

from random import Random

import pytest

from tests.soak.growth import Series, slope


def series(value) -> Series:
    """A series of 300 samples, one a second, that may grow by a tenth and by 5."""
    made = Series("memory", "MB", most_growth=0.1, floor=5.0)
    for second in range(300):
        made.add(float(second), value(second))
    return made


def noise(seed: int):
    """A series' noise."""
    chance = Random(seed)
    return lambda: chance.gauss(0, 3)


def test_the_slope_of_a_line_is_its_slope() -> None:
    assert slope([0, 1, 2, 5], [1, 3, 5, 11]) == 2


@pytest.mark.parametrize("seed", range(20))
def test_what_is_flat_under_noise_does_not_grow(seed) -> None:
    wild = noise(seed)
    assert not series(lambda _: 100 + wild()).grows


@pytest.mark.parametrize("seed", range(20))
def test_what_leaks_under_noise_grows(seed) -> None:
    wild = noise(seed)
    assert series(lambda second: 100 + second * 0.1 + wild()).grows


def test_what_fills_up_at_first_does_not_grow() -> None:
    assert not series(lambda second: min(100, second)).grows


def test_a_few_wild_samples_are_no_growth() -> None:
    assert not series(lambda second: 1000 if second > 290 else 100).grows


def test_growth_below_the_floor_is_none_and_above_it_is() -> None:
    assert not series(lambda second: second // 100).grows
    assert series(lambda second: second / 10).grows
    assert series(lambda second: second / 10).growth == pytest.approx(19.9)
