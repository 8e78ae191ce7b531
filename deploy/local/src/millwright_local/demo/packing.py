"""The example module as a package: in any version, with pictures that make its progress worth seeing."""

import json
import os
import shutil
import sys
from pathlib import Path

from millwright_local.demo.scene import EXAMPLES
from millwright_local.processes import Process

MODULE = "modules/quality-analytics"
_EXAMPLE = EXAMPLES / "modules" / "quality-analytics"
_PICTURE_BYTES = 24 << 10
_PACK_SECONDS = 60.0


async def pack(directory: Path, version: str, logs: Path, pictures: int = 0) -> bytes:
    """Pack the example in a version, by the command, in a directory for what is made on the way."""
    source, package = directory / version, directory / f"{version}.zip"
    shutil.copytree(_EXAMPLE, source)
    manifest = json.loads((source / "module.json").read_text())
    (source / "module.json").write_text(json.dumps({**manifest, "version": version}))
    (source / "pictures").mkdir()
    for number in range(pictures):
        (source / "pictures" / f"{number}.png").write_bytes(os.urandom(_PICTURE_BYTES))
    command = [sys.executable, "-m", "millwright_cli", "module", "pack", str(source), "--to", str(package)]
    await Process("module pack", command, log=logs / "module-pack.log").run(_PACK_SECONDS)
    return package.read_bytes()
