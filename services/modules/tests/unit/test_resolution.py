"""Dependencies: what stands in the way of a change, and the order of its steps."""

from dataclasses import replace

import pytest
from millwright_modules.domain import resolution
from millwright_modules.domain.resolution import Candidate, ChangeKind, Consent, Installed
from millwright_modules.domain.versions import Range, Version

PLATFORM = Version.parse("0.1.0")


def ranges(**wanted):
    """Dependencies by code."""
    return {code: Range.parse(text) for code, text in wanted.items()}


def live(*modules):
    """Modules by code, each given as (code, version, dependencies)."""
    return {
        code: Installed(code, Version.parse(version), ranges(**dependencies)) for code, version, dependencies in modules
    }


def candidate(code="app", version="1.0.0", platform="*", signer="", **dependencies):
    """A version that is to go live."""
    return Candidate(code, Version.parse(version), Range.parse(platform), ranges(**dependencies), signer)


def reasons(plan):
    """The reasons of a plan's problems, with what they are about."""
    return [(problem.reason.value, problem.path) for problem in plan.problems]


def test_what_has_all_it_needs_can_be_installed():
    plan = resolution.plan_install(candidate(charts="^1.2"), live(("charts", "1.3.0", {})), PLATFORM)
    assert not plan.problems
    assert [(step.code, step.kind, step.from_version) for step in plan.steps] == [("app", ChangeKind.INSTALL, None)]


def test_a_newer_version_is_an_upgrade():
    plan = resolution.plan_install(candidate(version="1.1.0"), live(("app", "1.0.0", {})), PLATFORM)
    assert (plan.steps[0].kind, str(plan.steps[0].from_version)) == (ChangeKind.UPGRADE, "1.0.0")


@pytest.mark.parametrize(
    ("wanted", "modules", "expected"),
    [
        (candidate(platform="^2.0"), {}, ("PLATFORM_UNSUITABLE", "/platform")),
        (candidate(charts="^1"), {}, ("DEPENDENCY_MISSING", "/dependencies/charts")),
        (candidate(charts="^2"), live(("charts", "1.3.0", {})), ("DEPENDENCY_VERSION", "/dependencies/charts")),
        (
            candidate(version="2.0.0"),
            live(("app", "1.0.0", {}), ("b", "1.0.0", {"app": "^1"})),
            ("DEPENDENT_CONFLICT", "b"),
        ),
        (candidate(charts="*"), live(("charts", "1.0.0", {"app": "*"})), ("DEPENDENCY_CYCLE", "app")),
        (candidate(version="0.9.0"), live(("app", "1.0.0", {})), ("DOWNGRADE", "app")),
    ],
)  # fmt: skip
def test_what_stands_in_the_way_is_told(wanted, modules, expected):
    assert reasons(resolution.plan_install(wanted, modules, PLATFORM)) == [expected]


def test_a_circle_is_told_with_its_whole_way():
    modules = live(("b", "1.0.0", {"c": "*"}), ("c", "1.0.0", {"app": "*"}))
    (problem,) = resolution.plan_install(candidate(b="*"), modules, PLATFORM).problems
    assert problem.found == "app → b → c → app"


def test_a_dependency_that_is_disabled_does_not_serve():
    modules = {"charts": replace(live(("charts", "1.0.0", {}))["charts"], is_enabled=False)}
    plan = resolution.plan_install(candidate(charts="*"), modules, PLATFORM)
    assert reasons(plan) == [("DEPENDENCY_DISABLED", "/dependencies/charts")]


def test_what_is_disabled_conflicts_with_nothing():
    modules = live(("app", "1.0.0", {}), ("b", "1.0.0", {"app": "^1"}))
    modules["b"] = replace(modules["b"], is_enabled=False)
    assert not resolution.plan_install(candidate(version="2.0.0"), modules, PLATFORM).problems


@pytest.mark.parametrize(
    ("signer", "expected"), [("ours", []), ("theirs", ["SIGNER_CHANGED"]), ("", ["SIGNER_CHANGED"])]
)
def test_an_upgrade_carries_the_same_signer(signer, expected):
    modules = {"app": replace(live(("app", "1.0.0", {}))["app"], signer="ours")}
    wanted = candidate(version="1.1.0", signer=signer)
    assert [reason for reason, _ in reasons(resolution.plan_install(wanted, modules, PLATFORM))] == expected
    assert not resolution.plan_install(wanted, modules, PLATFORM, Consent(signer_change=True)).problems


def test_a_downgrade_may_be_allowed():
    plan = resolution.plan_install(
        candidate(version="0.9.0"), live(("app", "1.0.0", {})), PLATFORM, Consent(downgrade=True)
    )
    assert not plan.problems


def test_a_rollback_is_held_up_by_dependents_only():
    modules = live(("app", "2.0.0", {}), ("b", "1.0.0", {"app": "^2"}))
    plan = resolution.plan_rollback(candidate(platform="^9", missing="*"), modules)
    assert reasons(plan) == [("DEPENDENT_CONFLICT", "b")]
    assert plan.steps[0].kind is ChangeKind.ROLLBACK


def test_what_needs_another_goes_before_it():
    modules = live(
        ("a", "1.0.0", {}), ("b", "1.0.0", {"a": "*"}), ("c", "1.0.0", {"a": "*", "b": "*"}), ("z", "1.0.0", {})
    )
    plan = resolution.plan_uninstall("a", modules)
    assert [step.code for step in plan.steps] == ["c", "b", "a"]
    assert sorted(reasons(plan)) == [("DEPENDENT", "b"), ("DEPENDENT", "c")]
    assert all(problem.severity == "WARNING" for problem in plan.problems)


def test_a_long_line_of_dependents_ends():
    modules = live(
        *((f"m{number}", "1.0.0", {f"m{number - 1}": "*"}) for number in range(1, 3000)), ("m0", "1.0.0", {})
    )
    assert [step.code for step in resolution.plan_uninstall("m0", modules).steps] == [
        f"m{n}" for n in range(2999, -1, -1)
    ]


def test_a_plan_is_outdated_once_what_it_saw_has_changed():
    modules = live(("a", "1.0.0", {}), ("b", "1.0.0", {"a": "*"}))
    token = resolution.plan_uninstall("a", modules).token
    assert resolution.plan_uninstall("a", modules | live(("z", "1.0.0", {}))).token == token
    assert resolution.plan_uninstall("a", modules | live(("c", "1.0.0", {"a": "*"}))).token != token
    assert resolution.plan_uninstall("a", {**modules, "b": replace(modules["b"], generation=2)}).token != token
