"""Replays of a million executions of one day, by two versions, with causes: from the table, and from the day's copy.

What they take of the processor is the service's own process; what they take of time has Postgres in it.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc.aio
import psutil  # type: ignore[import-untyped]
from google.protobuf.timestamp_pb2 import Timestamp
from millwright.judgment.v1 import (
    judgment_pb2,
    judgment_service_pb2,
    judgment_service_pb2_grpc,
    replay_pb2,
    replay_service_pb2,
    replay_service_pb2_grpc,
    ruleset_service_pb2,
    ruleset_service_pb2_grpc,
)
from millwright_judgment.domain.executions import Execution, new_id, time_of
from millwright_local.databases import DATABASE
from millwright_local.processes import until
from millwright_local.service_process import ServiceProcess
from millwright_local.stack import Stack

from tests.bench.figures import Figure
from tests.bench.judgment_table import RULESET, inputs, later_ruleset, message, ruleset

EXECUTIONS = 1_000_000
FEW = 100_000
GATED = 100_000
DAYS_AGO = 3
_TENANT = "plant-of-replays"
_JUDGED = 20_000
"""So many executions are judged by calls; those of the past day are these again and again, at other times."""
_BATCH = 1_000
_COPIED_ROWS = 100_000
_LOT = 50
_COPY_SECONDS = 180.0
_CALL_SECONDS = 180.0
_SERVICE = "judgment"


async def replays(stack: Stack, bench: str) -> AsyncIterator[Figure]:
    """Fill a day that is over, replay it from the table, pass the gate, and replay the day from its copy."""
    service = stack.services[_SERVICE]
    async with _calling(stack) as plant, _sql(stack) as sql:
        await plant.publish(ruleset(), promote_to="prod")
        await plant.publish(later_ruleset())
        await _fill(sql, await plant.judge())
        async for figure in _measure(bench, service, plant, "the table", least=200_000):
            yield figure
        begin = time.perf_counter()
        await plant.publish({**later_ruleset(), "version": "3.0.0", "titles": {"en": "Again"}}, executions=GATED)
        metric = f"publish gate with {GATED:,} executions"
        yield Figure(bench, metric, time.perf_counter() - begin, "s", most=10)
        await service.stop()
        await service.start()  # what is over is copied as soon as it runs
        await until(lambda: _is_copied(sql), _COPY_SECONDS)
        async for figure in _measure(bench, service, plant, "copied columns", least=1_000_000):
            yield figure


async def _measure(
    bench: str, service: ServiceProcess, plant: _Plant, source: str, least: float
) -> AsyncIterator[Figure]:
    await plant.replay(FEW)  # warms
    with _taken(service) as few:
        await plant.replay(FEW)
    with _taken(service) as all_:
        await plant.replay(EXECUTIONS)
    metric = f"replay of {EXECUTIONS:,} from {source}"
    yield Figure(bench, f"{metric}, a core of the service", EXECUTIONS / all_.processor_seconds, "1/s", least=least)
    yield Figure(bench, f"{metric}, by the clock", EXECUTIONS / all_.seconds, "1/s")
    memory, peer = f"{metric}, memory at most", f"the same of {FEW:,}"
    yield Figure(bench, memory, all_.peak_mebibytes, "MiB", peer, few.peak_mebibytes, most_ratio=1.1)


class _Plant:
    """The service, as a plant calls it that has much to replay."""

    def __init__(self, stack: Stack, channel: grpc.aio.Channel) -> None:
        self._metadata = [("authorization", f"Bearer {stack.keys.token(tenant=_TENANT)}")]
        self._judgments = judgment_service_pb2_grpc.JudgmentServiceStub(channel)
        self._rulesets = ruleset_service_pb2_grpc.RulesetServiceStub(channel)
        self._replays = replay_service_pb2_grpc.ReplayServiceStub(channel)

    async def publish(self, document: dict[str, Any], promote_to: str = "", executions: int = 0) -> None:
        """Publish a version; the gate replays so many executions."""
        request = ruleset_service_pb2.PublishVersionRequest(
            document=json.dumps(document), promote_to=promote_to, replay_executions=executions
        )
        answer = await self._rulesets.PublishVersion(request, metadata=self._metadata, timeout=_CALL_SECONDS)
        assert answer.version.gate_report.replay.executions == executions

    async def judge(self) -> datetime:
        """Judge; give a time that is before all of that."""
        begin = datetime.now(UTC) - timedelta(seconds=1)
        batch = []
        for number, given in enumerate(inputs(_JUDGED), 1):
            segment = judgment_pb2.Segment(line=f"L{number % 8}", shift=("day", "night")[number % 2])
            batch.append(judgment_service_pb2.BatchInput(input=message(given), segment=segment))
            if number % _BATCH == 0:
                request = judgment_service_pb2.JudgeBatchRequest(ruleset=RULESET, inputs=batch)
                await self._judgments.JudgeBatch(request, metadata=self._metadata)
                batch = []
        return begin

    async def replay(self, executions: int) -> None:
        """Replay the newest of the day by the later version, to the end."""
        begin, end = (Timestamp() for _ in range(2))
        begin.FromDatetime(_midnight(_day()))
        end.FromDatetime(_midnight(_day() + timedelta(days=1)))
        wanted = judgment_service_pb2.ExecutionFilter(ruleset=RULESET, from_time=begin, to_time=end)
        request = replay_service_pb2.CreateReplayRequest(
            selection=replay_pb2.Selection(filter=wanted, max_executions=executions),
            targets=[replay_pb2.Target(version=f"{RULESET}/versions/2")],
        )
        name = (await self._replays.CreateReplay(request, metadata=self._metadata)).replay.name
        watch = replay_service_pb2.WatchReplayRequest(name=name)
        last = replay_pb2.Replay.STATE_UNSPECIFIED
        async for told in self._replays.WatchReplay(watch, metadata=self._metadata, timeout=_CALL_SECONDS):
            last = told.event.state or last
        assert last == replay_pb2.Replay.STATE_COMPLETED
        asked = replay_service_pb2.GetReplayReportRequest(name=name)
        (target,) = (await self._replays.GetReplayReport(asked, metadata=self._metadata)).report.targets
        assert target.compared == executions
        assert target.changed_outcomes > 0
        assert target.causes


@dataclass(slots=True)
class _Taken:
    """What a process took for something."""

    seconds: float = 0.0
    processor_seconds: float = 0.0
    peak_mebibytes: float = 0.0


@contextmanager
def _taken(service: ServiceProcess) -> Iterator[_Taken]:
    """Tell what a process takes for what is done in the block."""
    assert service.process is not None
    process = psutil.Process(service.process.pid)
    Path(f"/proc/{process.pid}/clear_refs").write_text("5")  # the peak is that of now
    taken, begin, before = _Taken(), time.perf_counter(), process.cpu_times()
    yield taken
    after = process.cpu_times()
    taken.seconds = time.perf_counter() - begin
    taken.processor_seconds = after.user + after.system - before.user - before.system
    status = Path(f"/proc/{process.pid}/status").read_text()
    (peak,) = (line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    taken.peak_mebibytes = int(peak) / 1024


async def _fill(sql: Any, begin: datetime) -> None:
    """Put executions into a day that is over, as an installation has them that is older than a bench."""
    day = _day()
    await sql.execute(_PARTITION.format(name=f"{day:%Y%m%d}", begin=day, end=day + timedelta(days=1)))
    judged = [Execution(*row) for row in await sql.fetch(_JUDGED_SINCE, _TENANT, begin)]
    assert len(judged) == _JUDGED
    for start in range(0, EXECUTIONS, _COPIED_ROWS):
        await sql.copy_records_to_table(
            "execution",
            schema_name="judgment",
            records=_past(judged, range(start, start + _COPIED_ROWS)),
            columns=list(Execution._fields),
        )
    await sql.execute("ANALYZE judgment.execution")


def _past(judged: Sequence[Execution], numbers: range) -> Iterator[Execution]:
    """Give executions as if they had been judged on that day, evenly over it."""
    begin = int(_midnight(_day()).timestamp()) * 1_000_000_000
    pause = 86_400_000_000_000 // EXECUTIONS
    for number in numbers:
        execution = new_id(begin + number * pause)
        yield judged[number % _JUDGED]._replace(
            execution=execution, judge_time=time_of(execution), unit=f"lot-{number // _LOT}"
        )


async def _is_copied(sql: Any) -> bool:
    copied: bool = await sql.fetchval(_IS_COPIED, _TENANT, EXECUTIONS)
    return copied


def _day() -> date:
    return datetime.now(UTC).date() - timedelta(days=DAYS_AGO)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


@asynccontextmanager
async def _calling(stack: Stack) -> AsyncIterator[_Plant]:
    async with grpc.aio.insecure_channel(stack.endpoints[_SERVICE]) as channel:
        yield _Plant(stack, channel)


def _sql(stack: Stack) -> Any:
    assert stack.postgres is not None
    return stack.postgres.connect(DATABASE)


_PARTITION = """
CREATE TABLE IF NOT EXISTS judgment.execution_{name} PARTITION OF judgment.execution
FOR VALUES FROM ('{begin}') TO ('{end}')
"""
_JUDGED_SINCE = f"""
SELECT {", ".join(Execution._fields)} FROM judgment.execution WHERE tenant = $1 AND judge_time >= $2
"""
_IS_COPIED = "SELECT coalesce(sum(rows), 0) = $2 FROM judgment.column_file WHERE tenant = $1"
