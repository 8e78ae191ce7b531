"""Findings and reports of the publish gate, as messages of the contract."""

from __future__ import annotations

from collections.abc import Iterable

from millwright.judgment.v1 import ruleset_pb2
from millwright_runtime.api.messages import timestamp

from millwright_judgment.domain.findings import Code, Finding
from millwright_judgment.domain.gate_report import GateReplay, GateReport


def report(value: GateReport) -> ruleset_pb2.GateReport:
    """Give a report, the findings that block first."""
    blocking = [found for found in value.findings if found.code in value.blocking]
    others = [found for found in value.findings if found.code not in value.blocking]
    return ruleset_pb2.GateReport(
        findings=[*findings(blocking, value.blocking), *findings(others, value.blocking)],
        passed=value.passed,
        examples_passed=value.examples_passed,
        examples_total=value.examples_total,
        replay=_replay(value.replay) if value.replay else None,
        gate_time=timestamp(value.gate_time),
    )


def findings(values: Iterable[Finding], blocking: frozenset[Code] | None = None) -> list[ruleset_pb2.Finding]:
    """Give findings; without `blocking`, all that the ruleset cannot decide about block."""
    return [
        ruleset_pb2.Finding(
            code=value.code,
            severity=_severity(value.code in blocking if blocking is not None else not value.code.is_judgeable),
            pointer=value.pointer,
            table=value.table,
            rule=value.rule,
            field=value.field,
            message=value.message,
            example=value.example,
        )
        for value in values
    ]


def _severity(blocks: bool) -> ruleset_pb2.Finding.Severity.ValueType:  # noqa: FBT001 - what the severity says
    return ruleset_pb2.Finding.SEVERITY_ERROR if blocks else ruleset_pb2.Finding.SEVERITY_WARNING


def _replay(value: GateReplay) -> ruleset_pb2.GateReplay:
    return ruleset_pb2.GateReplay(
        baseline_version=value.baseline_version,
        executions=value.executions,
        changed_outcomes=value.changed_outcomes,
        changed_details=value.changed_details,
        not_reproducible=value.not_reproducible,
        errors=value.errors,
        transitions=[
            ruleset_pb2.Transition(from_outcome=before, to_outcome=after, executions=count)
            for before, after, count in value.transitions
        ],
    )
