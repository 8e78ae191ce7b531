"""The builder: from sources to what browsers load, once for the same sources.

It decides nothing by the clock and keeps nothing that is needed: killed anywhere, the same call gives the same files.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import tempfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from millwright_modules.building import command, messages, sources
from millwright_modules.building.cache import Cache
from millwright_modules.building.metafile import Metafile
from millwright_modules.building.result import BuildResult, BuiltFile, Report, Step, digest
from millwright_modules.building.toolchain import Esbuild, Missing
from millwright_modules.confinement import kernel, process
from millwright_modules.confinement.process import End, Limits, Outcome
from millwright_modules.domain.problem import Problem, Refused, Severity, refusal
from millwright_modules.domain.words import Reason

_STEPS = (
    {"en": "Reading the sources", "ko": "소스를 읽는 중"},
    {"en": "Building the frontend", "ko": "프런트엔드를 빌드하는 중"},
    {"en": "Checking what was built", "ko": "빌드 결과를 확인하는 중"},
)
_ERRORS = frozenset({Severity.ERROR})


class Builder:
    """Builds, at most `parallel` frontends at a time, so that memory is bounded by their limits."""

    def __init__(
        self,
        esbuild: Esbuild | Missing,
        cache: Path,
        *,
        limits: Limits | None = None,
        parallel: int = 2,
        kept: int = 64,
        kept_bytes: int = 512 << 20,
    ) -> None:
        """Take the binary, or why there is none; `cache` is a directory of this replica's own, for `kept` results."""
        self._esbuild = esbuild
        self._cache = Cache(cache, kept=kept, kept_bytes=kept_bytes)
        self._limits = limits or Limits()
        self._turns = asyncio.Semaphore(parallel)

    async def build(
        self,
        source: Path,
        entry: str,
        out: Path,
        report: Report,
        *,
        externals: Sequence[str],
        hashes: Mapping[str, bytes] | None = None,
    ) -> BuildResult:
        """Build the file `entry` of `source`, with the imports `externals` left for the platform, into the new `out`.

        `hashes` are the SHA-256 of all that `source` holds, by path, for a caller who has unpacked it and knows them.
        `out` appears whole, or not at all. The same sources give the same files with the same names. Raises Refused
        with all that is wrong, each problem reported before; cancelled, it ends the child process first.
        """
        async with self._turns:
            esbuild = self._available()
            report(_step(0))
            files = await asyncio.to_thread(sources.hashes, source) if hashes is None else hashes
            sources.check_entry(entry, files)
            arguments = command.arguments(entry, externals)
            key = _key(esbuild, arguments, files)
            with tempfile.TemporaryDirectory(dir=out.parent, prefix=".build-") as place:
                work = Path(place)
                result = await asyncio.to_thread(self._cache.fetch, key, work / command.OUT)
                if result is None:
                    result = await _Build(esbuild, self._limits, work, report).run(
                        source, entry, arguments, files, externals, key
                    )
                    await asyncio.to_thread(self._cache.save, result, work / command.OUT)
                else:
                    for warning in result.warnings:
                        report(warning)
                (work / command.OUT).rename(out)
            report(_step(len(_STEPS)))
            return result

    async def check(
        self, source: Path, paths: Sequence[str], room: Path, *, externals: Sequence[str], files: Collection[str]
    ) -> None:
        """Hold scripts and styles that were built before to loading the module's files and `externals` alone.

        `files` are all that `source` holds; `room` is where it works, and is left as it was. Raises Refused.
        """
        async with self._turns:
            esbuild = self._available()
            with tempfile.TemporaryDirectory(dir=room, prefix=".check-") as place:
                build = _Build(esbuild, self._limits, Path(place), lambda _: None)
                await build.check(source, paths, files, externals)

    def _available(self) -> Esbuild:
        if isinstance(self._esbuild, Missing):
            raise refusal(Reason.BUILD_UNAVAILABLE, expected=self._esbuild)
        try:
            process.check()
        except kernel.Unavailable as lack:
            raise refusal(Reason.BUILD_UNAVAILABLE, expected=lack) from None
        return self._esbuild


