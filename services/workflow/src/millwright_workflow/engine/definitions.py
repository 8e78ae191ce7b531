"""Definitions as the service uses them: checked before they are published, planned once when they run."""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from collections.abc import Sequence

from millwright_runtime.errors import Violation
from millwright_runtime.json import to_text
from millwright_runtime.postgres.database import Database

from millwright_workflow.domain import definition as domain
from millwright_workflow.domain.definition import Definition, Examination, Fault, Workflow
from millwright_workflow.domain.definition.parts import Schema
from millwright_workflow.domain.definition.walk import walk_values
from millwright_workflow.domain.errors import InvalidDefinition
from millwright_workflow.domain.interpreter import Outline, WorkflowFault, WorkflowPlan, outline, plan_workflow
from millwright_workflow.engine.sandbox import expressions
from millwright_workflow.engine.sandbox.pool import Sandbox, SandboxFault
from millwright_workflow.engine.sandbox.validators import SchemaInvalid
from millwright_workflow.store import claims

_REMEMBERED_PLANS = 512
_UNDEFINED_VARIABLE = re.compile(r"\$\w+ is not defined")
"""In a broken document this is no fault: the task that declares the variable may be among those taken out."""


class Definitions:
    """Checks definitions, and keeps the plans of the versions that run."""

    def __init__(self, database: Database, sandbox: Sandbox) -> None:
        self._database = database
        self._sandbox = sandbox
        self._plans: OrderedDict[tuple[str, str, int], WorkflowPlan] = OrderedDict()

    async def check(self, source: str) -> Definition:
        """Give the definition in `source`; raise InvalidDefinition with every fault at once.

        Besides what the domain checks, each expression must compile and each schema written in it must be one; that is
        found out in the sandbox. Whether secrets exist is not: a definition is the same on every replica.
        """
        examination = await asyncio.to_thread(domain.examine, source)
        faults = _violations(examination.faults)
        if examination.sound is not None:
            faults += _violations(domain.unsupported(examination.sound))
            faults += await self._expression_faults(examination)
            faults += await self._schema_faults(examination.sound)
        if faults or examination.definition is None:
            raise InvalidDefinition(sorted(faults, key=lambda fault: fault.field))
        return examination.definition

    async def plan(self, tenant: str, workflow: str, version: int) -> WorkflowPlan:
        """Give the plan of a version that exists."""
        key = (tenant, workflow, version)
        if key in self._plans:
            self._plans.move_to_end(key)
            return self._plans[key]
        async with self._database.snapshot(tenant) as connection:
            canonical = await claims.definition(connection, tenant, workflow, version)
        plan = plan_workflow(await asyncio.to_thread(domain.load, canonical.encode()))
        self._plans[key] = plan
        if len(self._plans) > _REMEMBERED_PLANS:
            self._plans.popitem(last=False)
        return plan

    async def outline(self, tenant: str, workflow: str, version: int) -> Outline:
        """Give the outline of a version that exists; an empty one if no instance of it could run at all."""
        try:
            return outline(await self.plan(tenant, workflow, version))
        except WorkflowFault:
            return Outline((), None)

    async def _expression_faults(self, examination: Examination) -> list[Violation]:
        sites = examination.expressions
        if not sites or examination.sound is None:
            return []
        names = tuple(sorted(domain.known_variables(examination.sound)))
        faults = await self._compile_faults([expressions.wrap(site.expression, names) for site in sites])
        return [
            Violation(site.pointer, "EXPRESSION_INVALID", _readable(fault))
            for site, fault in zip(sites, faults, strict=True)
            if fault is not None and not (examination.definition is None and _UNDEFINED_VARIABLE.search(fault))
        ]

    async def _schema_faults(self, document: Workflow) -> list[Violation]:
        faults = []
        for pointer, value in walk_values(document):
            if isinstance(value, Schema) and value.document is not None:
                try:
                    await self._sandbox.validate(to_text(value.document), "null")
                except (SchemaInvalid, SandboxFault) as fault:
                    message = f"Write a JSON Schema here: {fault}."
                    faults.append(Violation(f"{pointer}/document", "SCHEMA_INVALID", message))
        return faults

    async def _compile_faults(self, programs: list[str]) -> list[str | None]:
        """Give why each program does not compile, or None; one that cannot be compiled within limits is told apart."""
        try:
            return await self._sandbox.compile(programs)
        except SandboxFault as fault:
            if len(programs) == 1:
                return [f"The expression cannot be compiled: {fault}."]
        middle = len(programs) // 2
        return [*await self._compile_faults(programs[:middle]), *await self._compile_faults(programs[middle:])]


def _violations(faults: Sequence[Fault]) -> list[Violation]:
    return [Violation(fault.pointer, str(fault.reason), fault.message) for fault in faults]


def _readable(fault: str) -> str:
    """Give the first line of what jq says, without the position in the wrapped program."""
    first = fault.splitlines()[0].removeprefix("jq: error: ")
    return first.split(" at <top-level>")[0]
