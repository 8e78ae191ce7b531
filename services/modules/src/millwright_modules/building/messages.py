"""From what esbuild prints to problems, with file and line."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence

from millwright_modules.building.command import SOURCE
from millwright_modules.domain.problem import Problem, Severity, shown
from millwright_modules.domain.words import Reason

_KIND = re.compile(r"^\S+ \[(ERROR|WARNING)\] (.*)$")
_PLACE = re.compile(r"^    (\S.*):([0-9]+):[0-9]+:$")
_UNRESOLVED = re.compile('^Could not resolve "(.*)"$')
_DENIED = re.compile('^Cannot read (?:file|directory) "(.*)": .*permission denied$')


def problems(output: str, entry: str, externals: Sequence[str]) -> Iterator[Problem]:
    """Give what is wrong, in the order in which it was said."""
    said = list(_said(output, entry, externals))
    with_place = [problem for problem in said if problem.line or problem.reason != Reason.IMPORT_FORBIDDEN]
    yield from with_place or said  # a directory that it may not read is told beside the import that led there


def _said(output: str, entry: str, externals: Sequence[str]) -> Iterator[Problem]:
    kind = text = ""
    for line in output.splitlines():
        if begin := _KIND.match(line):
            if kind:  # the one before has no place
                yield _problem(kind, text, entry, 0, externals)
            kind, text = begin.groups()
        elif kind and (place := _PLACE.match(line)):
            yield _problem(kind, text, within(place[1]), int(place[2]), externals)
            kind = ""
    if kind:
        yield _problem(kind, text, entry, 0, externals)


def within(path: str) -> str:
    """Give a path as it is in the module, from how esbuild names it."""
    return path.removeprefix(SOURCE + "/")


def _problem(kind: str, text: str, path: str, line: int, externals: Sequence[str]) -> Problem:
    path = shown(path)
    if kind == "WARNING":
        return Problem(Reason.BUILD_WARNING, path, found=shown(text), line=line, severity=Severity.WARNING)
    if denied := _DENIED.match(text):
        return Problem(Reason.IMPORT_FORBIDDEN, path, "a file of the module", shown(within(denied[1])), line)
    if unresolved := _UNRESOLVED.match(text):
        return missing(unresolved[1], path, line, externals)
    return Problem(Reason.BUILD_FAILED, path, found=shown(text), line=line)


def missing(name: str, path: str, line: int, externals: Sequence[str]) -> Problem:
    """Give the problem with an import of what is not there: outside the module, or nowhere."""
    if name.startswith("/") or posixpath.normpath(posixpath.join(posixpath.dirname(path), name)).startswith(".."):
        return Problem(Reason.IMPORT_FORBIDDEN, path, "a file of the module", shown(name), line)
    return Problem(Reason.IMPORT_UNRESOLVED, path, ", ".join(sorted(externals)), shown(name), line)
