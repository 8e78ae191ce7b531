"""Versions that are ready to judge with, and what each channel points to.

Where a channel points is remembered, and may be outdated at any moment: nothing that was judged by it is answered
before the database has confirmed it, see `recording`. A compiled version never changes; the ones used last are kept.
"""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from millwright_runtime.concurrency.lookups import Lookups
from millwright_runtime.concurrency.remembered import Fresh, Remembered
from millwright_runtime.postgres.database import ALL_TENANTS, Database

from millwright_judgment.domain import names
from millwright_judgment.domain.errors import (
    ChannelNotFound,
    RulesetNotFound,
    VersionBad,
    VersionNotFound,
    VersionRetired,
)
from millwright_judgment.domain.evaluation.rows import Evaluator
from millwright_judgment.domain.experiments import Experiment, Trial
from millwright_judgment.domain.guardrails import Levels
from millwright_judgment.domain.releases import VersionState
from millwright_judgment.domain.ruleset import document
from millwright_judgment.domain.ruleset.model import Acknowledgement, Ruleset
from millwright_judgment.store import bases, rulesets
from millwright_judgment.store.bases import Found, Stamp, Target

_KEPT_BASES = 20_000
_KEPT_RULES = 200_000
"""How many rules the compiled versions that are kept may have in all; about 7 kB each."""


class Compiled:
    """A version that is ready to judge with."""

    def __init__(self, ruleset: Ruleset, number: int, content_hash: bytes) -> None:
        """Compile it, which takes a processor for a while."""
        self.ruleset = ruleset
        self.number = number
        self.content_hash = content_hash.hex()
        self.name = names.version(ruleset.id, number)
        self.evaluator = Evaluator(ruleset)
        self.is_acknowledged_early = ruleset.acknowledgement is Acknowledgement.RECEIVED
        self.sorted_fields = sorted((name, place) for place, name in enumerate(self.evaluator.names))
        """The fields in the order of a canonical input, each with its place in the schema."""


@dataclass(frozen=True, slots=True)
class Trying:
    """The experiment that runs on a channel, ready to take part in."""

    trial: Trial
    enrolment_bp: int
    step: int
    versions: Mapping[int, Compiled]
    """Of all its arms."""


@dataclass(frozen=True, slots=True)
class Basis:
    """What a judgment rests on, as it was at some moment."""

    target: Target
    stamp: Stamp
    version: Compiled
    trying: Trying | None = None


class Versions:
    """What is judged with."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._compiled: Remembered[tuple[str, str, int], Compiled] = Remembered(_KEPT_RULES)
        self._bases: OrderedDict[Target, Basis] = OrderedDict()
        self._lookups = Lookups(self._read)

    def remembered(self, target: Target) -> Basis | None:
        """Give what a target was when it was last looked at; None if that is not known any more."""
        return self._bases.get(target)

    async def look(self, target: Target) -> Basis:
        """Give what a target is, by a question that begins after this call.

        Raises RulesetNotFound, ChannelNotFound, VersionNotFound, VersionBad, VersionRetired.
        """
        found = await self._lookups.get(target)
        assert found is not None
        basis = self._bases.pop(target, None)
        if basis is None or basis.stamp != found.stamp:
            basis = await self._basis(target, found)
        self._bases[target] = basis
        while len(self._bases) > _KEPT_BASES:
            self._bases.popitem(last=False)
        return basis

    async def compiled(self, tenant: str, ruleset: str, number: int) -> Compiled:
        """Give a version that exists, whatever its state."""

        async def make() -> Fresh[Compiled]:
            async with self._database.snapshot(tenant) as connection:
                version, text = await rulesets.get_version(connection, ruleset, number)
            compiled = await asyncio.to_thread(_compile, text.canonical, number, version.content_hash)
            return Fresh(compiled, math.inf, 1 + len(compiled.ruleset.rule_ids))

        return await self._compiled.get((tenant, ruleset, number), make)

    async def levels(self, tenant: str, experiment: Experiment) -> Levels:
        """Give the outcomes that each arm of an experiment knows."""
        arms = experiment.trial.arms
        compiled = [await self.compiled(tenant, experiment.ruleset, arm.version) for arm in arms]
        return {arm.name: version.ruleset.levels for arm, version in zip(arms, compiled, strict=True)}

    async def close(self) -> None:
        """Stop compiling."""
        await self._compiled.close()

    async def _read(self, targets: Collection[Target]) -> Mapping[Target, Found]:
        async with self._database.snapshot(ALL_TENANTS) as connection:
            return await bases.read(connection, list(targets))

    async def _basis(self, target: Target, found: Found) -> Basis:
        tenant, ruleset = target.tenant, target.ruleset
        if found.number is None:
            if not found.has_ruleset:
                raise RulesetNotFound(ruleset=ruleset)
            if target.number:
                raise VersionNotFound(version=target.number, ruleset=ruleset)
            raise ChannelNotFound(ruleset=ruleset, channel=target.channel)
        if found.state is VersionState.BAD:
            raise VersionBad(version=found.number, ruleset=ruleset, bad_reason=found.state_reason)
        if found.state is VersionState.RETIRED:
            raise VersionRetired(version=found.number, ruleset=ruleset, retire_reason=found.state_reason)
        version = await self.compiled(tenant, ruleset, found.number)
        if found.running is None:
            return Basis(target, found.stamp, version)
        running = found.running
        arms = {arm.version: await self.compiled(tenant, ruleset, arm.version) for arm in running.trial.arms}
        return Basis(target, found.stamp, version, Trying(running.trial, running.enrolment_bp, running.step, arms))


def _compile(canonical: str, number: int, content_hash: bytes) -> Compiled:
    return Compiled(document.read(canonical).require(), number, content_hash)
