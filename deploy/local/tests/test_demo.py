"""The demo as a newcomer meets it: it tells its story, proves it, and leaves nothing behind, also when it fails."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from millwright_local.processes import is_alive

COMMAND = (sys.executable, "-m", "millwright_local", "demo")
pytestmark = pytest.mark.timeout(600)


# Servers that the environment names, and that are not there: the demo must not ask for them.
ELSEWHERE = {"MILLWRIGHT_WORKFLOW_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nowhere"}


@contextmanager
def demo() -> Iterator[subprocess.Popen[str]]:
    environment = os.environ | ELSEWHERE
    process = subprocess.Popen(COMMAND, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)
    with process:
        try:
            yield process
        finally:
            process.kill()


def read_until(process: subprocess.Popen[str], sign: str) -> str:
    """Read what the demo prints up to the line that holds the sign."""
    assert process.stdout is not None
    printed = ""
    for line in process.stdout:
        printed += line
        if sign in line:
            return printed
    pytest.fail(f"{sign!r} was never printed:\n{printed}")


def family_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def home_of(family: list[psutil.Process]) -> Path:
    (data,) = {line[line.index("-D") + 1] for child in family if "-D" in (line := child.cmdline())}
    return Path(data).parents[1]


def assert_nothing_is_left(family: list[psutil.Process], home: Path) -> None:
    assert not any(is_alive(child) for child in family)
    assert not home.exists()


def test_the_demo_proves_its_story_and_leaves_nothing_behind() -> None:
    with demo() as process:
        printed = read_until(process, "workflow schema")
        family = family_of(process)
        home = home_of(family)
        printed += process.communicate(timeout=540)[0]
        assert process.returncode == 0, printed
        for claim in (
            "every instance on v3 faults: 3 of 3",
            "prod points to the last good version: v2",
            "the NATS subscriber has the event",
            "the watch stream has the release",
            "every instance completes on v2",
            "the log has no gap: 1 to 7",
            "the instance goes on by itself, and completes: COMPLETED",
            "the next worker goes on from what the last one saved: it began with part 7",
            "nothing ran twice",
            "the plant has the report",
            "every weld has a stored judgment: 8,400",
            "the gate says how many outcomes would change: 404 of 8,400",
            "the welds between the limits change, and no other: 404",
            "the causes explain every change",
            "the replay has stored no judgment",
            "the guardrail breaks, and prod is back by itself",
            "all that comes afterwards is judged by version 1: 200 of 200 lots",
            "SIGKILL came in the middle of it: 25 %, validating",
            "the install goes on by itself, and completes",
            "what was finished is not told again: it began with validating",
            "1.0.0 is live: generation 1",
            "1.1.0 is live: generation 2",
            "1.0.0 is live: generation 3",
            "it is refused, and why is said: PATH_TRAVERSAL",
            "what is live has not changed: 1.0.0",
            "its end starts a workflow, which asks a person",
            "the workflow completes",
            "the ruleset is back at version 1",
            "the module that shows lines is live: 1.2.0",
            "run, workflow, rollback and install are one trace",
        ):
            assert f"✓ {claim}" in printed
        assert re.search(r"Saved: \d+\.\d s, 6 of 9 parts", printed)
        assert "\x1b" not in printed
        assert_nothing_is_left(family, home)


def test_a_service_that_dies_makes_the_demo_fail_in_the_step_it_was_in() -> None:
    with demo() as process:
        printed = read_until(process, "2 Publish a defect alert")
        family = family_of(process)
        home = home_of(family)
        (service,) = [child for child in family if child.cmdline()[-2:] == ["millwright_workflow", "serve"]]
        service.kill()
        printed += process.communicate(timeout=60)[0]
        assert process.returncode == 1, printed
        number, name = re.findall(r"^(\d) (.*)$", printed, re.MULTILINE)[-1]
        assert f"✗ step {number}, {name}: this did not hold" in printed
        assert "workflow ended with exit code -9" in printed
        assert_nothing_is_left(family, home)


def test_a_demo_that_is_broken_off_stops_everything() -> None:
    with demo() as process:
        read_until(process, "2 Publish a defect alert")
        family = family_of(process)
        home = home_of(family)
        process.send_signal(signal.SIGINT)
        printed, _ = process.communicate(timeout=60)
        assert process.returncode == 130, printed
        assert_nothing_is_left(family, home)
