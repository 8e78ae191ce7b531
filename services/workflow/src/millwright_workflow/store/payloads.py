"""Outputs as they are stored: JSON text up to 2 KiB as it is, from there on compressed.

Postgres moves what is larger than about 2 KiB out of its row by itself, and would compress it in a slower way and to
a larger size; a column that holds payloads tells it not to. See docs/decisions/0022-payloads.md.
"""

from __future__ import annotations

import zstandard

PLAIN_BYTES = 2 * 1024
"""Up to here compressing saves less than it costs."""
HEAD_BYTES = 18
"""So much of a payload's beginning tells its size: the longest header of a frame."""
_LIMIT_BYTES = 64 * 1024 * 1024  # more than any output: what is read here was written here, unless it is damaged
_compressor = zstandard.ZstdCompressor(level=1)
_decompressor = zstandard.ZstdDecompressor()


def pack(text: str) -> bytes:
    """Give JSON text as it is stored."""
    content = text.encode()
    return content if len(content) <= PLAIN_BYTES else _compressor.compress(content)


def unpack(stored: bytes) -> str:
    """Give the text of what `pack` gave."""
    if stored.startswith(zstandard.FRAME_HEADER):
        return _decompressor.decompress(stored, max_output_size=_LIMIT_BYTES).decode()
    return stored.decode()


def size(head: bytes, stored_bytes: int) -> int:
    """Give the bytes of the text, from the first HEAD_BYTES of what is stored and its size."""
    return zstandard.frame_content_size(head) if head.startswith(zstandard.FRAME_HEADER) else stored_bytes
