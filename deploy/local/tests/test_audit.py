"""An advisory fails the audit; that none can be had does not, and is said."""

import json
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from millwright_local.audit import ask, rounds

CLEAN = {"name": "grpcio", "version": "1.0", "vulns": []}
BAD = {"name": "pyjwt", "version": "0.1", "vulns": [{"id": "CVE-2000-1", "fix_versions": ["0.2"]}]}
WORSE = {"name": "redis", "version": "0.1", "vulns": [{"id": "CVE-2000-2", "fix_versions": []}]}
UNKNOWN = {"name": "alembic", "skip_reason": "not found"}


@pytest.fixture
def auditor(tmp_path):
    """A program in the place of pip-audit, which says what the test wants."""

    def says(text):
        program = tmp_path / "pip-audit"
        program.write_text(f"#!{sys.executable}\nprint({text!r})\n")
        program.chmod(0o755)
        return program

    return says


@pytest.fixture
def pins(tmp_path):
    """A file with one pin."""
    file = tmp_path / "requirements.txt"
    file.write_text("grpcio==1.0 \\\n    --hash=sha256:00\n")
    return file


def verdict_on(auditor, pins, *dependencies):
    return ask(auditor(json.dumps({"dependencies": dependencies})), [pins], pins.parent)


def test_an_advisory_fails_it_by_name_with_the_version_that_mends_it(auditor, pins):
    verdict = verdict_on(auditor, pins, CLEAN, BAD, WORSE, BAD)
    assert verdict.exit_code == 1
    assert verdict.sentences == (
        "pyjwt 0.1 has CVE-2000-1, mended in 0.2",
        "redis 0.1 has CVE-2000-2, mended in no version yet",
        "advisories were looked up for all 3 dependencies",
    )


def test_without_one_it_passes(auditor, pins):
    verdict = verdict_on(auditor, pins, CLEAN)
    assert (verdict.exit_code, verdict.sentences) == (0, ("advisories were looked up for all 1 dependencies",))


def test_what_could_not_be_asked_is_said_and_is_no_fault(auditor, pins):
    verdict = verdict_on(auditor, pins, CLEAN, UNKNOWN)
    assert verdict.exit_code == 0
    assert verdict.sentences == ("advisories could not be had for 1 of 2 dependencies",)


@pytest.mark.parametrize("text", ["", "Traceback", "[]", "{}"])
def test_an_auditor_that_fails_is_no_fault_and_nobody_is_told_that_all_is_well(auditor, pins, text):
    verdict = ask(auditor(text), [pins], pins.parent)
    assert verdict.exit_code == 0
    assert verdict.sentences == ("advisories cannot be had now: nothing is known of any dependency",)


def test_every_pin_is_asked_about_and_none_twice_at_once(tmp_path):
    (tmp_path / "a.txt").write_text("one==1.0 \\\n    --hash=sha256:00\ntwo[more]==2.0 ; python_version < '3.12'\n")
    (tmp_path / "b.txt").write_text("one==1.1\ntwo==2.0\n# three==3.0\n")
    assert list(rounds([tmp_path / "a.txt", tmp_path / "b.txt"])) == [["one==1.0", "two==2.0"], ["one==1.1"]]


def test_the_verdict_of_today_on_the_same_pins_is_given_again(tmp_path):
    pins, home = tmp_path / "pins.txt", tmp_path / "home"
    pins.write_text("")
    home.mkdir()
    nothing = "e3b0c44298fc1c14"
    told = {"exit_code": 1, "sentences": ["pyjwt 0.1 has CVE-2000-1"]}
    (home / f"{datetime.now(UTC).date()}-{nothing}.json").write_text(json.dumps(told))
    command = [sys.executable, "-m", "millwright_local.audit", home, pins]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "audit: pyjwt 0.1 has CVE-2000-1\n")
