"""Saving quality rules: a rule is changed only as somebody has seen it."""

from __future__ import annotations

from dataclasses import replace

from millwright_runtime.errors import InvalidFields, Violation
from millwright_runtime.postgres.database import Connection

from millwright_etl.domain import quality
from millwright_etl.domain.errors import EtagMismatch, TooManyQualityRules
from millwright_etl.domain.quality import Rule
from millwright_etl.store import quality_rules


async def save(connection: Connection, tenant: str, rule: Rule, seen_revision: int | None) -> Rule:
    """Save a rule that was saved `seen_revision` times when it was seen (None: there must be none), and give it.

    Raises EtagMismatch, InvalidFields if it changes what a built-in rule checks, and TooManyQualityRules.
    """
    known = {each.id: each for each in quality.in_force(await quality_rules.read(connection, tenant))}
    before = known.get(rule.id)
    if seen_revision != (before.revision if before else None):
        raise EtagMismatch(resource=f"The rule {rule.id}")
    if before and before.built_in and (rule.check, rule.field) != (before.check, before.field):
        raise InvalidFields([Violation("rule.check", "BUILT_IN", f"must stay {before.check}: the rule is built in")])
    if not before and len(known) >= quality.MOST_RULES:
        raise TooManyQualityRules(most=quality.MOST_RULES)
    saved = replace(rule, built_in=bool(before and before.built_in), revision=before.revision if before else 0)
    revision = await quality_rules.save(connection, tenant, saved)
    if revision is None:
        raise EtagMismatch(resource=f"The rule {rule.id}")
    return replace(saved, revision=revision)
