"""The RPCs for modules' settings, for keys that are trusted, and for what is asked of packages."""

from __future__ import annotations

from typing import Any

from millwright.modules.v1 import module_service_pb2 as pb
from millwright_runtime.api import calls, fields
from millwright_runtime.errors import InvalidFields, Violation
from millwright_runtime.json import NESTING_LIMIT, JsonObject, is_deeper
from millwright_runtime.names import check_label
from millwright_runtime.postgres.database import Connection
from millwright_runtime.service import Platform

from millwright_modules.api import requests, responses
from millwright_modules.domain import names, settings
from millwright_modules.domain.errors import EtagMismatch, InvalidSettings, KeyExists, KeyNotFound
from millwright_modules.domain.manifest import reader
from millwright_modules.domain.manifest.model import Settings
from millwright_modules.domain.module import Module, check_installed
from millwright_modules.store import keys, modules, versions
from millwright_modules.store import settings as store

_LARGEST_SETTINGS = 64 << 10


class SettingsRpcs:
    """Settings: Get and SaveModuleSettings. Trust: Add and RemoveSigningKey, Get and SetSignaturePolicy."""

    _platform: Platform

    async def GetModuleSettings(
        self, request: pb.GetModuleSettingsRequest, _context: Any
    ) -> pb.GetModuleSettingsResponse:
        """Get a module's settings; the defaults, if none were saved."""
        code = names.parse_settings(request.name, "name")
        async with self._platform.reading() as connection:
            module = await modules.get(connection, code)
            saved = await store.find(connection, code)
            described = await _described(connection, module)
        defaults = described.defaults if described else {}
        found = responses.settings(code, module.live_version, saved, defaults)
        return pb.GetModuleSettingsResponse(settings=found)

    async def SaveModuleSettings(
        self, request: pb.SaveModuleSettingsRequest, _context: Any
    ) -> pb.SaveModuleSettingsResponse:
        """Change a module's settings."""
        code = names.parse_settings(request.name, "name")
        values = _values(request)
        principal = calls.current().principal
        async with self._platform.database.transaction(principal.tenant) as connection:
            module = await modules.lock(connection, code)
            check_installed(module)
            before = await store.find(connection, code)
            if request.etag and request.etag != (str(before.revision) if before else ""):
                raise EtagMismatch(resource=request.name)
            if faults := settings.faults(values, await _described(connection, module)):
                raise InvalidSettings(faults)
            saved = await store.save(connection, principal.tenant, code, values, module.live_version, principal.subject)
        return pb.SaveModuleSettingsResponse(settings=responses.settings(code, module.live_version, saved))

    async def AddSigningKey(self, request: pb.AddSigningKeyRequest, _context: Any) -> pb.AddSigningKeyResponse:
        """Trust a key."""
        key = check_label(names.parse_key(request.key.name, "key.name"), "key.name")
        public_key, owner = requests.public_key(request.key.public_key), requests.owner(request.key.owner)
        principal = calls.current().principal
        async with self._platform.database.transaction(principal.tenant) as connection:
            added = await keys.insert(connection, principal.tenant, key, public_key, owner, principal.subject)
            if added is None:
                raise KeyExists(key=key)
        return pb.AddSigningKeyResponse(key=responses.key(added))

    async def RemoveSigningKey(self, request: pb.RemoveSigningKeyRequest, _context: Any) -> pb.RemoveSigningKeyResponse:
        """Trust a key no more."""
        key = names.parse_key(request.name, "name")
        async with self._platform.database.transaction(calls.current().principal.tenant) as connection:
            if not await keys.remove(connection, key):
                raise KeyNotFound(key=names.key(key))
        return pb.RemoveSigningKeyResponse()

    async def GetSignaturePolicy(
        self, _request: pb.GetSignaturePolicyRequest, _context: Any
    ) -> pb.GetSignaturePolicyResponse:
        """List the keys that are trusted, and what is asked of packages."""
        async with self._platform.reading() as connection:
            policy = await keys.policy(connection)
            trusted = await keys.all_trusted(connection)
        return pb.GetSignaturePolicyResponse(
            policy=pb.SignaturePolicy.Value(f"SIGNATURE_POLICY_{policy.value}"),
            keys=[responses.key(each) for each in trusted],
        )

    async def SetSignaturePolicy(
        self, request: pb.SetSignaturePolicyRequest, _context: Any
    ) -> pb.SetSignaturePolicyResponse:
        """Say what is asked of packages from now on."""
        policy = requests.policy(request.policy)
        principal = calls.current().principal
        async with self._platform.database.transaction(principal.tenant) as connection:
            await keys.set_policy(connection, principal.tenant, policy, principal.subject)
        return pb.SetSignaturePolicyResponse(policy=request.policy)


async def _described(connection: Connection, module: Module) -> Settings | None:
    """Give the settings that a module's live version has."""
    version = await versions.find(connection, module.code, module.live_version)
    return reader.read_kept(version.manifest).settings if version else None


def _values(request: pb.SaveModuleSettingsRequest) -> JsonObject:
    if request.values.ByteSize() > _LARGEST_SETTINGS:
        raise InvalidFields([Violation("values", "TOO_LONG", f"must be at most {_LARGEST_SETTINGS} bytes")])
    values = {key: fields.json(value, f"values.{key}") for key, value in request.values.fields.items()}
    if is_deeper(values, NESTING_LIMIT):
        raise InvalidFields([Violation("values", "TOO_DEEP", f"must be nested at most {NESTING_LIMIT} levels")])
    return values
