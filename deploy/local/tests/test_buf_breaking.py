"""The contract is compared with the last release."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
MESSAGE = 'syntax = "proto3";\npackage millwright.plain.v1;\nmessage Part {{\n{fields}\n}}\n'
ID = "  string id = 1;"
NAME = "  string name = 2;"


class Repository:
    """A git repository with a contract of one message, and the script."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        script = directory / "deploy" / "local" / "buf-breaking"
        script.parent.mkdir(parents=True)
        shutil.copy(ROOT / "deploy" / "local" / "buf-breaking", script)
        shutil.copy(ROOT / "buf.yaml", directory)
        shutil.copytree(ROOT / "protos" / "gen" / "include", directory / "protos" / "gen" / "include")
        self._run("git", "init", "--quiet")

    def write(self, *fields: str) -> None:
        contract = self._directory / "protos" / "millwright" / "plain" / "v1" / "part.proto"
        contract.parent.mkdir(parents=True, exist_ok=True)
        contract.write_text(MESSAGE.format(fields="\n".join(fields)))

    def commit(self, tag: str | None = None) -> None:
        identity = ("-c", "user.name=test", "-c", "user.email=test@example.com")
        self._run("git", "add", "protos/millwright")
        self._run("git", *identity, "commit", "--quiet", "--allow-empty", "--message", "step")
        if tag:
            self._run("git", "tag", tag)

    def check(self) -> subprocess.CompletedProcess[str]:
        buf = Path(sys.executable).with_name("buf")
        return self._run("deploy/local/buf-breaking", env={"BUF": str(buf), "PATH": "/usr/bin:/bin"}, check=False)

    def _run(self, *command: str, check: bool = True, **options: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, cwd=self._directory, check=check, capture_output=True, text=True, **options)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


def test_before_the_first_release_the_contract_may_change(repository: Repository) -> None:
    repository.write(ID, NAME)
    repository.commit()
    repository.write(ID)
    repository.commit()
    result = repository.check()
    assert result.returncode == 0
    assert result.stdout == "buf breaking: nothing has been released yet, so nothing can break\n"


def test_a_field_may_be_added_but_not_removed_since_the_release(repository: Repository) -> None:
    repository.write(ID)
    repository.commit(tag="v1.0.0")
    repository.write(ID, NAME)
    assert repository.check().returncode == 0
    repository.write(NAME)
    repository.commit()
    result = repository.check()
    assert result.returncode != 0
    assert 'Previously present field "1" with name "id"' in result.stdout


def test_a_release_counts_and_not_what_came_between(repository: Repository) -> None:
    repository.write(ID)
    repository.commit(tag="v1.0.0")
    repository.write(ID, NAME)
    repository.commit()
    repository.write(ID)
    repository.commit()
    assert repository.check().returncode == 0
