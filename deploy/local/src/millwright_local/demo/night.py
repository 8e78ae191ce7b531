"""The fourth act: a week of raw rows becomes facts in one night, a bad row is mended, a late one changes yesterday.

What must come of the rows is told by the generator that made them up, so that the facts are held to the truth.
"""

import time
from collections import Counter
from datetime import date, timedelta

from google.protobuf.struct_pb2 import Struct
from millwright.etl.v1.ingest_service_pb2 import ExpectedFact, GenerateRecordsRequest, IngestBatchRequest
from millwright.etl.v1.pipeline_service_pb2 import ListRunsRequest, ListWindowsRequest
from millwright.etl.v1.production_service_pb2 import (
    DIMENSION_DATE,
    DIMENSION_LINE,
    DIMENSION_PRODUCT,
    DIMENSION_SHIFT,
    MEASURE_DEFECT_QTY,
    MEASURE_DEFECT_RATE,
    MEASURE_GOOD_QTY,
    MEASURE_TOTAL_QTY,
    MEASURE_WORK_ORDERS,
    ProductionFilter,
    QueryProductionRequest,
)
from millwright.etl.v1.quarantine_service_pb2 import ListQuarantinedRecordsRequest, Redrive, RedriveRecordsRequest
from millwright.etl.v1.run_pb2 import Run, Window

from millwright_local.demo.orders import work_order, yesterday
from millwright_local.demo.scene import Scene, new_id
from millwright_local.demo.stage import Stage
from millwright_local.etl_client import EtlClient

DAYS = 7
BY_HAND = "L99"
"""The line whose rows are not made up by the generator."""
NIGHT_SECONDS = 120.0
BAR_WIDTH = 30
Facts = dict[tuple[str, ...], tuple[float | None, ...]]
"""Measures, by the keys that they are grouped by."""


