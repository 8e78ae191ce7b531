"""What browsers load of a version: files that were built, or that the package brings built, kept as blobs."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from millwright_runtime.postgres.database import Database

from millwright_modules.blobs.keeper import Keeper
from millwright_modules.building.builder import Builder
from millwright_modules.building.result import Step
from millwright_modules.domain import contents, signing
from millwright_modules.domain.manifest import source
from millwright_modules.domain.manifest.model import Frontend
from millwright_modules.domain.module import Asset
from millwright_modules.domain.operation import Activity, Done
from millwright_modules.domain.problem import Problem, Refused
from millwright_modules.domain.words import Reason
from millwright_modules.engine.progress import Teller
from millwright_modules.engine.validating import Tree
from millwright_modules.store import blobs

_PIECE_BYTES = 1 << 20
_STORED_AT_ONCE = 8
_LOADING = frozenset({".js", ".mjs", ".css"})
"""Kinds of files with which browsers load others."""
_BUILT_SHARE = 0.8
"""How much of BUILDING is done once the files are built."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """A frontend, as files."""

    root: Path
    entry: str
    paths: Sequence[str]
    warnings: Sequence[Problem] = ()


class Assets:
    """Makes the assets of versions."""

    def __init__(self, database: Database, keeper: Keeper, builder: Builder) -> None:
        self._database = database
        self._keeper = keeper
        self._builder = builder

    async def bundle(self, tree: Tree, frontend: Frontend | None, room: Path, teller: Teller) -> Bundle:
        """Give the files of a frontend, built if they must be; raise Refused."""
        if frontend is None:
            return Bundle(tree.root, "", ())
        if frontend.is_prebuilt:
            return await self._checked(tree, frontend, room)

        def report(told: Step | Problem) -> None:
            if isinstance(told, Step):
                done = Done(steps_done=told.done, steps_total=told.total)
                teller.hear(_BUILT_SHARE * done.share, done, Activity.BUILDING)

        out = room / "out"
        hashes = {path: file.digest for path, file in tree.files.items()}
        result = await self._builder.build(
            tree.root, frontend.entry, out, report, externals=frontend.externals, hashes=hashes
        )
        return Bundle(out, result.entry, [asset.path for asset in result.assets], result.warnings)

    async def _checked(self, tree: Tree, frontend: Frontend, room: Path) -> Bundle:
        """Give the files of a frontend that was built before, if they load nothing from elsewhere; raise Refused."""
        bundle = _prebuilt(tree, frontend.entry)
        home = PurePosixPath(frontend.entry).parent
        loading = [str(home / path) for path in bundle.paths if PurePosixPath(path).suffix.lower() in _LOADING]
        try:
            await self._builder.check(tree.root, loading, room, externals=frontend.externals, files=tree.files)
        except Refused as refused:
            lacks = [problem for problem in refused.problems if problem.reason is Reason.BUILD_UNAVAILABLE]
            if not lacks:
                raise
            unchecked = Problem(Reason.PREBUILT_UNCHECKED, frontend.entry, lacks[0].expected).as_warning()
            return replace(bundle, warnings=[unchecked])
        return bundle

    async def keep(self, tenant: str, bundle: Bundle, teller: Teller) -> Sequence[Asset]:
        """Keep the files as blobs; those that are there already are not written again."""
        found = await asyncio.to_thread(_describe, bundle)
        async with self._database.transaction(tenant) as connection:
            known = await blobs.known(connection, {asset.digest for asset in found})
        missing = {asset.digest: asset for asset in found if asset.digest not in known}
        total = sum(asset.size_bytes for asset in missing.values())
        stored = files = 0

        async def keep_one(asset: Asset) -> None:
            nonlocal stored, files
            await self._keeper.write(tenant, asset.digest, _pieces(bundle.root / asset.path))
            stored, files = stored + asset.size_bytes, files + 1
            done = Done(stored, total, files, len(missing))
            teller.hear(_BUILT_SHARE + (1.0 - _BUILT_SHARE) * done.share, done, Activity.STORING)

        pending = list(missing.values())
        for begin in range(0, len(pending), _STORED_AT_ONCE):
            async with asyncio.TaskGroup() as tasks:
                for asset in pending[begin : begin + _STORED_AT_ONCE]:
                    tasks.create_task(keep_one(asset))
        return found


def _prebuilt(tree: Tree, entry: str) -> Bundle:
    """Give what lies beside a frontend that was built before, and below it."""
    home = PurePosixPath(entry).parent
    own = {source.FILE, signing.FILE}
    below = [path for path in sorted(tree.files) if path not in own and PurePosixPath(path).is_relative_to(home)]
    served = [path for path in below if PurePosixPath(path).suffix.lower() in contents.MEDIA_TYPES]
    paths = [str(PurePosixPath(path).relative_to(home)) for path in served]
    return Bundle(tree.root / home, str(PurePosixPath(entry).relative_to(home)), paths)


def _describe(bundle: Bundle) -> Sequence[Asset]:
    return [_asset(bundle.root, path) for path in bundle.paths]


def _asset(root: Path, path: str) -> Asset:
    with (root / path).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").digest()
        return Asset(path, digest, file.tell(), contents.media_type(path))


async def _pieces(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            yield piece
