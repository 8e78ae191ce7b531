"""Grids: a number field's values are whole multiples of its resolution, and nothing in between.

Owns rounding. It happens once, at ingress, and by the same three operations on doubles wherever a value comes from
(`step`, `value` here; `steps`, `values` in `evaluation.columns`), so that 0.08000000000000002 and 0.08 are one value on
every path. After that, numbers are compared exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from millwright_judgment.domain.ruleset.limits import STEPS


@dataclass(frozen=True, slots=True)
class Grid:
    """The multiples of `multiple / scale`, where `scale` is a power of ten.

    A step's value is the double nearest to the decimal: 80 steps of 0.001 are 0.08, as a caller writes it. It takes one
    division of two whole numbers that doubles hold exactly, which IEEE 754 rounds correctly.
    """

    multiple: int
    scale: int

    @property
    def resolution(self) -> float:
        """Give the distance of two neighbours."""
        return self.multiple / self.scale

    @property
    def highest(self) -> float:
        """Give the largest value; the smallest is its negative."""
        return self.value(STEPS // self.multiple)

    def step(self, value: float) -> int:
        """Give the step nearest to a finite value of at most `highest`; halfway between two, the even one."""
        return round(float(value) * self.scale / self.multiple)

    def value(self, step: int) -> float:
        """Give the value at a step."""
        return step * self.multiple / self.scale

    def text(self, step: int) -> str:
        """Write the value at a step as a decimal, without an exponent."""
        decimals = len(str(self.scale)) - 1
        return f"{Decimal(step * self.multiple).scaleb(-decimals):f}"

    def exact(self, number: Decimal) -> Fraction:
        """Give how many steps a number is away from zero: a fraction where it lies between two."""
        return Fraction(number) * self.scale / self.multiple


WHOLE = Grid(1, 1)
"""The whole numbers."""


def grid_of(resolution: Decimal) -> Grid:
    """Give the grid of a positive resolution, such as 0.001, 0.25 or 5."""
    sign, digits, exponent = resolution.as_tuple()
    assert sign == 0
    assert isinstance(exponent, int)
    whole = int("".join(map(str, digits)))
    decimals = max(0, -exponent)
    whole *= 10 ** max(0, exponent)
    while decimals and whole % 10 == 0:
        whole, decimals = whole // 10, decimals - 1
    return Grid(whole, 10**decimals)
