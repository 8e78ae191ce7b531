"""Judging every row of a file: in batches, each of which is sent until it is answered, and none of it twice.

Each row has an idempotency key of its run and its number. So a batch whose answer was lost is sent again as it is, and
a run that broke off goes on under its id.
"""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO

import grpc
from google.rpc import status_pb2
from millwright.judgment.v1 import judgment_pb2
from millwright.judgment.v1 import judgment_service_pb2 as pb
from rich.live import Live

from millwright_cli import errors
from millwright_cli.connection import Connection
from millwright_cli.judgment.executions import Stub
from millwright_cli.judgment.rows import Row, Rows
from millwright_cli.judgment.views import judge_file as views
from millwright_cli.judgment.words import Term
from millwright_cli.output import as_json
from millwright_cli.session import Session
from millwright_cli.words import Word

_BATCH = 1_000
# Well below the 4 MiB that a service takes as one message; answers that would be larger are refused, see `_results`.
_BATCH_BYTES = 512 * 1024
_PATIENCE_SECONDS = 120.0
_LONGEST_PAUSE_SECONDS = 5.0
_PASSING = ("UNAVAILABLE", "DEADLINE_EXCEEDED")
_INVALID = grpc.StatusCode.INVALID_ARGUMENT.value[0]


class FileJudging:
    """Judges the rows of one file in one run."""

    def __init__(
        self,
        session: Session,
        connection: Connection,
        stub: Stub,
        ruleset: str,
        run: str,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._session = session
        self._connection = connection
        self._stub = stub
        self._ruleset = ruleset
        self._run = run
        self._pause = pause
        self._tally = views.Tally(run)
        self._view = judgment_pb2.EXECUTION_VIEW_FULL

    def run(self, rows: Rows, results: Path | None) -> int:
        """Judge all rows, show how far it is and what became of them; give how many were refused.

        Raises grpc.RpcError where a batch is refused as a whole, or not answered for two minutes.
        """
        screen = self._session.screen
        is_told = results is not None or self._session.screen.is_json
        self._view = judgment_pb2.EXECUTION_VIEW_FULL if is_told else judgment_pb2.EXECUTION_VIEW_BASIC
        with ExitStack() as stack:
            file = stack.enter_context(self._opened(results)) if results else None
            live = stack.enter_context(Live(console=screen.out, transient=True)) if screen.is_live else None
            for batch in _batches(rows.rows):
                for row, result in zip(batch, self._judge(batch), strict=True):
                    self._take(row, result, file)
                if live:
                    live.update(views.progress(self._tally, rows.lines, self._session.say))
        screen.lines(*views.summary(self._tally, self._session.say))
        return self._tally.refused

    def _judge(self, batch: Sequence[Row]) -> Iterator[pb.JudgeResult]:
        """Give what becomes of each row; those that cannot be read are refused here, as the service would."""
        for row in batch:
            if row.input is not None and not row.input.idempotency_key:
                row.input.idempotency_key = f"{self._run}-{row.number}"
        inputs = [row.input for row in batch if row.input is not None]
        judged = self._results(inputs)
        for row in batch:
            yield _unreadable(row) if row.fault else next(judged)

    def _results(self, inputs: Sequence[pb.BatchInput]) -> Iterator[pb.JudgeResult]:
        """Give the results of a batch, by halves where its answer would be larger than a message may be."""
        if not inputs:
            return
        response = self._send(inputs)
        if response is not None:
            yield from response.results
            return
        half = len(inputs) // 2
        yield from self._results(inputs[:half])
        yield from self._results(inputs[half:])

    def _send(self, inputs: Sequence[pb.BatchInput]) -> pb.JudgeBatchResponse | None:
        """Send a batch until it is answered: the service is busy or away for a while, and keys make it safe.

        None if it was not judged, because the answer to several inputs would be too large.
        """
        request = pb.JudgeBatchRequest(ruleset=self._ruleset, inputs=inputs, view=self._view)
        waited, length = 0.0, 0.1
        while True:
            try:
                return self._connection.call(self._stub.JudgeBatch, request)
            except grpc.RpcError as error:
                failure = errors.refused(error)
                if failure.reason == "ANSWER_TOO_LARGE" and len(inputs) > 1:
                    return None
                if not _passes(failure) or waited >= _PATIENCE_SECONDS:
                    self._session.screen.notice(self._session.say(Term.GO_ON_WITH, run=self._run))
                    raise
            if not waited:
                self._session.screen.notice(self._session.say(Word.CONNECTING))
            self._pause(length)
            waited += length
            length = min(length * 2, _LONGEST_PAUSE_SECONDS)

    def _take(self, row: Row, result: pb.JudgeResult, file: IO[str] | None) -> None:
        self._tally.add(row.number, result)
        if file or self._session.screen.is_json:
            told = json.dumps({"row": row.number, **as_object(result)}, ensure_ascii=False)
            if file:
                file.write(told + "\n")
            if self._session.screen.is_json:
                self._session.screen.raw(told)

    def _opened(self, path: Path) -> IO[str]:
        try:
            return path.open("w", encoding="utf-8")
        except OSError as error:
            cause = error.strerror or type(error).__name__
            say = self._session.say
            raise errors.usage("UNREADABLE", say(Word.UNREADABLE, path=path, cause=cause)) from error


def _batches(rows: Iterator[Row]) -> Iterator[list[Row]]:
    """Cut rows into batches that fit into a message."""
    batch: list[Row] = []
    size = 0
    for row in rows:
        batch.append(row)
        size += row.input.ByteSize() if row.input is not None else 0
        if len(batch) == _BATCH or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _passes(failure: errors.Failure) -> bool:
    """Whether a batch may be judged when it is sent again: a busy service gives a reason, a message too large none."""
    return failure.code in _PASSING or (failure.code == "RESOURCE_EXHAUSTED" and bool(failure.reason))


def _unreadable(row: Row) -> pb.JudgeResult:
    return pb.JudgeResult(error=status_pb2.Status(code=_INVALID, message=row.fault))


def as_object(result: pb.JudgeResult) -> dict[str, object]:
    """Give a result as JSON: `judged`, or the `error` with code and message."""
    if result.HasField("error"):
        return {"error": {"code": result.error.code, "message": result.error.message}}
    return {"judged": as_json(result.judged)}
