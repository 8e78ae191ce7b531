"""Scratch directories go with their run, also when the run was killed, and never while it lasts."""

import os
import subprocess
import sys
from pathlib import Path

from millwright_local.scratch import scratch_directory

# Leaves its directory behind, as a run does that is killed.
KILLED = """
import os, signal
from millwright_local.scratch import scratch_directory

with scratch_directory() as directory:
    print(directory, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""
LONG_AGO = (0, 0)


def test_a_directory_goes_with_its_block() -> None:
    with scratch_directory() as directory:
        (directory / "data").mkdir()
    assert not directory.exists()


def test_what_a_killed_run_left_is_swept_and_what_is_in_use_stays() -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED], stdout=subprocess.PIPE, text=True)
    left = Path(killed.stdout.strip())
    assert left.is_dir()
    with scratch_directory() as in_use:
        for directory in (left, in_use):
            os.utime(directory, LONG_AGO)
        with scratch_directory():
            assert in_use.exists()
            assert not left.exists()
