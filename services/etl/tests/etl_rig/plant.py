"""A plant whose rows are put as they are, and whose days are made without the service: for tests of the statement."""

import hashlib
import json
import uuid
from datetime import date, datetime
from zoneinfo import ZoneInfo

from millwright_etl.commands import making
from millwright_etl.domain.calendar import Calendars
from millwright_etl.domain.windows import discrepancies, window
from millwright_etl.store import months, windows

SEOUL = ZoneInfo("Asia/Seoul")
DAY = date(2026, 11, 14)
NOON = datetime(2026, 11, 14, 12, tzinfo=SEOUL)
ORDER = {"line_code": "L1", "product_code": "P1", "shift": "A", "total_qty": 100, "good_qty": 95, "defect_qty": 5}


class Plant:
    """A tenant of its own: its rows, and its days."""

    def __init__(self, connection):
        self.connection = connection
        self.tenant = f"t-{uuid.uuid4().hex[:12]}"

    async def begin(self):
        """Be the tenant of this connection from now on."""
        await self.connection.execute(f"SET millwright.tenant = '{self.tenant}'; SET TIME ZONE 'UTC'")

    async def land(self, payload, external_id="1", record_type="WORK_ORDER", event_time=NOON, deleted=False):
        """Put a row as it is in the place of the one of its key."""
        text = json.dumps(payload)
        await self.connection.execute(
            _LAND,
            self.tenant,
            record_type,
            external_id,
            text,
            hashlib.sha256(text.encode()).digest(),
            event_time,
            deleted,
        )

    async def run(self, day=DAY):
        """Make the facts of a day, check that they add up, and give the counts."""
        asked = window(Calendars(), self.tenant, day)
        await months.ensure(self.connection, asked.date)
        async with self.connection.transaction():
            await windows.set_limits(self.connection, 16)
            counts = (await windows.make_facts(self.connection, asked, uuid.uuid4(), 60)).counts
            assert discrepancies(counts, await windows.read_back(self.connection, asked)) == []
        return counts

    async def make(self, day=DAY):
        """Make the facts of a day as a run does: published, or rolled back and what is wrong set aside."""
        asked, run = window(Calendars(), self.tenant, day), uuid.uuid4()
        await months.ensure(self.connection, asked.date)
        transaction = self.connection.transaction()
        await transaction.start()
        await windows.set_limits(self.connection, 16)
        made = await making.make(self.connection, asked, run, 60, asked.end_time)
        if made.refusal is None:
            await transaction.commit()
        else:
            await transaction.rollback()
            await making.set_aside(self.connection, asked, run, 60)
        return made

    async def published(self, day, rows, sources=None):
        """Note that a day was published."""
        await self.connection.execute(_PUBLISHED, self.tenant, day, rows, json.dumps(sources or {}))

    async def facts(self):
        """Give pieces by day, line, product and shift."""
        rows = await self.connection.fetch("SELECT * FROM bi.fact_daily_production ORDER BY 1, 2, 3, 4, 5")
        return {(row["date"], row["line"], row["product"], row["shift"]): row["total_qty"] for row in rows}

    async def quarantine(self):
        """Give state and reasons by external id."""
        rows = await self.connection.fetch("SELECT external_id, state, reasons FROM etl.quarantine ORDER BY revision")
        found = ((row["external_id"], row["state"], json.loads(row["reasons"])) for row in rows)
        return {name: (state, {(each["code"], each["field"]) for each in reasons}) for name, state, reasons in found}


_LAND = """
INSERT INTO core.erp_mes_data AS raw
    (tenant, source_system, record_type, external_id, source_type, payload, payload_hash, event_time, source_time,
     deleted)
VALUES ($1, 'mes-1', $2, $3, 'MES', $4, $5, $6, $6, $7)
ON CONFLICT (tenant, source_system, record_type, external_id) DO UPDATE
SET payload = excluded.payload, event_time = excluded.event_time, deleted = excluded.deleted,
    revision = raw.revision + 1
"""
_PUBLISHED = """
INSERT INTO etl.day (tenant, pipeline, date, state, run, rows_read, sources, publish_time)
VALUES ($1, 'daily-production', $2, 'PUBLISHED', gen_random_uuid(), $3, $4, clock_timestamp())
"""
