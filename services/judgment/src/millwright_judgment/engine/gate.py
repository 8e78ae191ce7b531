"""The publish gate: what a document must pass before it is a version.

Reading finds what no ruleset may have. Then its tables are analysed, its own examples are judged, and the newest
executions are replayed. Whether what they find blocks is the ruleset's to say.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from millwright_judgment.domain.analysis.findings import analyse
from millwright_judgment.domain.evaluation.rows import Evaluator
from millwright_judgment.domain.findings import Code, Finding
from millwright_judgment.domain.gate_report import GateReport, blocking_of
from millwright_judgment.domain.input.check import Refused
from millwright_judgment.domain.ruleset import canonical, document
from millwright_judgment.domain.ruleset.document import EXPECTED_WORDS
from millwright_judgment.domain.ruleset.model import Example, Ruleset
from millwright_judgment.engine.replaying.gate import GateReplays

_REFUSED = EXPECTED_WORDS[2]


@dataclass(frozen=True, slots=True)
class Examined:
    """What came through the gate, and what was found."""

    ruleset: Ruleset | None
    """None if the document cannot be read."""
    canonical: str
    content_hash: bytes
    report: GateReport


class Gate:
    """Examines documents."""

    def __init__(self, replays: GateReplays) -> None:
        self._replays = replays

    async def examine(self, tenant: str, text: str, executions: int, promote_to: str | None = None) -> Examined:
        """Put a document through the gate; whatever is wrong with it is in the report.

        It is replayed on so many of the newest executions, 0 for none, and compared with what it would take the place
        of on the channel `promote_to`.
        """
        examined = await asyncio.to_thread(_examine, text)
        if examined.ruleset is None:
            return examined
        replayed = await self._replays.replay(tenant, examined.ruleset, executions, promote_to)
        if replayed is None:
            return examined
        found = (*examined.report.findings, *replayed.findings)
        return replace(examined, report=replace(examined.report, findings=found, replay=replayed.replay))


def _examine(text: str) -> Examined:
    reading = document.read(text)
    if reading.ruleset is None:
        blocking = frozenset(finding.code for finding in reading.findings)
        return Examined(None, "", b"", GateReport(reading.findings, blocking, 0, 0, None, datetime.now(UTC)))
    ruleset = reading.ruleset
    failed = tuple(_failed_examples(ruleset))
    passed = len(ruleset.examples) - len(failed)
    found = (*failed, *analyse(ruleset, reading.rule_places))
    report = GateReport(found, blocking_of(ruleset.blocking), passed, len(ruleset.examples), None, datetime.now(UTC))
    return Examined(ruleset, canonical.to_text(ruleset), canonical.content_hash(ruleset), report)


def _failed_examples(ruleset: Ruleset) -> Iterator[Finding]:
    """Give a finding for each example that does not come out as it says."""
    evaluator = Evaluator(ruleset)
    for place, example in enumerate(ruleset.examples):
        judged = evaluator.judge(example.input)
        outcome = _REFUSED if isinstance(judged, Refused) else judged.decision.label
        rule = "" if isinstance(judged, Refused) else judged.decision.rule
        if _differs(example, outcome, rule):
            message = f"{example.name} gives {outcome}{f' by {rule}' if rule else ''}, not {_expected(example)}."
            yield Finding(Code.EXAMPLE_FAILED, f"/examples/{place}", message, rule=example.rule or "")


def _differs(example: Example, outcome: str, rule: str) -> bool:
    return example.outcome not in (None, outcome) or example.rule not in (None, rule)


def _expected(example: Example) -> str:
    return " by ".join(part for part in (example.outcome, example.rule) if part)
