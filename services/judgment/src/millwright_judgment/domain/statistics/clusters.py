"""Judgments of one unit, such as a lot, are alike: how much less they tell than as many independent ones would."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Clusters:
    """Sums over units, of which each has a number of judgments and a value.

    The value is the number of its hits; of judgments in pairs, how many more hits the one has than the other.
    """

    units: int
    executions: float
    value: float
    moved: float
    """How many judgments have a value that is not 0, either way."""
    executions_squared: float
    value_executions: float
    value_squared: float

    def __add__(self, other: Clusters) -> Clusters:
        """Give the sums over the units of both."""
        return Clusters(*(getattr(self, name) + getattr(other, name) for name in self.__slots__))

    def effect(self, *, is_paired: bool) -> float:
        """Give the design effect (Kish 1965), at least 1: `executions / effect` independent judgments tell as much.

        Units of all arms are taken together, as they are if there is no difference. So an arm whose few units happen
        to agree does not seem sure of itself. A single unit counts as one judgment. Pairs are centred on no difference.
        """
        if self.executions <= self.units:
            return 1.0
        if self.units < 2:
            return self.executions
        if is_paired:
            independent, spread = self.moved, self.value_squared
        else:
            share = self.value / self.executions
            independent = self.executions * share * (1 - share)
            spread = self.value_squared - 2 * share * self.value_executions + share**2 * self.executions_squared
        if independent <= 0:
            return 1.0
        return max(1.0, self.units / (self.units - 1) * spread / independent)
