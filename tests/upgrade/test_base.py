"""The revision that an upgrade begins at: the last release, and before the first one what can be upgraded from."""

from __future__ import annotations

import subprocess

import pytest

from tests.upgrade import base

FIRST = "services/etl/src/millwright_etl/migrations/versions/0001_etl.py"
SECOND = "services/etl/src/millwright_etl/migrations/versions/0002_more.py"
CODE = "services/etl/src/millwright_etl/app.py"
IDENTITY = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"]


@pytest.fixture
def git(tmp_path, monkeypatch):
    """Call git in an empty repository."""
    monkeypatch.delenv("BASE", raising=False)

    def git(*arguments: str) -> str:
        command = ["git", *IDENTITY, *arguments]
        return subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "--quiet")
    return git


@pytest.fixture
def commit(git, tmp_path):
    """Commit files with these contents; give the commit."""

    def commit(files: dict[str, str]) -> str:
        for path, content in files.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(content)
        git("add", "--all")
        git("commit", "--quiet", "--message", "step")
        return git("rev-parse", "HEAD")

    return commit


def test_the_last_release_is_the_base_and_later_migrations_go_on_from_it(git, commit, tmp_path) -> None:
    released = commit({FIRST: "a", CODE: "a"})
    git("tag", "v0.1.0")
    commit({CODE: "b"})
    commit({SECOND: "b"})
    assert base.find(tmp_path) == released


def test_a_migration_that_was_changed_after_its_release_is_refused(git, commit, tmp_path) -> None:
    commit({FIRST: "a", CODE: "a"})
    git("tag", "v0.1.0")
    commit({FIRST: "b"})
    with pytest.raises(base.NoBaseError, match="0001_etl"):
        base.find(tmp_path)


def test_before_a_release_the_newest_commit_with_the_same_migrations_and_other_services_is_the_base(
    commit, tmp_path
) -> None:
    commit({FIRST: "a", CODE: "a"})
    commit({FIRST: "b", CODE: "b"})
    earlier = commit({CODE: "c"})
    commit({CODE: "d"})
    commit({"docs/page.md": "d"})
    commit({"services/etl/tests/test_app.py": "d"})
    assert base.find(tmp_path) == earlier


def test_where_every_earlier_commit_has_other_migrations_there_is_no_base(commit, tmp_path) -> None:
    commit({FIRST: "a", CODE: "a"})
    commit({FIRST: "b", CODE: "b"})
    with pytest.raises(base.NoBaseError, match="nothing was released yet"):
        base.find(tmp_path)


def test_whoever_names_a_base_gets_it(commit, tmp_path, monkeypatch) -> None:
    first = commit({FIRST: "a", CODE: "a"})
    commit({CODE: "b"})
    commit({CODE: "c"})
    monkeypatch.setenv("BASE", first)
    assert base.find(tmp_path) == first
