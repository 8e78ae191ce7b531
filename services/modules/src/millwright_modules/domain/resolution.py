"""Dependencies: what a change would do, in which order, and what stands in its way."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from millwright_modules.domain.problem import Problem
from millwright_modules.domain.versions import Range, Version
from millwright_modules.domain.words import Reason


@dataclass(frozen=True, slots=True)
class Installed:
    """A module that is installed, as far as others depend on it."""

    code: str
    version: Version
    dependencies: Mapping[str, Range]
    is_enabled: bool = True
    generation: int = 1
    signer: str = ""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A version that is to go live."""

    code: str
    version: Version
    platform: Range
    dependencies: Mapping[str, Range]
    signer: str = ""


@dataclass(frozen=True, slots=True)
class Consent:
    """What the caller accepts beyond the usual."""

    downgrade: bool = False
    signer_change: bool = False


class ChangeKind(StrEnum):
    """What a step does."""

    INSTALL = "INSTALL"
    UPGRADE = "UPGRADE"
    ROLLBACK = "ROLLBACK"
    UNINSTALL = "UNINSTALL"


@dataclass(frozen=True, slots=True)
class Step:
    """One change of what is live."""

    code: str
    kind: ChangeKind
    from_version: Version | None
    to_version: Version | None


@dataclass(frozen=True, slots=True)
class Plan:
    """Steps in their order, and what is wrong or is to be known."""

    steps: Sequence[Step]
    problems: Sequence[Problem]
    token: str
    """Stands for the steps and for all they were decided on: another state gives another token."""


Modules = Mapping[str, Installed]


def plan_install(candidate: Candidate, modules: Modules, platform: Version, consent: Consent = Consent()) -> Plan:
    """Plan that a version goes live over what is live."""
    live = modules.get(candidate.code)
    problems = [
        *_platform_problems(candidate, platform),
        *_dependency_problems(candidate.dependencies, modules),
        *_cycle_problems(candidate, modules),
        *_dependent_problems(candidate, modules),
        *(_consent_problems(candidate, live, consent) if live else ()),
    ]
    kind = ChangeKind.UPGRADE if live else ChangeKind.INSTALL
    return _plan([Step(candidate.code, kind, live.version if live else None, candidate.version)], problems, modules)


def plan_rollback(candidate: Candidate, modules: Modules) -> Plan:
    """Plan that an earlier version goes live again: only what depends on it can stand in its way."""
    live = modules.get(candidate.code)
    problems = list(_dependent_problems(candidate, modules))
    step = Step(candidate.code, ChangeKind.ROLLBACK, live.version if live else None, candidate.version)
    return _plan([step], problems, modules)


def plan_uninstall(code: str, modules: Modules) -> Plan:
    """Plan that a module and all that need it are taken out: what needs another goes before it."""
    order = [*_dependents_first(code, modules)]
    steps = [Step(one, ChangeKind.UNINSTALL, modules[one].version, None) for one in order]
    dependents = [one for one in order if one != code]
    problems = [Problem(Reason.DEPENDENT, one, found=code).as_warning() for one in dependents]
    return _plan(steps, problems, modules)


def dependents(code: str, modules: Modules) -> Sequence[str]:
    """Give the enabled modules that name this one as a dependency, by code."""
    return sorted(one.code for one in modules.values() if one.is_enabled and code in one.dependencies)


def left_without(code: str, version: Version | None, modules: Modules) -> Sequence[Problem]:
    """Warn for each enabled module that a module's version, or none, is not what it needs."""
    wanted = [(one, modules[one].dependencies[code]) for one in dependents(code, modules)]
    return [
        Problem(Reason.DEPENDENT_LEFT, one, needed.text, str(version or "none")).as_warning()
        for one, needed in wanted
        if version is None or version not in needed
    ]


def unmet(needed: Mapping[str, Range], modules: Modules) -> Sequence[Problem]:
    """Give what of a module's dependencies is not there, or not as it needs it."""
    return list(_dependency_problems(needed, modules))


def _platform_problems(candidate: Candidate, platform: Version) -> Iterator[Problem]:
    if platform not in candidate.platform:
        yield Problem(Reason.PLATFORM_UNSUITABLE, "/platform", candidate.platform.text, str(platform))


def _dependency_problems(needed: Mapping[str, Range], modules: Modules) -> Iterator[Problem]:
    for code, wanted in sorted(needed.items()):
        pointer = f"/dependencies/{code}"
        found = modules.get(code)
        if found is None:
            yield Problem(Reason.DEPENDENCY_MISSING, pointer, f"{code} {wanted.text}", "none")
        elif not found.is_enabled:
            yield Problem(Reason.DEPENDENCY_DISABLED, pointer, f"{code} {wanted.text}", f"{code} {found.version}")
        elif found.version not in wanted:
            yield Problem(Reason.DEPENDENCY_VERSION, pointer, f"{code} {wanted.text}", f"{code} {found.version}")


def _cycle_problems(candidate: Candidate, modules: Modules) -> Iterator[Problem]:
    """Give the first way along dependencies that leads from the candidate back to it."""
    way_to: dict[str, str] = dict.fromkeys(candidate.dependencies, candidate.code)
    pending = sorted(way_to)
    while pending:
        code = pending.pop(0)
        if code == candidate.code:
            way = [code]
            while (step := way_to[way[-1]]) != candidate.code:
                way.append(step)
            yield Problem(Reason.DEPENDENCY_CYCLE, code, found=" → ".join([code, *reversed(way)]))
            return
        for needed in sorted(modules[code].dependencies if code in modules else ()):
            if needed not in way_to:
                way_to[needed] = code
                pending.append(needed)


def _dependent_problems(candidate: Candidate, modules: Modules) -> Iterator[Problem]:
    for code in dependents(candidate.code, modules):
        wanted = modules[code].dependencies[candidate.code]
        if candidate.version not in wanted:
            yield Problem(Reason.DEPENDENT_CONFLICT, code, wanted.text, str(candidate.version))


def _consent_problems(candidate: Candidate, live: Installed, consent: Consent) -> Iterator[Problem]:
    if candidate.version < live.version and not consent.downgrade:
        yield Problem(Reason.DOWNGRADE, candidate.code, str(live.version), str(candidate.version))
    if live.signer and candidate.signer != live.signer and not consent.signer_change:
        yield Problem(Reason.SIGNER_CHANGED, candidate.code, live.signer, candidate.signer or "none")


def _dependents_first(code: str, modules: Modules) -> Iterable[str]:
    done: dict[str, None] = {}
    pending = [(code, False)]
    while pending:
        one, is_ready = pending.pop()
        if is_ready:
            done.setdefault(one)
        elif one not in done and (one, True) not in pending:
            pending.append((one, True))
            needing = sorted((other.code for other in modules.values() if one in other.dependencies), reverse=True)
            pending += [(other, False) for other in needing]
    return done


def _plan(steps: Sequence[Step], problems: Sequence[Problem], modules: Modules) -> Plan:
    seen = sorted({step.code for step in steps} | {problem.path for problem in problems if problem.path in modules})
    facts = [(step.code, step.kind.value, str(step.from_version), str(step.to_version)) for step in steps]
    generations = [(code, modules[code].generation) for code in seen if code in modules]
    return Plan(tuple(steps), tuple(problems), hashlib.sha256(repr((facts, generations)).encode()).hexdigest()[:32])
