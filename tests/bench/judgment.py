"""What a judgment costs, beside zen-engine, CEL and a bare gRPC echo; and what a million of them cost to replay.

All evaluators judge the same inputs by the same table of 20 rows, by turns, and must agree on every one of them before
anything is timed. ZEN and CEL are used in the fastest way that was found: ZEN with a static loader, CEL as one nested
conditional. What is ours checks and rounds each input first; theirs is neither checked nor rounded.

Of what a stored `Judge` costs the service, about half is gRPC and the event loop, as in the echo. The rest the echo
does not do: the token and the deadline, the judgment with its answer, and a share of the group's commit.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import cel
import grpc.aio
import numpy as np
import zen
from millwright.judgment.v1 import (
    judgment_service_pb2,
    judgment_service_pb2_grpc,
    ruleset_service_pb2,
    ruleset_service_pb2_grpc,
)
from millwright_judgment.domain.evaluation.columns import CHUNK_ROWS, ColumnEvaluator
from millwright_judgment.domain.evaluation.rows import Evaluator, Judgment
from millwright_judgment.domain.input.columns import Column, NumberColumn, TextColumn
from millwright_judgment.domain.ruleset import canonical, document
from millwright_local.ports import LOOPBACK, find_free_port
from millwright_local.processes import Process
from millwright_local.stack import TENANT, Stack

from tests.bench import judgment_crash, judgment_replays
from tests.bench.figures import Figure, latencies
from tests.bench.judgment_table import FIELDS, PRODUCTS, RULESET, Given, inputs, message, ruleset
from tests.bench.rig import fresh_stack

BENCH = "judgment"
INPUTS = 2_000
ROUNDS = 7
ROUND_SECONDS = 0.3
CALLERS = 64
CALL_ROUNDS = 6
CALL_SECONDS = 1.0
BATCH = 1_000
BATCHES_AT_ONCE = 4
READY_SECONDS = 10.0

Round = Callable[[], int]
"""Judges once over and gives how many inputs that were."""


async def judgment() -> AsyncIterator[Figure]:
    """Measure evaluation in this process, then the service."""
    for figure in _in_process():
        yield figure
    async with fresh_stack() as stack, grpc.aio.insecure_channel(stack.endpoints["judgment"]) as channel:
        service = _Service(stack, channel)
        await service.publish()
        async for figure in _judge(stack, service):
            yield figure
        yield await _batches(service)
        yield await judgment_crash.lost(stack, BENCH, service.given)
        async for figure in judgment_replays.replays(stack, BENCH):
            yield figure


def _in_process() -> Iterator[Figure]:
    evaluator = Evaluator(document.read(json.dumps(ruleset())).require())
    few, many = inputs(INPUTS), inputs(CHUNK_ROWS)
    zen_rule, cel_rule = _zen(evaluator), _cel(evaluator)
    by_columns, chunk = ColumnEvaluator(evaluator), _columns(many)
    _agree(evaluator, few, zen_rule, cel_rule, by_columns)
    rates = _by_turns(
        {
            "rows": lambda: _each(evaluator.judge, few),
            "zen": lambda: _each(zen_rule, few),
            "cel": lambda: _each(cel_rule, few),
            "columns": lambda: len(by_columns.judge(chunk, CHUNK_ROWS).decision),
        }
    )
    zen_peer, cel_peer = "zen-engine, static loader", "CEL in Rust, one conditional"
    yield Figure(BENCH, "one by one, to ZEN", rates["rows"], "rows/s", zen_peer, rates["zen"], least_ratio=5)
    yield Figure(BENCH, "one by one, to CEL", rates["rows"], "rows/s", cel_peer, rates["cel"], least_ratio=1)
    yield Figure(BENCH, "in columns, to ZEN", rates["columns"], "rows/s", zen_peer, rates["zen"], least_ratio=100)


def _zen(evaluator: Evaluator) -> Callable[[Given], str]:
    decision = canonical.to_decision(evaluator.ruleset)
    engine = zen.ZenEngine({"loader": {"type": "static", "content": {"table": decision}}})
    return lambda given: str(engine.evaluate("table", given)["result"]["note"])


def _cel(evaluator: Evaluator) -> Callable[[Given], str]:
    (table,) = evaluator.ruleset.tables
    text = '"none"'
    for rule in reversed(table.rules):
        tests = [_cel_test(name, cell.text) for name, cell in rule.cells.items()]
        text = f'{" && ".join(tests) or "true"} ? "{rule.id}" : ({text})'
    program = cel.compile(text)
    return lambda given: str(program.execute(given))


def _cel_test(name: str, cell: str) -> str:
    if cell.startswith("["):
        low, high = cell.strip("[]").split("..")
        return f"{name} >= {low}.0 && {name} <= {high}.0"
    if cell.startswith(">"):
        number = cell.removeprefix("> ")
        return f"{name} > {number if '.' in number else f'{number}.0'}"
    return f"{name} == {cell}"


def _columns(given: Sequence[Given]) -> dict[str, Column]:
    codes = np.array([PRODUCTS.index(str(each["product"])) for each in given], dtype=np.int32)
    numbers = {name: NumberColumn(np.array([each[name] for each in given], dtype=np.float64)) for name in FIELDS[:2]}
    return {**numbers, "product": TextColumn(codes, PRODUCTS)}


def _agree(
    evaluator: Evaluator,
    given: Sequence[Given],
    zen_rule: Callable[[Given], str],
    cel_rule: Callable[[Given], str],
    by_columns: ColumnEvaluator,
) -> None:
    judged = by_columns.judge(_columns(given), len(given))
    for row, each in enumerate(given):
        own = evaluator.judge(each)
        assert isinstance(own, Judgment)
        assert own.decision == judged.decision_at(row)
        assert own.decision.rule == zen_rule(each) == cel_rule(each), each


def _each(judge: Callable[[Given], object], given: Sequence[Given]) -> int:
    for each in given:
        judge(each)
    return len(given)


def _by_turns(rounds: dict[str, Round]) -> dict[str, float]:
    """Give the median rate of each."""
    rates: dict[str, list[float]] = {name: [] for name in rounds}
    for _ in range(ROUNDS):
        for name, run in rounds.items():
            run()
            begin, done = time.perf_counter(), 0
            while (seconds := time.perf_counter() - begin) < ROUND_SECONDS:
                done += run()
            rates[name].append(done / seconds)
    return {name: float(np.median(measured)) for name, measured in rates.items()}


class _Service:
    """The service, as a plant calls it."""

    def __init__(self, stack: Stack, channel: grpc.aio.Channel) -> None:
        self.metadata = [("authorization", f"Bearer {stack.keys.token(tenant=TENANT)}")]
        self.judgments = judgment_service_pb2_grpc.JudgmentServiceStub(channel)
        self._rulesets = ruleset_service_pb2_grpc.RulesetServiceStub(channel)
        self.given = [message(each) for each in inputs(INPUTS)]

    async def publish(self) -> None:
        """Publish the ruleset."""
        request = ruleset_service_pb2.PublishVersionRequest(document=json.dumps(ruleset()), promote_to="prod")
        await self._rulesets.PublishVersion(request, metadata=self.metadata)

    def request(self, number: int) -> judgment_service_pb2.JudgeRequest:
        """Give what asks for one judgment."""
        return judgment_service_pb2.JudgeRequest(ruleset=RULESET, input=self.given[number % INPUTS])


async def _judge(stack: Stack, service: _Service) -> AsyncIterator[Figure]:
    """Call the service and a bare echo of the same bytes by turns."""
    answer = await service.judgments.Judge(service.request(0), metadata=service.metadata)
    async with _echo(stack, answer) as echo:
        taken: dict[str, list[float]] = {"service": [], "echo": []}
        seconds = dict.fromkeys(taken, 0.0)
        stubs: dict[str, Any] = {"service": service.judgments, "echo": echo}
        for turn in range(-1, CALL_ROUNDS):
            for name, stub in stubs.items():
                begin = time.perf_counter()
                calls = await _call_for(CALL_SECONDS, stub.Judge, service)
                if turn >= 0:  # the first turn warms
                    seconds[name] += time.perf_counter() - begin
                    taken[name] += calls
        rates = {name: len(taken[name]) / seconds[name] for name in taken}
        peer = "bare grpc.aio echo"
        metric = f"Judge at {CALLERS}, stored"
        yield Figure(BENCH, metric, rates["service"], "1/s", peer, rates["echo"], least_ratio=0.5)
        for figure in latencies(BENCH, metric, taken["service"]):
            yield figure


async def _call_for(seconds: float, judge: Callable[..., Awaitable[object]], service: _Service) -> list[float]:
    """Call for a while, as many callers at once; give what each call took."""
    taken: list[float] = []
    end = time.perf_counter() + seconds

    async def caller(number: int) -> None:
        while (begin := time.perf_counter()) < end:
            await judge(service.request(number), metadata=service.metadata)
            taken.append(time.perf_counter() - begin)
            number += CALLERS

    await asyncio.gather(*(caller(number) for number in range(CALLERS)))
    return taken


async def _batches(service: _Service) -> Figure:
    """Store batches, a few at once."""
    each = [judgment_service_pb2.BatchInput(input=given) for given in service.given[:BATCH]]
    request = judgment_service_pb2.JudgeBatchRequest(ruleset=RULESET, inputs=each)
    end = time.perf_counter() + CALL_SECONDS * CALL_ROUNDS
    stored = 0

    async def caller() -> None:
        nonlocal stored
        while time.perf_counter() < end:
            answer = await service.judgments.JudgeBatch(request, metadata=service.metadata, timeout=60)
            assert not any(result.HasField("error") for result in answer.results)
            stored += len(answer.results)

    begin = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(BATCHES_AT_ONCE)))
    return Figure(BENCH, f"JudgeBatch of {BATCH:,}, stored", stored / (time.perf_counter() - begin), "rows/s")


@asynccontextmanager
async def _echo(
    stack: Stack, answer: judgment_service_pb2.JudgeResponse
) -> AsyncIterator[judgment_service_pb2_grpc.JudgmentServiceStub]:
    """Start the peer in a process of its own, answering with the same bytes."""
    address = f"{LOOPBACK}:{find_free_port()}"
    command = [sys.executable, "-m", "tests.bench.echo", address, answer.SerializeToString().hex()]
    process = Process("echo", command, log=stack.logs / "echo.log")
    process.start()
    try:
        async with grpc.aio.insecure_channel(address) as channel:
            async with asyncio.timeout(READY_SECONDS):
                await channel.channel_ready()
            yield judgment_service_pb2_grpc.JudgmentServiceStub(channel)
    finally:
        await process.kill()
