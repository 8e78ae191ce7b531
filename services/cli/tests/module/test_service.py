"""`millwright module …` against the service: packages are built for real, go live, and come back."""

import io
import json
import zipfile

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

STAGES = ("unpacking", "checking", "building", "going live", "completed")
SOON = ("--health-time", "1s")


async def test_the_example_is_installed_stage_by_stage_and_is_live(call, example):
    result = await call("install", example, "--reason", "asked for by line 3", *SOON)
    assert result.exit_code == 0, result.stderr + result.stdout
    lines = result.stdout.splitlines()
    assert [stage for stage in STAGES if any(stage in line for line in lines)] == list(STAGES)
    assert lines[-1].startswith("✔ completed  100 %  quality-analytics 1.0.0")
    percents = [int(line.split(" %")[0].split()[-1]) for line in lines if " %" in line]
    assert percents == sorted(percents)

    info = (await call("info", "quality-analytics", "--lang", "ko")).stdout
    for told in ("품질 분석", "✔ 사용 중", "page-", ".js", ".css", "Millwright examples"):
        assert told in info
    assert "Quality Analytics" in (await call("list")).stdout
    (row,) = (await call("history", "quality-analytics")).stdout.splitlines()[2:]
    assert "asked for by line 3" in row
    assert "kim" in row


async def test_a_version_is_upgraded_and_rolled_back_in_one_call(call, packed):
    assert (await call("upgrade", packed())).exit_code == 3
    assert (await call("install", packed(), *SOON)).exit_code == 0
    second = packed("1.1.0", page="export default function Page() { return <p>second</p>; }\n")
    assert (await call("upgrade", second, *SOON)).exit_code == 0
    older = await call("install", packed("0.9.0"), *SOON)
    assert (older.exit_code, "[DOWNGRADE]" in older.stdout) == (8, True)

    assert (await call("plan", "rollback", "spare-parts")).exit_code == 0
    back = await call("rollback", "spare-parts", "--reason", "line 3 stood still")
    assert "↩ spare-parts: rollback, 1.1.0 → 1.0.0, in " in back.stdout
    kinds = [line.split()[2] for line in (await call("history", "spare-parts")).stdout.splitlines()[2:]]
    assert kinds == ["rollback", "upgrade", "install"]
    stale = await call("rollback", "spare-parts", "--reason", "again", "--expected-generation", "1")
    assert (stale.exit_code, "GENERATION_MISMATCH" in stale.stderr) == (4, True)


async def test_the_same_package_again_is_done_at_once(call, packed):
    package = packed()
    assert (await call("install", package, *SOON)).exit_code == 0
    again = await call("install", package, *SOON)
    assert again.exit_code == 0, again.stdout + again.stderr
    assert "completed  100 %" in again.stdout.splitlines()[-1]


async def test_a_page_that_does_not_build_is_told_by_file_and_line_and_nothing_goes_live(call, packed):
    source = 'import { useState } from "react";\nimport chart from "left-pad";\nexport default () => chart(useState);\n'
    result = await call("install", packed(page=source))
    assert result.exit_code == 8
    assert "✘ src/page.tsx:2: src/page.tsx needs left-pad" in result.stdout
    assert "→ Put it into the module" in result.stdout
    assert "failed" in result.stdout.splitlines()[-1]
    assert (await call("history", "spare-parts")).stdout.strip() in {"", "nothing found"}


async def test_a_page_that_reads_the_machine_is_refused(call, packed):
    source = 'import stolen from "/proc/self/environ" with { type: "text" };\nexport default stolen;\n'
    result = await call("install", packed(page=source))
    assert (result.exit_code, "[IMPORT_FORBIDDEN]" in result.stdout) == (8, True)


async def test_a_hostile_archive_is_refused_with_its_reason(call, tmp_path):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("module.json", "{}")
        archive.writestr("../../evil.ts", "x")
    (tmp_path / "evil.zip").write_bytes(content.getvalue())
    result = await call("install", str(tmp_path / "evil.zip"))
    assert result.exit_code == 8
    assert "[PATH_TRAVERSAL]" in result.stdout


async def test_a_plan_says_what_is_missing_and_changes_nothing(call, packed):
    needy = packed(dependencies={"statistics": "^1.0.0"})
    planned = await call("plan", "install", needy)
    assert (planned.exit_code, "[DEPENDENCY_MISSING]" in planned.stdout) == (4, True)
    assert "nothing found" in (await call("list")).stdout


