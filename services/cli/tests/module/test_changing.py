"""`millwright module list | info | history | rollback | enable | disable | uninstall | plan`."""

import json

from google.protobuf.timestamp_pb2 import Timestamp
from millwright.modules.v1 import module_service_pb2 as pb
from millwright.modules.v1.module_pb2 import Activation, Asset, Module, ModuleVersion, Problem

MODULE = Module(
    name="modules/quality",
    titles={"en": "Quality Analytics", "ko": "품질 분석"},
    category="CATEGORY_FEATURE",
    publisher="Millwright",
    state="STATE_ENABLED",
    active_version="1.1.0",
    generation=3,
    create_time=Timestamp(seconds=1),
    update_time=Timestamp(seconds=2),
)
LIVE = ModuleVersion(
    name="modules/quality/versions/1.1.0",
    package_bytes=5 << 20,
    signer="plant-a",
    active=True,
    assets=[Asset(path="page-5XK2.js", bytes=4096)],
    warnings=[Problem(reason="BUILD_WARNING", severity="SEVERITY_WARNING", path="a.ts", messages={"en": "odd"})],
)


def activation(generation, kind, **more):
    return Activation(name=f"modules/quality/activations/{generation}", kind=f"KIND_{kind}", **more)


def test_modules_are_listed_in_the_readers_language(peer, run):
    peer.answers("ListModules", pb.ListModulesResponse(modules=[MODULE], next_page_token="more"))
    result = run("module", "list", "--limit", "1", "--lang", "ko", "--with-uninstalled")
    assert "품질 분석" in result.stdout
    assert "✔ 사용 중" in result.stdout
    assert "--limit" in result.stdout
    assert peer.requests("ListModules")[0].include_uninstalled


def test_one_module_is_shown_with_what_was_built_and_the_versions_kept(peer, run):
    peer.answers("GetModule", pb.GetModuleResponse(module=MODULE, version=LIVE))
    older = ModuleVersion(name="modules/quality/versions/1.0.0", package_bytes=1024)
    peer.answers("ListModuleVersions", pb.ListModuleVersionsResponse(versions=[LIVE, older]))
    result = run("module", "info", "quality")
    for told in ("Quality Analytics", "plant-a", "page-5XK2.js", "4.0 KiB", "! odd", "1.0.0", "5.0 MiB", "feature"):
        assert told in result.stdout
    assert peer.requests("ListModuleVersions")[0].module == "modules/quality"


def test_a_module_that_is_left_without_what_it_needs_says_so(peer, run):
    lack = Problem(reason="DEPENDENCY_VERSION", severity="SEVERITY_ERROR", messages={"en": "it needs charts ^2"})
    peer.answers("GetModule", pb.GetModuleResponse(module=MODULE, version=LIVE, problems=[lack]))
    peer.answers("ListModuleVersions", pb.ListModuleVersionsResponse(versions=[LIVE]))
    assert "✘ it needs charts ^2  [DEPENDENCY_VERSION]" in run("module", "info", "quality").stdout


def test_the_history_says_what_was_live_when_and_why(peer, run):
    rows = [
        activation(3, "ROLLBACK", from_version="1.2.0", to_version="1.1.0", automatic=True, reason="not healthy"),
        activation(1, "INSTALL", to_version="1.0.0", actor="kim"),
    ]
    peer.answers("ListActivations", pb.ListActivationsResponse(activations=rows))
    newest, first = run("module", "history", "quality").stdout.splitlines()[2:]
    assert newest.split()[:4] == ["3", "↩", "rollback", "1.2.0"]
    assert "by itself" in newest
    assert "not healthy" in newest
    assert "kim" in first


def test_a_rollback_is_one_call_that_can_be_sent_again(peer, run):
    done = activation(4, "ROLLBACK", from_version="1.1.0", to_version="1.0.0")
    peer.answers(
        "RollbackModule",
        peer.refusal(peer.UNAVAILABLE),
        pb.RollbackModuleResponse(module=MODULE, activation=done, replayed=True),
    )
    result = run(
        "module", "rollback", "quality", "--to", "1.0.0", "--reason", "scrap rose", "--expected-generation", "3"
    )
    assert result.exit_code == 0, result.stderr
    assert "↩ quality: rollback, 1.1.0 → 1.0.0" in result.stdout
    assert "first answer again" in result.stdout
    first, second = peer.requests("RollbackModule")
    assert first == second
    assert (first.target_version, first.reason, first.expected_generation) == ("1.0.0", "scrap rose", 3)
    assert first.request_id


