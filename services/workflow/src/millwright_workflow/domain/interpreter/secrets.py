"""Seals: what stands for a secret's value in data, so that the value itself is in none.

`$secrets` gives each value sealed. A seal goes wherever data goes, into results, events and errors too, and tells
nothing but a name; the engine opens it in what it sends. Owns the form of a seal. Keeps no secret.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TypeAlias

from millwright_runtime.json import Json, JsonObject, to_text

from millwright_workflow.domain.interpreter import errors

LookUp: TypeAlias = Callable[[re.Match[str]], Json]


def seal(secrets: Mapping[str, Json], nonce: str) -> JsonObject:
    """Give `$secrets`: the shape of each secret, each text, number and boolean in it sealed.

    `nonce` is letters and digits that nobody can guess and that are the same for all walks of an instance: who does
    not know it cannot write a seal, in an event or an answer say, and have it opened. A seal is text that a URI takes
    as it is; text may be put before it and after it. What expressions do to it otherwise (`@base64`) breaks it.
    """
    return {name: _seal(value, f"/{name}", nonce) for name, value in secrets.items()}


def open_seals(value: Json, secrets: Mapping[str, Json], nonce: str, instance: str) -> Json:
    """Give what is to be sent: `value` with each seal replaced by what it stands for.

    A text that is one seal becomes the sealed value, whatever its type. Throws an authorization fault for a seal of
    what is no secret of the workflow any more.
    """
    known = dict(_leaves(secrets, ""))

    def look_up(match: re.Match[str]) -> Json:
        path = bytes.fromhex(match[1]).decode()
        if path not in known:
            raise errors.authorization(instance, f"The workflow may not read the secret {path[1:]!r}.")
        return known[path]

    return _open(value, re.compile(rf"\.~{re.escape(nonce)}~([0-9a-f]+)~\."), look_up)


def _seal(value: Json, path: str, nonce: str) -> Json:
    if isinstance(value, dict):
        return {name: _seal(part, f"{path}/{name}", nonce) for name, part in value.items()}
    if isinstance(value, list):
        return [_seal(part, f"{path}/{index}", nonce) for index, part in enumerate(value)]
    return None if value is None else f".~{nonce}~{path.encode().hex()}~."


def _leaves(value: Json | Mapping[str, Json], path: str) -> list[tuple[str, Json]]:
    if isinstance(value, Mapping):
        return [leaf for name, part in value.items() for leaf in _leaves(part, f"{path}/{name}")]
    if isinstance(value, list):
        return [leaf for index, part in enumerate(value) for leaf in _leaves(part, f"{path}/{index}")]
    return [(path, value)]


def _open(value: Json, seals: re.Pattern[str], look_up: LookUp) -> Json:
    if isinstance(value, dict):
        return {_text(_open(name, seals, look_up)): _open(part, seals, look_up) for name, part in value.items()}
    if isinstance(value, list):
        return [_open(part, seals, look_up) for part in value]
    if not isinstance(value, str):
        return value
    if whole := seals.fullmatch(value):
        return look_up(whole)
    return seals.sub(lambda match: _text(look_up(match)), value)


def _text(value: Json) -> str:
    return value if isinstance(value, str) else to_text(value)
