"""A source system that sends rows for as long as it is let, and knows what must come of them.

Every batch is sent until it is acknowledged, whatever happens to the service in between.
"""

import asyncio
import random
from dataclasses import dataclass, field
from datetime import timedelta

import grpc

from etl_rig.client import NOON, ORDER, record

DAYS = 5
_BATCH = 40
_GONE = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.RESOURCE_EXHAUSTED)


@dataclass
class Told:
    """What a source has sent and knows to be landed."""

    sent: int = 0
    repeated: int = 0
    """Rows that said what was there already."""
    corrected: int = 0
    """Rows that took the place of an older one."""
    pieces: dict = field(default_factory=dict)
    """By day and external id; None: the row cannot be used."""


class Source:
    """One source system: late, repeated, corrected and bad rows by chance."""

    def __init__(self, name, clients):
        self.told = Told()
        self._name = name
        self._clients = clients
        self._chance = random.Random(name)
        self._records = {}
        self._versions = {}
        self._gone = 0

    async def run(self, stop):
        """Send batches until told to stop."""
        while not stop.is_set():
            await self._send(self._batch())

    def _batch(self):
        batch = {}
        for _ in range(_BATCH):
            draw = self._chance.random()
            known = [each for each in self._records if each not in batch] if draw < 0.2 else []
            if not known:
                self._new(batch)
            elif draw < 0.1:
                self._repeat(batch, self._chance.choice(known))
            else:
                self._correct(batch, self._chance.choice(known))
        return list(batch.values())

    def _new(self, batch):
        external_id = f"{self._name}-{len(self._records)}"
        self._versions[external_id] = 0
        self._write(batch, external_id, day=self._chance.randrange(DAYS))

    def _repeat(self, batch, external_id):
        batch[external_id] = self._records[external_id]
        self.told.repeated += 1

    def _correct(self, batch, external_id):
        self._versions[external_id] += 1
        [before] = [day for day, known in self.told.pieces if known == external_id]
        del self.told.pieces[before, external_id]
        old = self._records[external_id]
        self._write(batch, external_id, day=self._chance.randrange(DAYS))
        new = self._records[external_id]
        if (old.payload, old.event_time) == (new.payload, new.event_time):  # by chance it says what was there already
            self.told.repeated += 1
        else:
            self.told.corrected += 1

    def _write(self, batch, external_id, day):
        """A version of a row: good or bad, on a day that may be another than before."""
        pieces = self._chance.randrange(1, 1000)
        is_bad = self._chance.random() < 0.04
        payload = {**ORDER, "total_qty": "12,5" if is_bad else pieces, "good_qty": pieces if not is_bad else 1}
        payload["defect_qty"] = 0
        time = NOON + timedelta(days=day)
        source_time = NOON + timedelta(days=DAYS, seconds=self._versions[external_id])
        batch[external_id] = self._records[external_id] = record(
            payload, external_id, event_time=time, source_time=source_time, source_system=self._name
        )
        self.told.pieces[day, external_id] = None if is_bad else pieces

    async def _send(self, records):
        while True:
            client = self._clients[self._gone % len(self._clients)]
            try:
                await client.IngestBatch(records=records, deadline=10)
            except grpc.aio.AioRpcError as error:
                if error.code() not in _GONE:
                    raise
                self._gone += 1  # whether it was landed is not known: it is sent again, to the other replica
                await asyncio.sleep(0.05)
                continue
            self.told.sent += len(records)
            return
