"""`millwright module init | pack | sign | verify`: packages are made without a service, and the same each time."""

import json
import os
import subprocess
import zipfile
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

KEY = ed25519.Ed25519PrivateKey.from_private_bytes(b"m" * 32)


def pem(key, *, public=False, passphrase=None):
    """A key as a file holds it."""
    if public:
        return key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    kept = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, kept)


@pytest.fixture
def keys(tmp_path):
    """A signer's key, its public half, and a stranger's."""
    (tmp_path / "plant-a.pem").write_bytes(pem(KEY))
    (tmp_path / "public.pem").write_bytes(pem(KEY, public=True))
    (tmp_path / "stranger.pem").write_bytes(pem(ed25519.Ed25519PrivateKey.generate()))
    return tmp_path


@pytest.fixture
def package(bare, keys):
    """A module that was begun and packed."""
    assert bare("module", "init", "spare-parts").exit_code == 0
    assert bare("module", "pack", "spare-parts").exit_code == 0
    return keys / "spare-parts-0.1.0.zip"


def rewritten(path, change):
    """Write an archive anew, with `change` made to its files."""
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    change(files)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)


def test_a_module_begins_with_a_manifest_and_a_page(bare):
    result = bare("module", "init", "spare-parts", "--title", 'Parts "and" more')
    assert "✔ spare-parts/module.json" in result.stdout
    manifest = json.loads(Path("spare-parts/module.json").read_text())
    assert (manifest["code"], manifest["titles"]) == ("spare-parts", {"en": 'Parts "and" more'})
    assert Path("spare-parts", manifest["frontend"]["entry"]).is_file()


def test_a_directory_with_something_in_it_is_left_alone(bare):
    bare("module", "init", "spare-parts")
    Path("spare-parts/module.json").write_text("mine")
    again = bare("module", "init", "spare-parts", "--lang", "ko")
    assert again.exit_code == 2
    assert "비어 있지 않습니다" in again.stderr
    assert Path("spare-parts/module.json").read_text() == "mine"


def test_a_name_that_is_no_code_needs_one(bare):
    assert "NO_CODE" in bare("module", "init", "Spare Parts").stderr
    assert bare("module", "init", "Spare Parts", "--code", "spare-parts").exit_code == 0


def test_the_same_files_give_the_same_bytes(bare, package):
    first = package.read_bytes()
    for path in Path("spare-parts").rglob("*"):
        os.utime(path, (1, 1))
        path.chmod(0o700)
    for name in (".git/HEAD", "node_modules/react/index.js", ".DS_Store", "module.signature.json"):
        Path("spare-parts", name).parent.mkdir(parents=True, exist_ok=True)
        Path("spare-parts", name).write_text("left out")
    result = bare("module", "pack", "spare-parts", "--to", "again.zip", "-o", "json")
    assert Path("again.zip").read_bytes() == first
    told = json.loads(result.stdout)
    assert (told["code"], told["version"], told["files"], told["bytes"]) == ("spare-parts", "0.1.0", 4, len(first))


def test_a_module_without_what_it_names_is_not_packed(bare, package):
    Path("spare-parts/src/page.tsx").unlink()
    result = bare("module", "pack", "spare-parts", "--to", "broken.zip")
    assert result.exit_code == 2
    assert "/frontend/entry names src/page.tsx" in result.stderr
    assert not Path("broken.zip").exists()


@pytest.mark.parametrize(
    ("manifest", "told"),
    [
        ("", "line 1"),
        ("{]", "line 1, column 2"),
        ("[]", "no manifest"),
        ('{"code": "a-module"}', "no manifest"),
        ('{"code": "../escape", "version": "1.0.0"}', "no code"),
        ('{"code": "a-module", "version": "../../1"}', "no version"),
        ('{"code": "a-module", "version": "1.0.0", "frontend": 1}', "no manifest"),
        ("[" * 100_000, "manifest"),
    ],
)
def test_a_manifest_that_is_none_is_told(manifest, told, bare, package):
    Path("spare-parts/module.json").write_text(manifest)
    result = bare("module", "pack", "spare-parts")
    assert result.exit_code == 2
    assert told in result.stderr


def test_links_are_not_followed(bare, package):
    Path("spare-parts/src/secret.txt").symlink_to("/etc/passwd")
    result = bare("module", "pack", "spare-parts")
    assert (result.exit_code, "secret.txt" in result.stderr) == (2, True)


def test_what_was_signed_is_verified_with_the_public_key(bare, package):
    assert "signed by plant-a" in bare("module", "sign", str(package), "--key", "plant-a.pem").stdout
    signed = package.read_bytes()
    for key in ("public.pem", "plant-a.pem"):
        assert bare("module", "verify", str(package), "--key", key).exit_code == 0
    bare("module", "sign", str(package), "--key", "plant-a.pem")
    assert package.read_bytes() == signed
    assert {path.name for path in package.parent.iterdir() if path.name.startswith(".")} == set()


