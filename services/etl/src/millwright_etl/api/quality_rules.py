"""The part of PipelineService that keeps quality rules."""

from __future__ import annotations

from typing import Any

from millwright.etl.v1 import pipeline_service_pb2 as pb
from millwright.etl.v1 import run_pb2
from millwright_runtime.api import calls
from millwright_runtime.errors import InvalidFields, Violation
from millwright_runtime.service import Platform

from millwright_etl.api.records import RECORD_TYPES
from millwright_etl.commands import saving_rules
from millwright_etl.domain import quality
from millwright_etl.domain.quality import Check, Result, Rule, Severity
from millwright_etl.domain.records import RecordType
from millwright_etl.store import quality_rules

CHECKS = {run_pb2.QualityRule.Check.Value(f"CHECK_{check}"): check for check in Check}
SEVERITIES = {run_pb2.QualityRule.Severity.Value(f"SEVERITY_{severity}"): severity for severity in Severity}
_COLLECTION = "qualityRules/"


class QualityRulesServicer:
    """Lists and saves quality rules."""

    _platform: Platform

    async def ListQualityRules(
        self, _request: pb.ListQualityRulesRequest, _context: Any
    ) -> pb.ListQualityRulesResponse:
        """List a plant's rules, the built-in ones among them."""
        async with self._platform.reading() as connection:
            saved = await quality_rules.read(connection, calls.current().principal.tenant)
        return pb.ListQualityRulesResponse(rules=map(message, quality.in_force(saved)))

    async def SaveQualityRule(self, request: pb.SaveQualityRuleRequest, _context: Any) -> pb.SaveQualityRuleResponse:
        """Create or change a rule."""
        rule, tenant = _rule(request.rule), calls.current().principal.tenant
        seen_revision = _revision(request.rule.etag)
        async with self._platform.database.transaction(tenant) as connection:
            saved = await saving_rules.save(connection, tenant, rule, seen_revision)
        return pb.SaveQualityRuleResponse(rule=message(saved))


def message(rule: Rule) -> run_pb2.QualityRule:
    """Give a rule as callers have it."""
    return run_pb2.QualityRule(
        name=rule.name,
        check=f"CHECK_{rule.check}",  # type: ignore[arg-type]
        field=rule.field,
        record_type=f"RECORD_TYPE_{rule.record_type}" if rule.check.is_of_rows else None,  # type: ignore[arg-type]
        min=rule.min,
        max=rule.max,
        tolerated_share=rule.tolerated_share,
        severity=f"SEVERITY_{rule.severity}",  # type: ignore[arg-type]
        disabled=rule.disabled,
        built_in=rule.built_in,
        etag=str(rule.revision),
    )


def result(found: Result) -> run_pb2.QualityResult:
    """Give what a rule found."""
    return run_pb2.QualityResult(
        rule=found.rule,
        severity=f"SEVERITY_{found.severity}",  # type: ignore[arg-type]
        held=found.held,
        rows=found.rows,
        value=found.value,
        message=found.message,
    )


def _rule(given: run_pb2.QualityRule) -> Rule:
    """Give the rule; raise InvalidFields with everything that is wrong with it."""
    check, severity = CHECKS.get(given.check), SEVERITIES.get(given.severity)
    wrong = []
    if check is None:
        wrong.append(Violation("rule.check", "UNKNOWN_VALUE", "is none of those that there are"))
    if severity is None:
        wrong.append(Violation("rule.severity", "UNKNOWN_VALUE", "must be INFO, WARNING, ERROR or CRITICAL"))
    if given.record_type and given.record_type not in RECORD_TYPES:
        wrong.append(Violation("rule.record_type", "UNKNOWN_VALUE", "is none of those that there are"))
    name = given.name.removeprefix(_COLLECTION) if given.name.startswith(_COLLECTION) else ""
    rule = Rule(
        name,
        check or Check.VOLUME,
        severity or Severity.INFO,
        given.field,
        RecordType(RECORD_TYPES.get(given.record_type, RecordType.WORK_ORDER)),
        given.min if given.HasField("min") else None,
        given.max if given.HasField("max") else None,
        given.tolerated_share,
        given.disabled,
    )
    if wrong := wrong or quality.faults(rule):
        raise InvalidFields(wrong)
    return rule


def _revision(etag: str) -> int | None:
    if not etag:
        return None
    return int(etag) if etag.isascii() and etag.isdigit() and len(etag) < 19 else -1
