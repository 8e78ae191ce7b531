"""Blobs in a bucket of S3, or of a server that speaks as S3 does: `<prefix>/<tenant>/<digest>/<copy>`.

Each attempt to store a blob has a name of its own, so nothing is ever written over, and a process that wakes up late
removes what it meant to and nothing that came since. Credentials stay inside the client and are in no message of ours.
"""

from __future__ import annotations

import configparser
import logging
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from millwright_runtime.postgres.database import Connection
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import S3Store

from millwright_modules.blobs.place import BlobStoreUnavailable

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig, S3Config, S3Credential

_PART_BYTES = 8 << 20
"""A blob up to this size is one request; larger ones go in parts, of which a few are on their way at once."""
_PARTS_AT_ONCE = 4
_READ_AT_ONCE = 1 << 20
_PROFILE = "default"
_READ_AGAIN = timedelta(minutes=5)
_RETRIES: RetryConfig = {
    "max_retries": 4,
    "retry_timeout": timedelta(seconds=15),
    "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=2), "base": 2},
}
_TIMES: ClientConfig = {
    "connect_timeout": timedelta(seconds=2),
    "read_timeout": timedelta(seconds=10),
    "timeout": timedelta(minutes=5),
}
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Bucket:
    """Where the bucket is, and who may write there."""

    name: str
    prefix: str = ""
    endpoint: str | None = None
    """`http://` or `https://`, without the bucket. None: AWS, in its region."""
    region: str = "us-east-1"
    credentials: Path | None = None
    """A file in the form of `~/.aws/credentials`. None: as the environment, or the machine, has them."""


class S3Place:
    """Keeps copies as objects of one bucket."""

    name = "s3"

    def __init__(self, bucket: Bucket) -> None:
        """Connect to nothing yet; raise ValueError if the file of credentials is none."""
        provider = _Credentials(bucket.credentials) if bucket.credentials else None
        if provider:
            provider()
        self._bucket = bucket.name
        config: S3Config = {"region": bucket.region}
        if bucket.endpoint:
            config["endpoint"] = bucket.endpoint
        self._store = S3Store(
            bucket.name,
            prefix=bucket.prefix or None,
            config=config,
            client_options=_TIMES | {"allow_http": (bucket.endpoint or "").startswith("http://")},
            retry_config=_RETRIES,
            credential_provider=provider,
        )

    def new_copy(self) -> str:
        """Name a copy that nobody else writes."""
        return uuid.uuid4().hex

    async def put(self, tenant: str, digest: bytes, copy: str, pieces: AsyncIterator[bytes]) -> int:
        """Store a copy in one request, or in parts if it is large: then it is there once the last one is."""
        counted = _Counted(pieces)
        head = bytearray()
        async for piece in counted:
            head += piece
            if len(head) > _PART_BYTES:
                break
        path = _path(tenant, digest, copy)
        async with self._reached("write"):
            if len(head) <= _PART_BYTES:
                with suppress(AlreadyExistsError):  # of ours: its answer was lost, and the client has asked again
                    await self._store.put_async(path, bytes(head), mode="create")
            else:
                whole = _rest(bytes(head), counted)
                await self._store.put_async(path, whole, chunk_size=_PART_BYTES, max_concurrency=_PARTS_AT_ONCE)
        return counted.size_bytes

    async def read(self, tenant: str, digest: bytes, copy: str) -> AsyncIterator[bytes]:
        """Read an object as it comes."""
        try:
            async with self._reached("read"):
                found = await self._store.get_async(_path(tenant, digest, copy))
                async for piece in found.stream(min_chunk_size=_READ_AT_ONCE):
                    yield bytes(piece)
        except FileNotFoundError:
            await self._check_bucket()

    async def confirm(self, connection: Connection, tenant: str, digest: bytes, size_bytes: int) -> None:
        """Take the server's word: nobody else removes a copy of this name."""

    async def delete(self, tenant: str, digest: bytes, copy: str) -> None:
        """Remove an object."""
        with suppress(FileNotFoundError):
            async with self._reached("delete"):
                await self._store.delete_async(_path(tenant, digest, copy))

    async def _check_bucket(self) -> None:
        """Tell an object that is not there from a bucket that is not."""
        try:
            async with self._reached("list"):
                async for _ in self._store.list(chunk_size=1):
                    return
        except FileNotFoundError as error:
            raise self._away("list", error) from error

    @asynccontextmanager
    async def _reached(self, action: str) -> AsyncIterator[None]:
        """Turn what the client says into BlobStoreUnavailable; a missing object is the caller's."""
        try:
            yield
        except BaseError as error:
            raise self._away(action, error) from error

    def _away(self, action: str, error: Exception) -> BlobStoreUnavailable:
        fault = {"bucket": self._bucket, "action": action, "fault": f"{type(error).__name__}: {error}"[:500]}
        _log.warning("the bucket of artifacts does not answer as it should", extra=fault)
        return BlobStoreUnavailable(place=self.name)


class _Counted:
    """Pieces, counted as they pass."""

    def __init__(self, pieces: AsyncIterator[bytes]) -> None:
        self._pieces = pieces
        self.size_bytes = 0

    def __aiter__(self) -> _Counted:
        return self

    async def __anext__(self) -> bytes:
        piece = await anext(self._pieces)
        self.size_bytes += len(piece)
        return piece


class _Credentials:
    """The keys of a file, which may be replaced by others at any time."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self) -> S3Credential:
        """Give the keys as they are now; the client asks again in five minutes."""
        found = read_credentials(self._path)
        return {
            "access_key_id": found["aws_access_key_id"],
            "secret_access_key": found["aws_secret_access_key"],
            "token": found.get("aws_session_token"),
            "expires_at": datetime.now(UTC) + _READ_AGAIN,
        }


def read_credentials(path: Path) -> dict[str, str]:
    """Read the keys of a file in the form of `~/.aws/credentials`; raise ValueError, without what is in it."""
    parser = configparser.ConfigParser(interpolation=None, default_section="")
    try:
        parser.read_string(path.read_text("utf-8"))
        found = dict(parser[_PROFILE])
    except (OSError, UnicodeDecodeError, configparser.Error, KeyError):
        message = f"must be a file with the section [{_PROFILE}]"
        raise ValueError(message) from None
    if not {"aws_access_key_id", "aws_secret_access_key"} <= found.keys():
        message = "must have aws_access_key_id and aws_secret_access_key"
        raise ValueError(message)
    return found


def _path(tenant: str, digest: bytes, copy: str) -> str:
    return f"{tenant}/{digest.hex()}/{copy}"


async def _rest(head: bytes, pieces: _Counted) -> AsyncIterator[bytes]:
    yield head
    async for piece in pieces:
        yield piece
