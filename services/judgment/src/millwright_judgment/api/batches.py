"""The answer to a batch: put together before anything is stored, so that it is known to reach the caller."""

from __future__ import annotations

from collections.abc import Sequence

from millwright.judgment.v1 import judgment_service_pb2 as pb
from millwright_runtime.api import status
from millwright_runtime.errors import MillwrightError

from millwright_judgment.api import executions as messages
from millwright_judgment.domain.errors import AnswerTooLarge
from millwright_judgment.engine.judging import Answer, Wish

LIMIT_BYTES = 4 * 1024 * 1024
"""What a gRPC client takes as one message unless it is told otherwise."""


class BatchAnswer:
    """What becomes of the inputs of one batch."""

    def __init__(self, wishes: Sequence[Wish | MillwrightError], *, is_basic: bool) -> None:
        """Answer to these, of which some were refused as they were read; `is_basic` by the view BASIC."""
        self._wishes = wishes
        self._message = messages.basic if is_basic else messages.execution
        self._judged: Sequence[Answer] = ()
        self._response = pb.JudgeBatchResponse()

    def prepare(self, judged: Sequence[Answer]) -> None:
        """Put the answer together from what is about to be stored; raise AnswerTooLarge."""
        self._judged = judged
        self._response = self._made_of(judged)
        _check(self._response)

    def settle(self, answers: Sequence[Answer]) -> pb.JudgeBatchResponse:
        """Give the answer now that all is stored. First answers to keys may be larger than what was prepared.

        Raises AnswerTooLarge if no input was judged now; else such first answers alone are refused.
        """
        is_new = [bool(self._judged) and each is self._judged[place] for place, each in enumerate(answers)]
        if all(is_new):
            return self._response
        response = self._made_of(answers)
        try:
            _check(response)
        except AnswerTooLarge as error:
            if not any(is_new):
                raise
            return self._made_of([each if new else error for each, new in zip(answers, is_new, strict=True)])
        return response

    def _made_of(self, answers: Sequence[Answer]) -> pb.JudgeBatchResponse:
        left = iter(answers)
        return pb.JudgeBatchResponse(
            results=[self._result(next(left) if isinstance(wish, Wish) else wish) for wish in self._wishes]
        )

    def _result(self, answer: Answer) -> pb.JudgeResult:
        if isinstance(answer, MillwrightError):
            return pb.JudgeResult(error=status.to_grpc(answer))
        return pb.JudgeResult(judged=pb.JudgeResponse(execution=self._message(answer), replayed=answer.is_replayed))


def _check(response: pb.JudgeBatchResponse) -> None:
    size = response.ByteSize()
    if size > LIMIT_BYTES:
        raise AnswerTooLarge(size_bytes=size, limit_bytes=LIMIT_BYTES)