async def test_what_others_need_goes_with_a_plan_only(call, packed):
    assert (await call("install", packed(code="statistics"), *SOON)).exit_code == 0
    needy = packed(code="charts", dependencies={"statistics": "^1.0.0"})
    assert (await call("install", needy, *SOON)).exit_code == 0
    alone = await call("uninstall", "statistics", "--reason", "unused")
    assert (alone.exit_code, "[DEPENDENTS]" in alone.stderr) == (4, True)

    token = json.loads((await call("plan", "uninstall", "statistics", "-o", "json")).stdout)["planToken"]
    gone = await call("uninstall", "statistics", "--reason", "unused", "--plan", token)
    assert gone.exit_code == 0, gone.stderr
    assert {line.split(":")[0] for line in gone.stdout.splitlines()} == {"■ statistics", "■ charts"}
    assert "charts" not in (await call("list")).stdout
    assert "charts" in (await call("list", "--with-uninstalled")).stdout


async def test_disabling_and_enabling(call, packed):
    await call("install", packed(), *SOON)
    assert "disabled" in (await call("disable", "spare-parts", "--reason", "audit")).stdout
    assert "enabled" in (await call("enable", "spare-parts")).stdout


@pytest.mark.parametrize("verb", ["info", "history", "rollback", "uninstall", "enable", "disable"])
async def test_what_is_not_there_is_not_found(verb, call):
    reason = ("--reason", "x") if verb in {"rollback", "uninstall"} else ()
    result = await call(verb, "nothing", *reason)
    assert (result.exit_code, "millwright module list" in result.stderr) == (3, True)


async def test_an_operation_can_be_watched_from_its_beginning_by_another(call, packed):
    begun = await call("install", packed(), "--detach", "-o", "json", *SOON)
    name = json.loads(begun.stdout)["operation"]["name"]
    watched = await call("watch", name)
    assert watched.exit_code == 0
    assert "completed  100 %" in watched.stdout.splitlines()[-1]
    assert name.removeprefix("operations/") in (await call("operations", "--module", "spare-parts")).stdout
    ended = await call("cancel", name)
    assert "completed" in ended.stdout


@pytest.fixture
def signer(tmp_path):
    """A key file of the plant's signer."""
    path = tmp_path / "plant-a.pem"
    key = Ed25519PrivateKey.from_private_bytes(b"m" * 32)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return str(path)


async def test_where_signatures_are_asked_for_only_packages_of_trusted_keys_go_live(call, packed, signer):
    assert "need no signature" in (await call("policy", "off")).stdout
    assert "need no signature" in (await call("policy")).stdout
    assert "is refused" in (await call("policy", "enforce")).stdout
    package = packed()
    unsigned = await call("install", package, *SOON)
    assert (unsigned.exit_code, "[UNSIGNED]" in unsigned.stdout) == (8, True)

    assert (await call("sign", package, "--key", signer)).exit_code == 0
    stranger = await call("install", package, *SOON)
    assert (stranger.exit_code, "[SIGNER_UNKNOWN]" in stranger.stdout) == (8, True)

    added = await call("key", "add", "plant-a", signer, "--owner", "Plant A")
    assert "Plant A" in added.stdout
    assert (await call("install", package, *SOON)).exit_code == 0
    assert "plant-a" in (await call("info", "spare-parts")).stdout
    assert "plant-a" in (await call("key", "list")).stdout
    assert "trusted no more" in (await call("key", "remove", "plant-a")).stdout
    assert "nothing found" in (await call("key", "list")).stdout


async def test_what_is_no_key_is_not_trusted(call, tmp_path):
    (tmp_path / "none.pem").write_text("none")
    result = await call("key", "add", "plant-a", str(tmp_path / "none.pem"))
    assert (result.exit_code, "NO_KEY" in result.stderr) == (2, True)
    assert "UNREADABLE" in (await call("key", "add", "plant-a", str(tmp_path / "nothing.pem"))).stderr


async def test_settings_are_read_and_changed_and_must_fit(call, packed):
    await call("install", packed(), *SOON)
    assert '{"greeting": "Good morning"}' in (await call("settings", "get", "spare-parts")).stdout
    first = await call("settings", "set", "spare-parts", '{"greeting": "Hello"}', "-o", "json")
    known = json.loads(first.stdout)["settings"]
    saved = await call("settings", "set", "spare-parts", '{"greeting": "안녕하세요"}', "--etag", known["etag"])
    assert '{"greeting": "안녕하세요"}' in saved.stdout, saved.stderr
    stale = await call("settings", "set", "spare-parts", "{}", "--etag", known["etag"])
    assert (stale.exit_code, "module settings get" in stale.stderr) == (4, True)
    wrong = await call("settings", "set", "spare-parts", '{"greeting": 7}')
    assert (wrong.exit_code, "/greeting: " in wrong.stderr) == (5, True)
    assert (await call("settings", "set", "spare-parts", "[1]")).exit_code == 2
