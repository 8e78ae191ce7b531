"""How large a package may be."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one package; each holds for what is announced and for what is really there."""

    archive_bytes: int = 128 << 20
    entries: int = 20_000
    file_bytes: int = 64 << 20
    unpacked_bytes: int = 512 << 20
    ratio: int = 200
    """How many times its packed size a file may be, once it is larger than `ratio_free_bytes`."""
    ratio_free_bytes: int = 1 << 20
    path_bytes: int = 240
    part_bytes: int = 120
    depth: int = 12