class Night:
    """The act."""

    title = "A week of raw rows becomes facts in one night, and a late row changes yesterday"

    def __init__(self, scene: Scene) -> None:
        self.stage: Stage = scene.stage
        self.service = scene.stack.services["etl"]
        self.client = EtlClient(scene.stack.endpoints["etl"], scene.token)
        self.yesterday = yesterday()

    async def tell(self) -> None:
        """Tell the act from its beginning to its end. Raises ClaimBroken, or what a call raises."""
        async with self.client:
            expected = await self._land_a_week()
            await self._run_the_night(expected)
            await self._mend_a_row()
            await self._be_late()

    async def _land_a_week(self) -> list[ExpectedFact]:
        with self.stage.step(f"Land {DAYS} days of raw rows: some late, twice, corrected or bad"):
            plan = GenerateRecordsRequest(
                seed=7,
                from_date=str(self.yesterday - timedelta(days=DAYS - 1)),
                days=DAYS,
                late_share=0.05,
                duplicate_share=0.05,
                corrected_share=0.05,
                bad_share=0.01,
            )
            messages = [it async for it in self.client.stream(self.client.ingest.GenerateRecords, plan)]
            last = messages[-1]
            counts = [(field.name, count) for field, count in last.counts.ListFields()]
            self.stage.table(("became", "rows"), counts)
            is_whole = last.records == last.total
            self.stage.claim("every row is landed", holds=is_whole, measured=f"{last.records:,}")
            await self._land("comma", self.yesterday, total="1,250", good=1200, defect=50)
            self.bad = Counter({"NOT_A_NUMBER": 1}) + Counter(last.expected_quarantine)
        return [fact for message in messages for fact in message.expected]

    async def _run_the_night(self, expected: list[ExpectedFact]) -> None:
        with self.stage.step("Run the night, as the CronJob does: etl run --due"):
            begin = time.perf_counter()
            await self.service.run_once("run", "--due", seconds=NIGHT_SECONDS)
            seconds = time.perf_counter() - begin
            run = await self._newest_run()
            measured = f"{run.progress.windows_done} days, {run.counts.rows_used:,} rows used, in {seconds:.1f} s"
            self.stage.claim("it ends with exit code 0", holds=run.state == Run.STATE_COMPLETED, measured=measured)
            facts = await self._facts()
            wanted = {
                (it.date, it.line, it.product, it.shift): (it.total_qty, it.good_qty, it.defect_qty, it.work_orders)
                for it in expected
            }
            is_true = {key: value for key, value in facts.items() if key[1] != BY_HAND} == wanted
            self.stage.claim(
                "the facts are those that must come of the rows", holds=is_true, measured=f"{len(facts):,}"
            )
            counts = run.counts
            adds_up = counts.rows_read == counts.rows_used + counts.rows_quarantined + counts.rows_superseded
            measured = (
                f"{counts.rows_read:,} = {counts.rows_used:,} + {counts.rows_quarantined} + {counts.rows_superseded}"
            )
            self.stage.claim("rows read = used + set aside + deleted", holds=adds_up, measured=measured)
            await self._draw()

    async def _draw(self) -> None:
        asking = QueryProductionRequest(
            filter=self._week(), group_by=[DIMENSION_DATE], measures=[MEASURE_TOTAL_QTY, MEASURE_DEFECT_RATE]
        )
        days = await self._query(asking)
        most = max(total or 0 for total, _ in days.values())
        rows = [
            (day, int(total or 0), rate or 0.0, _bar(total or 0, most))
            for (day,), (total, rate) in sorted(days.items())
        ]
        self.stage.table(("day", "pieces", "defects", ""), rows)

    async def _mend_a_row(self) -> None:
        with self.stage.step("Mend one row that was set aside, and send it through again"):
            asking = ListQuarantinedRecordsRequest(page_size=500)
            listed = await self.client.call(self.client.quarantine.ListQuarantinedRecords, asking)
            reasons = Counter(reason.code for record in listed.records for reason in record.reasons)
            self.stage.table(("reason", "rows"), sorted(reasons.items()))
            is_expected = len(listed.records) == sum(self.bad.values())
            self.stage.claim(
                "what was set aside is what is bad", holds=is_expected, measured=f"{len(listed.records)} rows"
            )
            (found,) = (it for it in listed.records if it.record.external_id == "comma")
            self.stage.say(f"{found.reasons[0].field} = {found.reasons[0].value!r}: {found.reasons[0].message}")
            corrections = Struct()
            corrections.update({"total_qty": 1250})
            redrive = RedriveRecordsRequest(
                redrives=[Redrive(name=found.name, corrections=corrections)], note="a comma", request_id=new_id()
            )
            answer = await self.client.call(self.client.quarantine.RedriveRecords, redrive)
            run = await self.client.end_of(answer.run.name)
            holds = run.state == Run.STATE_COMPLETED and await self._by_hand() == 1250
            self.stage.claim("its pieces are in yesterday's facts", holds=holds, measured="1,250")

    async def _be_late(self) -> None:
        with self.stage.step("Land a row of yesterday that comes late, and run the next night"):
            before = await self._facts()
            await self._land("late", self.yesterday, total=800, good=790, defect=10)
            await self.service.run_once("run", "--due", seconds=NIGHT_SECONDS)
            run = await self._newest_run()
            windows = await self.client.call(self.client.pipelines.ListWindows, ListWindowsRequest(run=run.name))
            (window,) = windows.windows
            is_yesterday = (window.date, window.cause) == (str(self.yesterday), "dirty")
            is_published = window.state == Window.STATE_PUBLISHED
            measured = f"{window.date}, because rows of it changed"
            self.stage.claim("one day is made anew", holds=is_yesterday and is_published, measured=measured)
            counts = window.counts
            measured = f"{counts.facts_updated} updated, {counts.facts_unchanged} as they were"
            is_least = (counts.facts_inserted, counts.facts_updated, counts.facts_deleted) == (0, 1, 0)
            self.stage.claim("one fact is written", holds=is_least, measured=measured)
            after = await self._facts()
            changed = {key[1] for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
            holds = changed == {BY_HAND} and await self._by_hand() == 2050
            self.stage.claim("yesterday has its pieces, and no other fact has changed", holds=holds, measured="2,050")

    async def _land(self, external_id: str, day: date, *, total: int | str, good: int, defect: int) -> None:
        """Land a work order of a line that the generator does not know."""
        record = work_order(external_id, BY_HAND, day, total=total, good=good, defect=defect)
        await self.client.call(self.client.ingest.IngestBatch, IngestBatchRequest(records=[record]))

    async def _newest_run(self) -> Run:
        return (await self.client.call(self.client.pipelines.ListRuns, ListRunsRequest(page_size=1))).runs[0]

    async def _facts(self) -> Facts:
        asking = QueryProductionRequest(
            filter=self._week(),
            group_by=[DIMENSION_DATE, DIMENSION_LINE, DIMENSION_PRODUCT, DIMENSION_SHIFT],
            measures=[MEASURE_TOTAL_QTY, MEASURE_GOOD_QTY, MEASURE_DEFECT_QTY, MEASURE_WORK_ORDERS],
        )
        return await self._query(asking)

    async def _by_hand(self) -> float:
        return sum(total or 0 for (_, line, *_), (total, *_) in (await self._facts()).items() if line == BY_HAND)

    async def _query(self, asking: QueryProductionRequest) -> Facts:
        answers = [it async for it in self.client.stream(self.client.production.QueryProduction, asking)]
        return {
            tuple(row.keys): tuple(it.value if it.HasField("value") else None for it in row.values)
            for answer in answers
            for row in answer.rows
        }

    def _week(self) -> ProductionFilter:
        return ProductionFilter(from_date=str(self.yesterday - timedelta(days=DAYS - 1)), to_date=str(self.yesterday))


def _bar(value: float, most: float) -> str:
    return "█" * round(BAR_WIDTH * value / most)
