"""Asks once a day whether an advisory is known against a pinned dependency: a part of `make lint`.

What is found fails it. That nobody can be asked does not: it is said, and asked again the next day.
"""

import argparse
import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import zip_longest
from pathlib import Path
from typing import Any

PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", re.MULTILINE)
PINNED = Path("requirements/audit.txt")
INSTALL_SECONDS = 120.0
ASK_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found out."""

    exit_code: int
    sentences: tuple[str, ...]


def main() -> None:
    """Print the verdict on the files given, today's if it is there, and exit with 1 if an advisory is known."""
    parser = argparse.ArgumentParser(prog="audit", description=__doc__)
    parser.add_argument("home", type=Path, help="a directory for the auditor and what it said")
    parser.add_argument("requirements", type=Path, nargs="+", help="files of pinned dependencies")
    arguments = parser.parse_args()
    home, files = arguments.home, sorted(arguments.requirements)
    question = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
    asked = home / f"{datetime.now(UTC).date()}-{question[:16]}.json"
    if asked.exists():
        verdict = Verdict(**json.loads(asked.read_text()))
    else:
        auditor = _install(home)
        home.mkdir(parents=True, exist_ok=True)
        verdict = ask(auditor, files, home) if auditor else Verdict(0, ("pip-audit cannot be installed now",))
        asked.write_text(json.dumps({"exit_code": verdict.exit_code, "sentences": verdict.sentences}))
    for sentence in verdict.sentences:
        print(f"audit: {sentence}")
    sys.exit(verdict.exit_code)


def ask(auditor: Path, files: Sequence[Path], home: Path) -> Verdict:
    """Have pip-audit look at every pin in `files`, and give what it found; `home` takes what it reads."""
    command = [str(auditor), "--progress-spinner=off", "--disable-pip", "--no-deps", "--format=json", "--requirement"]
    pins, dependencies = home / "pins.txt", []
    try:
        for round_of_pins in rounds(files):
            pins.write_text("\n".join(round_of_pins))
            asking = [*command, str(pins)]
            done = subprocess.run(asking, capture_output=True, text=True, timeout=ASK_SECONDS, check=False)
            dependencies += json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError, TypeError, OSError, subprocess.TimeoutExpired):
        return Verdict(0, ("advisories cannot be had now: nothing is known of any dependency",))
    return judge(dependencies)


def rounds(files: Sequence[Path]) -> Iterator[list[str]]:
    """Give all pins of `files`, in lists of which none has a name twice: pip-audit refuses those."""
    versions: dict[str, set[str]] = {}
    for file in files:
        for name, version in PIN.findall(file.read_text()):
            versions.setdefault(name, set()).add(version)
    for same in zip_longest(*(sorted(f"{name}=={version}" for version in versions[name]) for name in sorted(versions))):
        yield [pin for pin in same if pin]


def judge(dependencies: Sequence[dict[str, Any]]) -> Verdict:
    """Give the verdict on what pip-audit says of each dependency."""
    found = sorted(
        {
            f"{each['name']} {each['version']} has {advisory['id']}, mended in "
            f"{', '.join(advisory['fix_versions']) or 'no version yet'}"
            for each in dependencies
            for advisory in each.get("vulns", ())
        }
    )
    unknown = {each["name"] for each in dependencies if "skip_reason" in each}
    known = {each["name"] for each in dependencies} - unknown
    if unknown:
        found.append(f"advisories could not be had for {len(unknown)} of {len(known | unknown)} dependencies")
    else:
        found.append(f"advisories were looked up for all {len(known)} dependencies")
    return Verdict(1 if any("vulns" in each and each["vulns"] for each in dependencies) else 0, tuple(found))


def _install(home: Path) -> Path | None:
    """Give pip-audit, in an environment of its own, or None if it cannot be had."""
    auditor, uv = home / "bin" / "pip-audit", Path(sys.executable).with_name("uv")
    pinned = ["--quiet", "--require-hashes", "--requirement", str(PINNED)]
    try:
        subprocess.run([str(uv), "venv", "--quiet", "--allow-existing", str(home)], timeout=INSTALL_SECONDS, check=True)
        install = [str(uv), "pip", "install", "--python", str(home / "bin" / "python"), *pinned]
        subprocess.run(install, timeout=INSTALL_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return auditor


if __name__ == "__main__":
    main()
