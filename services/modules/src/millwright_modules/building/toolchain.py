"""esbuild: the one binary that builds, pinned by its hash.

`python -m millwright_modules.building.toolchain` brings it from npm's own package into the cache of this user (or the
directory given), for development and for images; the service itself fetches nothing.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

_PINS: dict[str, Any] = json.loads((resources.files(__package__) / "esbuild.json").read_text("utf-8"))
_PLATFORMS = {("Linux", "x86_64"): "linux-x64", ("Linux", "aarch64"): "linux-arm64"}
_MEMBER = "package/bin/esbuild"


class Missing(Exception):
    """There is no esbuild here that may be used; the message says why."""


class Unsupported(Missing):
    """There is none for this machine."""


@dataclass(frozen=True, slots=True)
class Esbuild:
    """The binary, as it was checked."""

    path: Path
    version: str


def find(path: Path | None = None) -> Esbuild:
    """Give the binary at `path`, or the one in the cache; raise Missing unless it is the pinned one, byte for byte."""
    pin = _pin()
    path = path or _cached()
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Missing(f"esbuild {_PINS['version']} ({error.strerror}: {path})") from None
    if hashlib.sha256(content).hexdigest() != pin["sha256"]:
        raise Missing(f"esbuild {_PINS['version']} ({path} is another file)")
    return Esbuild(path.resolve(), _PINS["version"])


def bring(npm: list[str], target: Path | None = None) -> Esbuild:
    """Fetch the binary with `npm` unless it is there; raise Missing if what came is not what is pinned."""
    target = target or _cached()
    try:
        return find(target)
    except Missing:
        _fetch(npm, target)
    return find(target)


def _fetch(npm: list[str], target: Path) -> None:
    name = f"@esbuild/{_platform()}@{_PINS['version']}"
    with tempfile.TemporaryDirectory() as directory:
        command = [*npm, "pack", "--loglevel=error", "--no-update-notifier", "--ignore-scripts", name]
        subprocess.run(command, cwd=directory, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - a constant package
        (archive,) = Path(directory).glob("*.tgz")
        found = "sha512-" + base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
        if found != _pin()["integrity"]:
            raise Missing(f"{name} as it is pinned: {found} came")
        target.parent.mkdir(parents=True, exist_ok=True)
        with tarfile.open(archive) as packed, tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as partial:
            content = packed.extractfile(_MEMBER)
            assert content is not None
            shutil.copyfileobj(content, partial)
        Path(partial.name).chmod(0o755)
        Path(partial.name).replace(target)


def _cached() -> Path:
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return caches / "millwright" / f"esbuild-{_PINS['version']}-{_platform()}" / "esbuild"


def _platform() -> str:
    try:
        return _PLATFORMS[platform.system(), platform.machine()]
    except KeyError:
        raise Unsupported(f"esbuild for {platform.system()} on {platform.machine()}") from None


def _pin() -> dict[str, str]:
    pin: dict[str, str] = _PINS["platforms"][_platform()]
    return pin


def main() -> None:
    """Bring esbuild with the npm command given, `--to FILE` if not for the cache; `--look`: fail if it is not there."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--to", type=Path)
    parser.add_argument("--look", action="store_true")
    parser.add_argument("npm", nargs="*", default=["npm"])
    asked = parser.parse_args()
    try:
        _ = find(asked.to) if asked.look else bring(asked.npm, asked.to)
    except Unsupported as error:
        sys.stderr.write(f"{error}\n")
    except Missing:
        sys.exit(1)
    except OSError as error:
        sys.exit(f"esbuild could not be fetched: {error}")
    except subprocess.CalledProcessError as error:
        sys.exit(
            f"esbuild could not be fetched: npm ended with exit code {error.returncode}, and says why above. "
            "Where packages come from a mirror or through a proxy, say so in ~/.npmrc."
        )


if __name__ == "__main__":
    main()
