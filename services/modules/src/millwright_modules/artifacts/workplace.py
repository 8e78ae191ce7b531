"""The directory of this process: what is unpacked and built, and copies of blobs. All of it may be lost at any time.

Each process has one of its own, under a lock that ends with it: the next process to start there removes what those
that were killed have left behind.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

_LOCK = "lock"
_PREFIX = "process-"


class Workplace:
    """A directory below `root`, ours alone."""

    def __init__(self, root: Path) -> None:
        """Make the directory, and remove those of processes that are gone."""
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        for other in root.glob(f"{_PREFIX}*"):
            _remove_if_left(other)
        self.path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=root))
        self._lock = os.open(self.path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    async def close(self) -> None:
        """Remove the directory."""
        await asyncio.to_thread(shutil.rmtree, self.path, ignore_errors=True)
        os.close(self._lock)

    def folder(self, name: str) -> Path:
        """Give a directory that lasts as long as the process."""
        path = self.path / name
        path.mkdir(mode=0o700)
        return path

    @asynccontextmanager
    async def room(self, name: str) -> AsyncIterator[Path]:
        """Give a new directory for one piece of work, and remove it afterwards."""
        path = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.path))
        try:
            yield path
        finally:
            await asyncio.shield(asyncio.to_thread(shutil.rmtree, path, ignore_errors=True))


def _remove_if_left(path: Path) -> None:
    try:
        lock = os.open(path / _LOCK, os.O_RDWR | os.O_CLOEXEC)
    except OSError:  # made a moment ago, or removed a moment ago
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    else:
        shutil.rmtree(path, ignore_errors=True)
    finally:
        os.close(lock)