def test_names_that_do_not_say_that_they_are_in_utf8_are_signed_as_the_service_reads_them(bare, package):
    rewritten(package, lambda files: files.update({"src/pppppp.css": b""}))
    package.write_bytes(package.read_bytes().replace(b"pppppp", "용접".encode()))
    assert bare("module", "sign", str(package), "--key", "plant-a.pem").exit_code == 0
    with zipfile.ZipFile(package) as archive:
        assert "src/용접.css" in archive.namelist()
    assert bare("module", "verify", str(package), "--key", "plant-a.pem").exit_code == 0


def test_the_key_has_an_id_of_its_own(bare, package):
    result = bare("module", "sign", str(package), "--key", "plant-a.pem", "--key-id", "millwright-2026", "-o", "json")
    assert json.loads(result.stdout)["key"] == "millwright-2026"
    assert "NO_KEY_ID" in bare("module", "sign", str(package), "--key", "plant-a.pem", "--key-id", "Not An Id").stderr


@pytest.mark.parametrize(
    ("change", "path", "told"),
    [
        (lambda files: files.update({"src/page.tsx": b"stolen()"}), "src/page.tsx", "changed after signing"),
        (lambda files: files.update({"src/evil.ts": b""}), "src/evil.ts", "added after signing"),
        (lambda files: files.pop("README.md"), "README.md", "it was signed, and is not there"),
        (lambda files: files.pop("module.signature.json"), "module.signature.json", "no signature"),
        (lambda files: files.update({"module.signature.json": b"{}"}), "module.signature.json", "looks like"),
    ],
)
def test_each_file_that_was_changed_is_named(change, path, told, bare, package):
    bare("module", "sign", str(package), "--key", "plant-a.pem")
    rewritten(package, change)
    result = bare("module", "verify", str(package), "--key", "public.pem")
    assert result.exit_code == 5
    assert f"{path}: " in result.stderr
    assert told in result.stderr


def test_the_list_cannot_be_changed_with_the_file(bare, package):
    bare("module", "sign", str(package), "--key", "plant-a.pem")

    def change(files):
        statement = json.loads(files["module.signature.json"])
        del statement["files"]["README.md"]
        files["module.signature.json"] = json.dumps(statement).encode()
        del files["README.md"]

    rewritten(package, change)
    result = bare("module", "verify", str(package), "--key", "public.pem")
    assert (result.exit_code, "SIGNATURE_INVALID" in result.stderr) == (5, True)


def test_another_key_verifies_nothing(bare, package):
    bare("module", "sign", str(package), "--key", "plant-a.pem")
    assert bare("module", "verify", str(package), "--key", "stranger.pem").exit_code == 5


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no key",
        pem(ec.generate_private_key(ec.SECP256R1())),
        pem(KEY, passphrase=b"secret"),
        pem(KEY, public=True),
    ],
)
def test_what_is_no_private_key_signs_nothing(content, bare, package):
    before = package.read_bytes()
    Path("other.pem").write_bytes(content)
    result = bare("module", "sign", str(package), "--key", "other.pem")
    assert result.exit_code == 2
    assert "openssl genpkey" in result.stderr
    assert package.read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x05\x06" + bytes(18)])
def test_what_is_no_package_is_told(content, bare, keys):
    Path("other.zip").write_bytes(content)
    for arguments in (("sign", "other.zip", "--key", "plant-a.pem"), ("verify", "other.zip", "--key", "public.pem")):
        result = bare("module", *arguments)
        assert (result.exit_code, "BAD_PACKAGE" in result.stderr) == (2, True)


def test_a_damaged_package_is_told(bare, package):
    content = bytearray(package.read_bytes())
    content[60] ^= 0xFF
    package.write_bytes(content)
    assert "BAD_PACKAGE" in bare("module", "verify", str(package), "--key", "public.pem").stderr


def test_openssl_makes_keys_that_sign(bare, package):
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", "made.pem"], check=True, capture_output=True)
    assert bare("module", "sign", str(package), "--key", "made.pem").exit_code == 0
    assert bare("module", "verify", str(package), "--key", "made.pem").exit_code == 0


def test_a_file_that_is_not_there_is_told(bare, keys):
    assert "UNREADABLE" in bare("module", "sign", "nothing.zip", "--key", "plant-a.pem").stderr
    assert "UNREADABLE" in bare("module", "pack", "nothing").stderr
    assert "UNREADABLE" in bare("module", "verify", "nothing.zip", "--key", "nothing.pem").stderr
