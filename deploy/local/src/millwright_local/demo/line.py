"""A made-up welding line's data: a month, and a night with bad material. The same rates at every performance."""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from google.protobuf.timestamp_pb2 import Timestamp
from millwright.judgment.v1.judgment_pb2 import Input, Segment, Value
from millwright.judgment.v1.judgment_service_pb2 import BatchInput

DAYS = 28
LINES = ("L1", "L2", "L3")
SHIFTS = ("day", "night")
LOTS_A_SHIFT = 5
WELDS_A_LOT = 10
_SEED = 7
_GOOD, _SPREAD = -4.1, 0.9  # of the logarithm of a lot's defect rate
_DRIFT = 0.5  # line L2 is worse


class Weld(NamedTuple):
    """What was measured of one weld."""

    defect_rate: float
    temperature: float
    product: str
    line: str
    shift: str
    lot: str
    time: datetime

    @property
    def input(self) -> BatchInput:
        """Give it as it is judged."""
        values = {
            "defect_rate": Value(number=self.defect_rate),
            "temperature": Value(number=self.temperature),
            "product": Value(text=self.product),
        }
        segment = Segment(line=self.line, product=self.product, shift=self.shift, unit=self.lot)
        event_time = Timestamp()
        event_time.FromDatetime(self.time)
        return BatchInput(input=Input(values=values), segment=segment, event_time=event_time)


def month(end: datetime) -> list[Weld]:
    """Give the welds of the four weeks before `end`: rates in thousandths, as the ruleset rounds them."""
    chance = random.Random(_SEED)  # noqa: S311 - data, no secret
    return [weld for day in range(DAYS) for weld in _day(chance, end - timedelta(days=DAYS - day))]


def _day(chance: random.Random, begin: datetime) -> Iterator[Weld]:
    for place, shift in enumerate(SHIFTS):
        for line in LINES:
            for number in range(LOTS_A_SHIFT):
                time = begin + timedelta(hours=12 * place + 2 * number)
                rate = chance.lognormvariate(_GOOD + _DRIFT * (line == "L2"), _SPREAD)
                product = chance.choice(("gear", "widget"))
                lot = f"{time:%m%d}-{line}-{shift}-{number}"
                for _ in range(WELDS_A_LOT):
                    measured = round(min(1.0, max(0.0, chance.gauss(rate, rate / 5))), 3)
                    temperature = round(chance.gauss(95, 12), 1)
                    yield Weld(measured, temperature, product, line, shift, lot, time)


def night(now: datetime, numbers: range) -> list[Weld]:
    """Give lots of a night with bad material, one weld each: every third comes between the two limits of the demo."""
    return [
        Weld(0.07 if number % 3 == 0 else 0.01, 90.0, "gear", "L1", "night", f"night-{number}", now)
        for number in numbers
    ]
