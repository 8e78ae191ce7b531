"""Tokens verify against the published key, and against nothing else; the private files are private."""

import json
import stat
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from millwright_local.__main__ import main
from millwright_local.keys import Keys


def verify(token: str, keys: Keys) -> dict[str, Any]:
    keyset = jwt.PyJWKSet.from_json(keys.jwks_file.read_text())
    key = keyset[jwt.get_unverified_header(token)["kid"]]
    return jwt.decode(token, key, algorithms=["EdDSA"], issuer=keys.issuer, audience=keys.audience)


def test_a_token_verifies_against_the_key_set(keys: Keys, token: Callable[..., str]) -> None:
    claims = verify(token(tenant="plant-7", roles=("viewer", "worker"), subject="line-3"), keys)
    assert (claims["sub"], claims["tenant"], claims["roles"]) == ("line-3", "plant-7", ["viewer", "worker"])
    assert claims["exp"] - claims["iat"] == 3600


def test_an_expired_token_does_not(keys: Keys, token: Callable[..., str]) -> None:
    with pytest.raises(jwt.ExpiredSignatureError):
        verify(token(lifetime=timedelta(seconds=-1)), keys)


def test_a_token_for_somebody_else_does_not(keys: Keys, token: Callable[..., str]) -> None:
    with pytest.raises(jwt.InvalidAudienceError):
        verify(token(aud="elsewhere"), keys)


def test_a_token_of_another_key_does_not(keys: Keys, tmp_path: Path) -> None:
    foreign = Keys(tmp_path).token()
    with pytest.raises(KeyError):
        verify(foreign, keys)


def test_the_key_stays_the_same(tmp_path: Path) -> None:
    first = Keys(tmp_path)
    assert verify(first.token(), Keys(tmp_path))["tenant"] == "plant-1"


def test_only_the_owner_reads_the_key(tmp_path: Path) -> None:
    keys = Keys(tmp_path / "keys")
    for path in (tmp_path / "keys", tmp_path / "keys" / "signing-key.pem"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0
    assert "d" not in json.loads(keys.jwks_file.read_text())["keys"][0]


def test_the_command_makes_tokens_of_a_key_that_stays(tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(SystemExit, match="0"):
            main(["keys", str(tmp_path)])
    keys = Keys(tmp_path)
    assert verify((tmp_path / "token").read_text(), keys)["roles"] == ["operator"]
    assert verify((tmp_path / "admin-token").read_text(), keys)["roles"] == ["admin"]
    assert verify((tmp_path / "worker-token").read_text(), keys)["roles"] == ["worker"]
