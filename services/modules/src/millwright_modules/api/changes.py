"""The RPCs that move the pointer of what is live, and the plan of what they would do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from millwright.modules.v1 import module_service_pb2 as pb
from millwright_runtime.api import calls
from millwright_runtime.errors import InvalidFields, Violation
from millwright_runtime.events.log import EventLog
from millwright_runtime.postgres.database import Connection
from millwright_runtime.service import Platform

from millwright_modules.api import requests, responses
from millwright_modules.commands import moving, planning
from millwright_modules.commands.moving import Moved
from millwright_modules.domain import names, resolution, routes
from millwright_modules.domain.errors import UploadIncomplete
from millwright_modules.domain.manifest.model import Manifest
from millwright_modules.domain.module import Actor, check_installed
from millwright_modules.domain.problem import Refused
from millwright_modules.domain.resolution import Consent, Plan
from millwright_modules.domain.versions import Version
from millwright_modules.engine.contract import contract
from millwright_modules.engine.owners import Owners
from millwright_modules.engine.unpacking import Packages
from millwright_modules.store import modules, uploads

_OWNER_SECONDS = 2.0
"""For so long a plan waits for another service that is away."""

Change = Callable[[Connection, EventLog, str, str, "int | None", Actor], Awaitable[Moved]]


class ChangeRpcs:
    """RollbackModule, DisableModule, EnableModule, UninstallModule, PlanChange."""

    _platform: Platform
    _log: EventLog
    _packages: Packages
    _owners: Owners
    _version: Version

    async def RollbackModule(self, request: pb.RollbackModuleRequest, _context: Any) -> pb.RollbackModuleResponse:
        """Make an earlier version live again."""
        code = names.parse_module(request.name, "name")
        target = names.parse_version(request.target_version, "target_version") if request.target_version else ""
        expected = requests.generation(request)
        actor = requests.actor(request.reason, required=True)
        tenant = calls.current().principal.tenant

        async def roll_back(connection: Connection) -> pb.RollbackModuleResponse:
            moved = await moving.roll_back(connection, self._log, tenant, code, target, expected, actor)
            return pb.RollbackModuleResponse(**_moved(moved))

        return await self._platform.once(request, pb.RollbackModuleResponse, roll_back, names.module(code))

    async def DisableModule(self, request: pb.DisableModuleRequest, _context: Any) -> pb.DisableModuleResponse:
        """Serve a module to nobody."""
        return pb.DisableModuleResponse(**await self._change(request, moving.disable))

    async def EnableModule(self, request: pb.EnableModuleRequest, _context: Any) -> pb.EnableModuleResponse:
        """Serve a module again."""
        return pb.EnableModuleResponse(**await self._change(request, moving.enable))

    async def UninstallModule(self, request: pb.UninstallModuleRequest, _context: Any) -> pb.UninstallModuleResponse:
        """Take a module out."""
        code = names.parse_module(request.name, "name")
        expected = requests.generation(request)
        actor = requests.actor(request.reason, required=True)
        tenant = calls.current().principal.tenant

        async def uninstall(connection: Connection) -> pb.UninstallModuleResponse:
            gone = await moving.uninstall(
                connection, self._log, tenant, code, request.plan_token, expected, actor, purge=request.purge
            )
            return pb.UninstallModuleResponse(modules=[responses.module(each) for each in gone])

        return await self._platform.once(request, pb.UninstallModuleResponse, uninstall, names.module(code))

    async def PlanChange(self, request: pb.PlanChangeRequest, _context: Any) -> pb.PlanChangeResponse:
        """Say what a change would do."""
        match request.WhichOneof("change"):
            case "install":
                return await self._plan_install(names.parse_upload(request.install, "install"))
            case "rollback":
                code = names.parse_module(request.rollback, "rollback")
                async with self._platform.reading() as connection:
                    target = await moving.rollback_target(connection, await modules.get(connection, code))
                    return _plan(await planning.plan_rollback(connection, code, target))
            case "uninstall":
                code = names.parse_module(request.uninstall, "uninstall")
                async with self._platform.reading() as connection:
                    return _plan(await self._plan_uninstall(connection, code))
            case _:
                raise InvalidFields([Violation("install", "REQUIRED", "must be set, or rollback, or uninstall")])

    async def _plan_install(self, digest: bytes) -> pb.PlanChangeResponse:
        async with self._platform.reading() as connection:
            upload = await uploads.get(connection, digest)
        if not upload.is_complete:
            missing = upload.total_bytes - upload.received_bytes
            raise UploadIncomplete(upload=names.upload(digest), missing_bytes=missing)
        principal = calls.current().principal
        try:
            manifest = await self._packages.read_manifest(principal.tenant, digest)
            documents = await self._packages.documents(principal.tenant, digest, manifest)
        except Refused as refused:
            return pb.PlanChangeResponse(problems=[responses.problem(each) for each in refused.problems])
        told = await self._owners.check(principal.subject, principal.tenant, manifest, documents, _OWNER_SECONDS)
        async with self._platform.reading() as connection:
            plan = _plan(await self._plan_going_live(connection, manifest))
        plan.problems.extend(responses.problem(each) for each in [*routes.problems(manifest, contract()), *told])
        return plan

    async def _plan_going_live(self, connection: Connection, manifest: Manifest) -> Plan:
        """Plan an install; who signed it is known only once all of it was unpacked."""
        landscape = await planning.landscape(connection)
        candidate = planning.candidate(manifest)
        return resolution.plan_install(candidate, landscape, self._version, Consent(signer_change=True))

    async def _plan_uninstall(self, connection: Connection, code: str) -> Plan:
        module = await modules.get(connection, code)
        landscape = await planning.landscape(connection)
        check_installed(module)
        return resolution.plan_uninstall(code, landscape)

    async def _change(self, request: Any, change: Change) -> dict[str, Any]:
        code = names.parse_module(request.name, "name")
        expected = requests.generation(request)
        actor = requests.actor(request.reason, required=False)
        tenant = calls.current().principal.tenant
        async with self._platform.database.transaction(tenant) as connection:
            moved = await change(connection, self._log, tenant, code, expected, actor)
        self._platform.committed(tenant, names.module(code))
        return _moved(moved)


def _moved(moved: Moved) -> dict[str, Any]:
    activation = responses.activation(moved.activation) if moved.activation else None
    return {"module": responses.module(moved.module), "activation": activation}


def _plan(plan: Plan) -> pb.PlanChangeResponse:
    return pb.PlanChangeResponse(
        steps=[responses.step(each) for each in plan.steps],
        problems=[responses.problem(each) for each in plan.problems],
        plan_token=plan.token,
    )
