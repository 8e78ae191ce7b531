"""The revision that an upgrade begins at, and an environment in which its services run as they were."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
KEPT = ROOT / ".millwright" / "upgrade"
RUNS = ("services/*/src/*", "protos/millwright")
"""What runs, for git: tests beside it do not."""
LOOKED_AT = 200


class NoBaseError(Exception):
    """There is no revision to upgrade from; the message says why."""


def find(root: Path = ROOT) -> str:
    """Give the commit to upgrade from: BASE, or the last release, or before the first one the newest that can be.

    The migrations of a released version are never changed: an upgrade goes on from them. Before the first release they
    may be, so the newest earlier commit counts that has the same ones and differs in what runs. Raises NoBaseError.
    """
    asked = os.environ.get("BASE") or _git(root, "describe", "--tags", "--abbrev=0", "--match", "v*", may_fail=True)
    if asked:
        commit = _git(root, "rev-parse", f"{asked}^{{commit}}")
        changed = _migrations(root, commit) - _migrations(root, "HEAD")
        if changed:
            raise NoBaseError(f"migrations of {asked} were changed since: {sorted(path for path, _ in changed)}")
        return commit
    ours = _migrations(root, "HEAD")
    for commit in _git(root, "rev-list", f"--max-count={LOOKED_AT}", "HEAD~1", may_fail=True).split():
        if not _migrations(root, commit) <= ours:
            break
        if _git(root, "diff", "--name-only", commit, "HEAD", "--", *RUNS):
            return commit
    raise NoBaseError("no earlier commit has these migrations and other services: nothing was released yet")


def install(commit: str) -> Path:
    """Give the Python of an environment with the commit's packages, made by its own Makefile, and kept."""
    home = KEPT / commit[:12]
    if not (home / ".venv" / "installed").exists():
        home.mkdir(parents=True, exist_ok=True)
        archive = subprocess.run(["git", "archive", commit], cwd=ROOT, check=True, capture_output=True).stdout
        subprocess.run(["tar", "-x", "-C", str(home)], input=archive, check=True)
        subprocess.run(["make", "-s", "setup", f"PYTHON={sys.executable}"], cwd=home, check=True)
    return home / ".venv" / "bin" / "python"


def _migrations(root: Path, revision: str) -> set[tuple[str, str]]:
    """Give the migrations of a revision: each file's path and what it holds."""
    listed = _git(root, "ls-tree", "-r", revision, "--format=%(path) %(objectname)", "services")
    pairs = (line.split() for line in listed.splitlines() if "/migrations/versions/" in line)
    return {(path, content) for path, content in pairs}


def _git(root: Path, *arguments: str, may_fail: bool = False) -> str:
    done = subprocess.run(["git", *arguments], cwd=root, check=not may_fail, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else ""
