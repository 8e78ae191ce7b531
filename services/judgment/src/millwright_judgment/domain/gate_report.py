"""What the publish gate looked at and found, as it is kept with a version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from millwright_judgment.domain.findings import REPLAYED, Code, Finding


@dataclass(frozen=True, slots=True)
class GateReplay:
    """What the newest executions would become."""

    baseline_version: int
    executions: int
    changed_outcomes: int
    changed_details: int
    not_reproducible: int
    transitions: tuple[tuple[str, str, int], ...] = ()
    """From which outcome to which, how often: changes only."""
    errors: int = 0
    """How many inputs would be refused."""


@dataclass(frozen=True, slots=True)
class GateReport:
    """All findings, those that block first; what became of the examples and of the newest executions."""

    findings: tuple[Finding, ...]
    blocking: frozenset[Code]
    """The codes among the findings that block publication."""
    examples_passed: int
    examples_total: int
    replay: GateReplay | None
    gate_time: datetime

    @property
    def passed(self) -> bool:
        """Tell whether nothing that blocks was found."""
        return not any(finding.code in self.blocking for finding in self.findings)

    def to_json(self) -> dict[str, Any]:
        """Give it as it is kept."""
        return {
            "findings": [asdict(finding) for finding in self.findings],
            "blocking": sorted(self.blocking),
            "examplesPassed": self.examples_passed,
            "examplesTotal": self.examples_total,
            "replay": asdict(self.replay) if self.replay else None,
            "gateTime": self.gate_time.isoformat(),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> GateReport:
        """Read what `to_json` wrote."""
        replay = value["replay"]
        return cls(
            findings=tuple(_finding(each) for each in value["findings"]),
            blocking=frozenset(Code(code) for code in value["blocking"]),
            examples_passed=value["examplesPassed"],
            examples_total=value["examplesTotal"],
            replay=GateReplay(**{**replay, "transitions": _transitions(replay["transitions"])}) if replay else None,
            gate_time=datetime.fromisoformat(value["gateTime"]),
        )


def blocking_of(named: frozenset[Code]) -> frozenset[Code]:
    """Give the codes that block, from those that a ruleset names: what only a replay finds asks for the replay."""
    return named | {Code.NOT_REPLAYED} if named & REPLAYED else named


def _finding(value: Mapping[str, Any]) -> Finding:
    return Finding(**{**value, "code": Code(value["code"])})


def _transitions(values: Sequence[Sequence[Any]]) -> tuple[tuple[str, str, int], ...]:
    return tuple((before, after, count) for before, after, count in values)
