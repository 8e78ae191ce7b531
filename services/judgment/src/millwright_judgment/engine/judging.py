"""Judging: an input and a basis become a judgment, which is stored before it is answered.

Where a channel has moved while a judgment was on its way to the store, it is judged again by what the channel is then.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, TypeAlias

import orjson
from millwright_runtime.errors import MillwrightError, Violation
from millwright_runtime.postgres.database import Database

from millwright_judgment.commands.storing import Group, Item, Part
from millwright_judgment.domain.errors import InvalidInput
from millwright_judgment.domain.evaluation.rows import Judgment
from millwright_judgment.domain.executions import ENGINE_VERSION, STATUS_NUMBERS, Execution, Segment, new_id, time_of
from millwright_judgment.domain.input.check import Refused, Values
from millwright_judgment.domain.record import actions_text, is_reproduced, outputs_text
from millwright_judgment.engine.participation import take_part
from millwright_judgment.engine.recording import Recorder
from millwright_judgment.engine.versions import Basis, Compiled, Versions
from millwright_judgment.store import executions
from millwright_judgment.store.bases import Target
from millwright_judgment.store.executions import Key

_LONG_TURN = 256
"""So many inputs are judged before others have their turn."""


class Wish(NamedTuple):
    """One input that is to be judged."""

    input: Mapping[str, object]
    segment: Segment
    event_time: datetime | None
    """None: when it is judged."""
    idempotency_key: str
    """Empty for none."""
    digest: bytes
    """Of all that was asked for; with a key only."""
    routing_key: str


class Judged(NamedTuple):
    """A judgment, with what it was made from."""

    execution: Execution
    judgment: Judgment | None
    """None if what was recorded does not come out again."""
    version: Compiled
    is_replayed: bool = False
    """It is the first answer to its key again."""


Answer: TypeAlias = Judged | MillwrightError
"""What is answered to one input."""
Prepare: TypeAlias = Callable[[Sequence[Answer]], None]
"""Is told what is judged, before any of it is stored; if it refuses that, nothing is."""


def _prepare_nothing(_answers: Sequence[Answer]) -> None:
    """Have an answer that always fits."""


class Judging:
    """Judges for callers."""

    def __init__(self, database: Database, versions: Versions, recorder: Recorder) -> None:
        self._database = database
        self._versions = versions
        self._recorder = recorder

    async def judge(
        self, target: Target, caller: str, wishes: Sequence[Wish], prepare: Prepare = _prepare_nothing
    ) -> Sequence[Answer]:
        """Judge inputs by one version, store the judgments together, and give an answer to each.

        Raises StoreBusy, before anything has happened, what `prepare` raises, and what `Versions.look` raises.
        """
        try:
            basis = self._versions.remembered(target) or await self._versions.look(target)
            while (answers := await self._attempt(basis, caller, wishes, prepare)) is None:
                basis = await self._versions.look(target)
        except MillwrightError:
            if first := await self._first_answers(target.tenant, wishes):
                return first
            raise
        return answers

    async def preview(self, target: Target, caller: str, wish: Wish) -> Answer:
        """Judge one input as `judge` would, and store nothing."""
        answer, _ = _judge(await self._versions.look(target), caller, wish)
        return answer

    async def read(self, execution: Execution, *, is_replayed: bool = False) -> Judged:
        """Give an execution that is stored, with its judgment if that comes out again as it was recorded."""
        version = await self._versions.compiled(execution.tenant, execution.ruleset, execution.version)
        again = version.evaluator.judge(orjson.loads(execution.input))
        if isinstance(again, Refused) or not is_reproduced(execution, version.evaluator, again):
            return Judged(execution, None, version, is_replayed)
        return Judged(execution, again, version, is_replayed)

    async def _attempt(
        self, basis: Basis, caller: str, wishes: Sequence[Wish], prepare: Prepare
    ) -> Sequence[Answer] | None:
        """Judge by a basis that may be outdated; None if it was."""
        judged = []
        for number, wish in enumerate(wishes, 1):
            judged.append(_judge(basis, caller, wish))
            if number % _LONG_TURN == 0:
                await asyncio.sleep(0)
        try:
            prepare([answer for answer, _ in judged])
        except MillwrightError:
            if await self._is_outdated(basis):
                return None
            raise
        items = [item for _, item in judged]
        group = Group(basis.target, basis.stamp, items)
        if basis.version.is_acknowledged_early and not any(item.key or item.part for item in items):
            if await self._is_outdated(basis):
                return None
            self._recorder.keep(Group(basis.target, basis.stamp, items, is_answered=True))
            return [answer for answer, _ in judged]
        results = await self._recorder.record(group)
        if results is None:
            return None
        return [
            answer if result is None else await self._settled(result)
            for (answer, _), result in zip(judged, results, strict=True)
        ]

    async def _is_outdated(self, basis: Basis) -> bool:
        return (await self._versions.look(basis.target)).stamp != basis.stamp

    async def _settled(self, result: Execution | MillwrightError) -> Answer:
        return result if isinstance(result, MillwrightError) else await self.read(result, is_replayed=True)

    async def _first_answers(self, tenant: str, wishes: Sequence[Wish]) -> Sequence[Answer]:
        """Give the first answers to wishes that were all answered before; none if one of them was not."""
        keys = [Key(tenant, wish.idempotency_key) for wish in wishes if wish.idempotency_key]
        if len(keys) < len(wishes):
            return []
        async with self._database.snapshot(tenant) as connection:
            claims = await executions.claims(connection, keys)
            if any(key not in claims for key in keys):
                return []
            found = await executions.get_many(connection, [(tenant, claims[key].execution) for key in keys])
        is_same = all(claims[key].digest == wish.digest for key, wish in zip(keys, wishes, strict=True))
        if not is_same or any(claims[key].execution not in found for key in keys):
            return []
        return [await self.read(found[claims[key].execution], is_replayed=True) for key in keys]


def _judge(basis: Basis, caller: str, wish: Wish) -> tuple[Answer, Item]:
    """Give the answer to a wish, and what is to be stored of it."""
    execution_id = new_id(time.time_ns())
    participation = None
    if basis.trying is not None:
        unit = wish.routing_key or wish.segment.unit or str(execution_id)
        participation = take_part(basis.trying, unit)
    version = participation.version if participation else basis.version
    tenant = basis.target.tenant
    key = Key(tenant, wish.idempotency_key) if wish.idempotency_key else None
    judged = version.evaluator.judge(wish.input)
    part = participation.part(tenant, wish.input, judged) if participation else None
    if isinstance(judged, Refused):
        return InvalidInput([_placed(it) for it in judged.violations]), Item(None, key, wish.digest, part)
    execution = _execution(basis, caller, wish, execution_id, version, judged, part)
    return Judged(execution, judged, version), Item(execution, key, wish.digest, part)


def _execution(
    basis: Basis,
    caller: str,
    wish: Wish,
    execution_id: uuid.UUID,
    version: Compiled,
    judged: Judgment,
    part: Part | None,
) -> Execution:
    decision = judged.decision
    judge_time = time_of(execution_id)
    text = canonical_input(version, judged.values)
    return Execution(
        tenant=basis.target.tenant,
        execution=execution_id,
        judge_time=judge_time,
        ruleset=basis.target.ruleset,
        version=version.number,
        channel=basis.target.channel or None,
        input=text.decode(),
        input_hash=hashlib.sha256(text).digest()[:16],
        status=STATUS_NUMBERS[decision.status],
        outcome=decision.outcome or None,
        confidence=decision.confidence,
        winning_rule=decision.rule or None,
        matched=version.evaluator.matched_bits(judged.matched),
        outputs=outputs_text(version.evaluator, judged),
        actions=actions_text(decision),
        line=wish.segment.line,
        product=wish.segment.product,
        shift=wish.segment.shift,
        unit=wish.segment.unit,
        event_time=wish.event_time or judge_time,
        caller=caller,
        experiment=part.experiment if part else None,
        arm=part.arm if part else None,
        engine_version=ENGINE_VERSION,
    )


def canonical_input(version: Compiled, values: Values) -> bytes:
    """Give an input as it was judged, as JSON with its keys in order."""
    return orjson.dumps({name: values[place] for name, place in version.sorted_fields})


def _placed(violation: Violation) -> Violation:
    """Give a violation with its path in the request."""
    field = f"input.values.{violation.field}" if violation.field else "input.values"
    return Violation(field, violation.reason, violation.description)
