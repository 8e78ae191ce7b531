"""Where secrets are, what they are, and how they are kept out of texts."""

import base64

import pytest
from millwright_workflow.engine.calls.secrets import Keyring, SecretSource


@pytest.fixture
def source(tmp_path):
    """Secrets of two plants in files, and of one in the environment."""
    for tenant in ("plant-a", "plant-b"):
        (tmp_path / tenant).mkdir()
    (tmp_path / "plant-a" / "key").write_text("k1\n")
    (tmp_path / "plant-a" / "login.json").write_text('{"username": "ann", "pin": 7}')
    (tmp_path / "plant-a" / "list").write_text("[1]")
    (tmp_path / "plant-a" / "large").write_text("x" * 70_000)
    (tmp_path / "plant-a" / "bytes").write_bytes(b"\xff")
    (tmp_path / "plant-b" / "key").write_text("k2")
    environment = {"S_PLANT_A__KEY": "shadowed", "S_PLANT_A__ERP_TOKEN": "e1", "S_PLANT_B__X": "b", "PATH": "/bin"}
    return SecretSource(tmp_path, "S_", environment)


async def test_a_secret_is_a_file_or_a_variable(source):
    names = ["key", "login.json", "list", "erp-token"]
    assert await source.read("plant-a", names) == {
        "key": "k1",
        "login.json": {"username": "ann", "pin": 7},
        "list": "[1]",
        "erp-token": "e1",
    }


async def test_a_tenant_has_its_own(source):
    assert await source.read("plant-b", ["key", "erp-token", "login.json"]) == {"key": "k2"}


@pytest.mark.parametrize(
    "name", ["../plant-b/key", "/etc/hostname", ".", "..", "", "large", "bytes", "none", "a/b", "x\0"]
)
async def test_what_is_no_secret_is_none(source, name):
    assert await source.read("plant-a", [name]) == {}


@pytest.mark.parametrize(
    ("tenant", "name"), [("a", "b--c"), ("a--b", "c"), ("a", "B"), ("a", "b_c"), ("a-", "b"), ("a", "-b"), ("a", "b.c")]
)
async def test_names_that_could_share_a_variable_have_none(tenant, name):
    variables = {f"S_{tenant}__{name}".replace("-", "_").replace(".", "_").upper(): "x"}
    assert await SecretSource(None, "S_", variables).read(tenant, [name]) == {}


async def test_there_is_none_without_settings(tmp_path):
    assert await SecretSource(None, "", {"PLANT_A__KEY": "x"}).read("plant-a", ["key"]) == {}


async def test_a_keyring_shows_nothing_of_what_it_holds():
    assert "S3CRET" not in repr(Keyring({"key": "S3CRET"}, "n"))


@pytest.mark.parametrize(
    "echo",
    [
        "S3C/RET 1",
        "S3C%2FRET%201",
        "S3C/RET%201",
        "S3C%2FRET+1",
        base64.b64encode(b"S3C/RET 1").decode(),
        '"S3C/RET 1"',
    ],
)
def test_a_secret_is_taken_out_of_a_text_in_its_usual_spellings(echo):
    ring = Keyring({"login": {"password": "S3C/RET 1", "on": True}}, "n")
    assert "S3C" not in ring.redact(f"you sent {echo}, truly")
    assert ring.redact("you sent nothing, truly") == "you sent nothing, truly"
