"""Pages of executions, as a replay reads them."""

import uuid

import numpy as np
import orjson
from millwright_judgment.domain.executions import STATUSES, new_id
from millwright_judgment.domain.input.decoding import text_column
from millwright_judgment.domain.replays.page import Page, Recorded, Texts

BEGIN_NANOSECONDS = 1_790_000_000_000_000_000
_SECOND_NANOSECONDS = 1_000_000_000


def page(judged, **segments):
    """Give a page of inputs that were judged: a version's number, its evaluator and an input each, the newest first."""
    ids = [new_id(BEGIN_NANOSECONDS - row * _SECOND_NANOSECONDS) for row in range(len(judged))]
    results = [evaluator.judge(given) for _, evaluator, given in judged]
    decisions = [result.decision for result in results]
    named = {name: segments.get(name, [None] * len(judged)) for name in ("line", "product", "shift", "unit")}
    return Page(
        executions=np.array([each.bytes for each in ids], dtype="V16"),
        versions=np.array([number for number, _, _ in judged], dtype=np.int32),
        inputs=Texts(
            [
                orjson.dumps(dict(zip(evaluator.names, result.values, strict=True)))
                for (_, evaluator, _), result in zip(judged, results, strict=True)
            ]
        ),
        segments={name: text_column(values) for name, values in named.items()},
        recorded=Recorded(
            status=np.array([STATUSES.index(each.status) + 1 for each in decisions], dtype=np.int16),
            outcome=text_column([each.outcome or None for each in decisions]),
            rule=text_column([each.rule or None for each in decisions]),
            confidence=np.array([each.confidence for each in decisions]),
            matched=b"".join(
                evaluator.matched_bits(result.matched)
                for (_, evaluator, _), result in zip(judged, results, strict=True)
            ),
        ),
    )


def ids(of):
    """Give the ids of a page's executions."""
    return [str(uuid.UUID(bytes=bytes(each))) for each in of.executions]
