"""The RPCs that tell what is installed, and that give browsers its files."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime
from typing import Any

from millwright.modules.v1 import module_service_pb2 as pb
from millwright_runtime.api import calls, pages
from millwright_runtime.postgres.database import Connection
from millwright_runtime.service import Platform

from millwright_modules.api import requests, responses
from millwright_modules.artifacts.files import BlobFiles
from millwright_modules.commands import planning
from millwright_modules.domain import names
from millwright_modules.domain.errors import AssetNotFound, NotEnabled
from millwright_modules.domain.module import Asset, ModuleVersion, State
from millwright_modules.store import modules, versions

_PAST_ALL_GENERATIONS = 2**63 - 1


class ReadingRpcs:
    """GetModule, ListModules, ListModuleVersions, ListActivations, GetAsset."""

    _platform: Platform
    _files: BlobFiles

    async def GetModule(self, request: pb.GetModuleRequest, _context: Any) -> pb.GetModuleResponse:
        """Get one module with its live version, and what that lacks."""
        code = names.parse_module(request.name, "name")
        async with self._platform.reading() as connection:
            module = await modules.get(connection, code)
            version = await versions.find(connection, code, module.live_version)
            assets = await versions.assets(connection, code, version.version) if version else ()
            unmet = await planning.unmet(connection, version) if version else ()
        live = responses.version(version, module.live_version, assets) if version else None
        problems = [responses.problem(each) for each in unmet]
        return pb.GetModuleResponse(module=responses.module(module), version=live, problems=problems)

    async def ListModules(self, request: pb.ListModulesRequest, _context: Any) -> pb.ListModulesResponse:
        """List modules by code."""
        size = pages.size(request.page_size)
        after = pages.read(request.page_token, pages.text, request.include_uninstalled) or ""
        async with self._platform.reading() as connection:
            found = await modules.page(connection, after, request.include_uninstalled, size + 1)
        query = request.include_uninstalled
        listed, token = pages.cut(found, size, responses.module, lambda module: module.code, query)
        return pb.ListModulesResponse(modules=listed, next_page_token=token)

    async def ListModuleVersions(
        self, request: pb.ListModuleVersionsRequest, _context: Any
    ) -> pb.ListModuleVersionsResponse:
        """List a module's versions that are kept, newest first."""
        code = names.parse_module(request.module, "module")
        size = pages.size(request.page_size)
        before = pages.read(request.page_token, _time_and_version, code)
        async with self._platform.reading() as connection:
            module = await modules.get(connection, code)
            found = await versions.page(connection, code, before, size + 1)
        listed, token = pages.cut(found, size, lambda each: responses.version(each, module.live_version), _place, code)
        return pb.ListModuleVersionsResponse(versions=listed, next_page_token=token)

    async def ListActivations(self, request: pb.ListActivationsRequest, _context: Any) -> pb.ListActivationsResponse:
        """List what was live when, newest first."""
        code = names.parse_module(request.module, "module")
        size = pages.size(request.page_size)
        before = pages.read(request.page_token, pages.number, code) or _PAST_ALL_GENERATIONS
        async with self._platform.reading() as connection:
            await modules.get(connection, code)
            found = await modules.history(connection, code, before, size + 1)
        activations, token = pages.cut(found, size, responses.activation, lambda it: it.move.generation, code)
        return pb.ListActivationsResponse(activations=activations, next_page_token=token)

    async def GetAsset(self, request: pb.GetAssetRequest, _context: Any) -> AsyncGenerator[pb.GetAssetResponse]:
        """Get a file of a version, in pieces."""
        code, semver = names.parse_module_or_version(request.module, "module")
        known = requests.known_digest(request.known_digest)
        async with self._platform.reading() as connection:
            version, asset = await _find_asset(connection, code, semver, request.path)
        described = responses.asset(asset)
        answer = pb.GetAssetResponse(asset=described, version=version)
        if known == asset.digest or not asset.size_bytes:
            yield answer
            return
        async with aclosing(self._files.read(calls.current().principal.tenant, asset.digest)) as pieces:
            async for piece in pieces:
                answer.data = piece
                yield answer
                answer = pb.GetAssetResponse()


async def _find_asset(connection: Connection, code: str, semver: str, path: str) -> tuple[str, Asset]:
    """Give a file and the version it is of: the live one, unless one is named; its entry, unless a path is.

    Raises ModuleNotFound, NotEnabled, VersionNotFound, AssetNotFound.
    """
    module = await modules.get(connection, code)
    if module.state is not State.ENABLED:
        raise NotEnabled(module=names.module(code))
    version = await versions.get(connection, code, semver or module.active_version)
    wanted = path or version.entry
    asset = await versions.find_asset(connection, code, version.version, wanted)
    if asset is None:
        raise AssetNotFound(module=names.module(code), version=version.version, path=wanted or "that is its entry")
    return version.version, asset


def _place(version: ModuleVersion) -> list[str]:
    return [version.create_time.isoformat(), version.version]


def _time_and_version(position: Any) -> tuple[datetime, str]:
    time, version = position
    return datetime.fromisoformat(time), pages.text(version)