class _Build:
    """One build in a directory of its own, where the module is `source`."""

    def __init__(self, esbuild: Esbuild, limits: Limits, work: Path, report: Report) -> None:
        self._esbuild = esbuild
        self._limits = limits
        self._work = work
        self._report = report

    async def run(
        self,
        source: Path,
        entry: str,
        arguments: Sequence[str],
        files: Mapping[str, bytes],
        externals: Sequence[str],
        key: str,
    ) -> BuildResult:
        self._report(_step(1))
        source, writable = self._prepared(source)
        said = await self._said(source, writable, entry, arguments, externals)
        self._report(_step(2))
        built = (await self._read(source, entry, files, externals)).built()
        assets = await asyncio.to_thread(self._described, built.outputs)
        return BuildResult(built.entry, assets, said, key)

    async def check(self, source: Path, paths: Sequence[str], files: Collection[str], externals: Sequence[str]) -> None:
        source, writable = self._prepared(source)
        (self._work / command.CHECKED).write_text(command.checked(paths), "utf-8")
        await self._said(source, writable, paths[0], command.checking_arguments(externals), externals)
        await self._read(source, paths[0], files, externals)

    async def _said(
        self, source: Path, writable: Sequence[Path], entry: str, arguments: Sequence[str], externals: Sequence[str]
    ) -> tuple[Problem, ...]:
        """Have esbuild do its work; give its warnings, and raise Refused for its errors."""
        outcome = await self._run(source, writable, entry, arguments)
        said = list(messages.problems(outcome.output, entry, externals))
        if outcome.code != 0 and not any(problem.severity in _ERRORS for problem in said):
            said.append(Problem(Reason.BUILD_FAILED, entry, found=f"esbuild ended with {outcome.code}"))
        self._refuse(said)
        return tuple(said)

    async def _read(self, source: Path, entry: str, files: Collection[str], externals: Sequence[str]) -> Metafile:
        """Read what esbuild says that it did; raise Refused if it is not what it may do."""
        read = await asyncio.to_thread(Metafile, self._work / command.METAFILE, entry)
        self._refuse(await asyncio.to_thread(read.breaches, source, files, externals))
        return read

    async def _run(self, source: Path, writable: Sequence[Path], entry: str, arguments: Sequence[str]) -> Outcome:
        called = [str(self._esbuild.path), *arguments]
        try:
            outcome = await process.run(called, self._work, [source], writable, self._limits)
        except kernel.Unavailable as lack:
            raise refusal(Reason.BUILD_UNAVAILABLE, expected=lack) from None
        match outcome.end:
            case End.OUT_OF_MEMORY:
                raise self._exceeded(Reason.BUILD_OUT_OF_MEMORY, entry, f"{self._limits.memory_bytes >> 20} MiB")
            case End.OUT_OF_TIME:
                limits = f"{self._limits.cpu_seconds} s of CPU or {self._limits.seconds:g} s"
                raise self._exceeded(Reason.BUILD_OUT_OF_TIME, entry, limits)
            case End.EXITED:
                return outcome

    def _prepared(self, source: Path) -> tuple[Path, Sequence[Path]]:
        source = source.absolute()
        (self._work / command.SOURCE).symlink_to(source)
        writable = [self._work / command.OUT, (self._work / command.METAFILE).parent]
        for directory in writable:
            directory.mkdir()
        return source, writable

    def _exceeded(self, reason: Reason, entry: str, limit: str) -> Refused:
        refused = refusal(reason, entry, limit)
        self._report(refused.problems[0])
        return refused

    def _refuse(self, problems: Sequence[Problem]) -> None:
        for problem in problems:
            self._report(problem)
        if any(problem.severity in _ERRORS for problem in problems):
            raise Refused(problems)

    def _described(self, outputs: Sequence[str]) -> tuple[BuiltFile, ...]:
        out = self._work / command.OUT
        return tuple(BuiltFile(path, (out / path).stat().st_size, digest(out / path)) for path in outputs)


def _step(done: int) -> Step:
    return Step(done, len(_STEPS), _STEPS[min(done, len(_STEPS) - 1)])


def _key(esbuild: Esbuild, arguments: Sequence[str], files: Mapping[str, bytes]) -> str:
    listed = [[path, content.hex()] for path, content in sorted(files.items())]
    return hashlib.sha256(json.dumps([esbuild.version, arguments, listed]).encode()).hexdigest()
