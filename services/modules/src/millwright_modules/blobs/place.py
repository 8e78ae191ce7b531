"""What a place for blobs must do. One knows bytes alone: which copies there are, and which are whole, are rows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from millwright_runtime.errors import Unavailable
from millwright_runtime.postgres.database import Connection


class BlobIncomplete(Unavailable):
    """A part of what was stored is gone: it was old, and was removed just then. Try again."""


class BlobStoreUnavailable(Unavailable):
    """The store of artifacts ({place}) cannot be reached at the moment. Try again."""


class BlobStoreUnknown(Unavailable):
    """The artifact lies in a store ({place}) that this replica is not told of: its settings are to be mended."""


class Place(Protocol):
    """Keeps the bytes of copies. Whoever was killed in the middle of any of it does it again."""

    @property
    def name(self) -> str:
        """Give the word for it in rows and settings."""
        ...

    def new_copy(self) -> str:
        """Give the name of a copy that is about to be written."""
        ...

    async def put(self, tenant: str, digest: bytes, copy: str, pieces: AsyncIterator[bytes]) -> int:
        """Store a copy; give how many bytes it has. Raises BlobStoreUnavailable, and what the pieces raise.

        What is there is never written over.
        """
        ...

    def read(self, tenant: str, digest: bytes, copy: str) -> AsyncIterator[bytes]:
        """Give the bytes of a copy, in order; none if it is not there. Raises BlobStoreUnavailable."""
        ...

    async def confirm(self, connection: Connection, tenant: str, digest: bytes, size_bytes: int) -> None:
        """Hold that what was put is still there, until the transaction ends; raise BlobIncomplete."""
        ...

    async def delete(self, tenant: str, digest: bytes, copy: str) -> None:
        """Remove a copy, if it is there and nothing needs it. Raises BlobStoreUnavailable."""
        ...
