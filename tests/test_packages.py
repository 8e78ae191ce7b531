"""What the command packs and signs is what the modules service reads, builds and trusts."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from millwright_cli.module import package, signature, template
from millwright_modules.archive import extraction, index
from millwright_modules.archive.limits import Limits
from millwright_modules.building import toolchain
from millwright_modules.building.builder import Builder
from millwright_modules.confinement import kernel, process
from millwright_modules.domain import contents, signing
from millwright_modules.domain.manifest import reader

EXAMPLE = Path(__file__).parents[1] / "examples" / "modules" / "quality-analytics"
KEY = Ed25519PrivateKey.from_private_bytes(b"m" * 32)
PUBLIC = KEY.public_key().public_bytes_raw()


def unpacked(archive, tmp_path):
    """Unpack a package as the service does; give its staging directory and its files."""
    path = tmp_path / "package.zip"
    path.write_bytes(archive)
    fd = index.open_archive(path)
    try:
        staged = extraction.extract(fd, index.read(fd, Limits()), tmp_path / "staging", lambda *_: None)
    finally:
        os.close(fd)
    return tmp_path / "staging", staged


def test_a_signed_package_is_read_and_trusted(tmp_path):
    archive = package.archive(signature.sign(package.read_directory(EXAMPLE), "plant-a", KEY))
    staging, staged = unpacked(archive, tmp_path)
    statement = json.loads((staging / signing.FILE).read_bytes())
    files = {
        path: signing.FileHash(file.size_bytes, file.digest) for path, file in staged.items() if path != signing.FILE
    }
    verdict = signing.verify(statement, files, {"plant-a": PUBLIC}, signing.Policy.ENFORCE)
    assert verdict == signing.Verdict("plant-a", ())
    assert statement == signing.sign(files, "plant-a", KEY)


def test_names_in_korean_are_packed_signed_and_read(tmp_path):
    module = tmp_path / "module"
    template.write(module, "spare-parts", "예비 부품")
    (module / "src" / "화면 설명.md").write_text("설명")
    archive = package.archive(signature.sign(package.read_directory(module), "plant-a", KEY))
    _, staged = unpacked(archive, tmp_path)
    assert "src/화면 설명.md" in staged


async def test_what_a_module_begins_with_is_sound_and_builds(tmp_path):
    module = tmp_path / "module"
    template.write(module, "spare-parts", "Spare parts")
    staging, staged = unpacked(package.archive(package.read_directory(module)), tmp_path)
    manifest = reader.read((staging / "module.json").read_bytes())
    assert not list(contents.problems(manifest, staged.keys()))
    try:
        process.check()
    except kernel.Unavailable as lack:
        pytest.skip(f"this machine cannot confine a build: it lacks {lack}")
    builder = Builder(toolchain.find(), tmp_path / "cache")
    frontend = manifest.frontend
    built = await builder.build(staging, frontend.entry, tmp_path / "out", lambda _: None, externals=frontend.externals)
    assert not built.warnings