def test_a_rollback_that_changes_nothing_says_so(peer, run):
    peer.answers("RollbackModule", pb.RollbackModuleResponse(module=MODULE))
    assert "quality: nothing changed; enabled" in run("module", "rollback", "quality", "--reason", "x").stdout


def test_disabling_and_enabling(peer, run):
    peer.answers("DisableModule", pb.DisableModuleResponse(module=Module(name="modules/quality", state=3)))
    peer.answers("EnableModule", pb.EnableModuleResponse(module=MODULE))
    assert "‖ quality –: disabled" in run("module", "disable", "quality", "--reason", "audit").stdout
    assert "✔ quality 1.1.0: enabled, generation 3" in run("module", "enable", "quality").stdout
    assert peer.requests("DisableModule")[0].reason == "audit"


def test_dependents_need_a_plan_whose_token_is_passed_on(peer, run):
    peer.answers("UninstallModule", peer.refusal(peer.FAILED_PRECONDITION, "DEPENDENTS", "spc needs it"))
    refused = run("module", "uninstall", "quality", "--reason", "unused")
    assert (refused.exit_code, "millwright module plan uninstall" in refused.stderr) == (4, True)

    steps = [pb.PlannedStep(module=f"modules/{name}", kind="KIND_UNINSTALL", from_version="1.0.0") for name in "ab"]
    warned = Problem(reason="DEPENDENT", severity="SEVERITY_WARNING", messages={"en": "b needs a, and goes with it."})
    peer.answers("PlanChange", pb.PlanChangeResponse(steps=steps, problems=[warned], plan_token="t0k3n"))
    planned = run("module", "plan", "uninstall", "quality")
    assert planned.exit_code == 0
    assert peer.requests("PlanChange")[0].uninstall == "modules/quality"
    assert "b needs a" in planned.stdout
    assert "t0k3n" in planned.stdout

    gone = [Module(name=f"modules/{name}", state="STATE_UNINSTALLED") for name in "ab"]
    peer.answers("UninstallModule", pb.UninstallModuleResponse(modules=gone))
    done = run("module", "uninstall", "quality", "--reason", "unused", "--plan", "t0k3n", "--purge")
    assert [line.split(",")[0] for line in done.stdout.splitlines()] == ["■ a: uninstalled", "■ b: uninstalled"]
    request = peer.requests("UninstallModule")[-1]
    assert (request.plan_token, request.purge) == ("t0k3n", True)


def test_a_plan_that_is_blocked_says_by_what_and_exits_with_4(peer, run, tmp_path):
    (tmp_path / "package.zip").write_bytes(b"package")
    peer.answers("CreateUpload", pb.CreateUploadResponse(upload=pb.Upload(name="uploads/ab", complete=True)))
    missing = Problem(reason="DEPENDENCY_MISSING", severity="SEVERITY_ERROR", messages={"en": "It needs spc."})
    peer.answers("PlanChange", pb.PlanChangeResponse(problems=[missing]))
    result = run("module", "plan", "install", "package.zip")
    assert (result.exit_code, "✘ It needs spc.  [DEPENDENCY_MISSING]" in result.stdout) == (4, True)
    assert peer.requests("PlanChange")[0].install == "uploads/ab"


def test_a_plan_to_roll_back(peer, run):
    step = pb.PlannedStep(module="modules/quality", kind="KIND_ROLLBACK", from_version="1.1.0", to_version="1.0.0")
    peer.answers("PlanChange", pb.PlanChangeResponse(steps=[step]))
    answer = json.loads(run("module", "plan", "rollback", "modules/quality", "-o", "json").stdout)
    assert answer["steps"][0]["toVersion"] == "1.0.0"
