"""Directories for servers whose data nobody will miss: in memory where there is room, otherwise on disk.

In memory a database is copied from its template about ten times as fast as on a slow disk.
"""

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

MEMORY = Path("/dev/shm")  # noqa: S108 - each directory in it is made private
MEMORY_NEEDED_BYTES = 4 * 1024**3
PREFIX = "millwright-"
SWEEP_AGE_SECONDS = 60.0


@contextmanager
def scratch_directory(*, on_disk: bool = False) -> Iterator[Path]:
    """Make an empty directory that is removed at the end of the block; `on_disk` where flushes shall cost what they do.

    Removes, too, what earlier runs left because they were killed.
    """
    parent = MEMORY if not on_disk and _has_room(MEMORY) else Path(gettempdir())
    _sweep(parent)
    with TemporaryDirectory(prefix=PREFIX, dir=parent, ignore_cleanup_errors=True) as name:
        directory = Path(name)
        with _lock_file(directory).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # the system lets go of it however this process ends
            yield directory


def _has_room(parent: Path) -> bool:
    return os.access(parent, os.W_OK) and shutil.disk_usage(parent).free >= MEMORY_NEEDED_BYTES


def _sweep(parent: Path) -> None:
    for directory in parent.glob(f"{PREFIX}*"):
        with suppress(OSError):  # in use, gone meanwhile, or not one of ours
            status = directory.lstat()
            # A young one may be about to take its lock.
            if status.st_uid == os.geteuid() and time.time() - status.st_mtime > SWEEP_AGE_SECONDS:
                with _lock_file(directory).open() as lock:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(directory)


def _lock_file(directory: Path) -> Path:
    return directory / ".in-use"
