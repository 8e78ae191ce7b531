"""Rows of data sets as pages, for replays."""

from __future__ import annotations

import asyncio

import numpy as np
import pyarrow as pa
from millwright_runtime.postgres.database import Connection
from numpy.typing import NDArray

from millwright_judgment.domain.replays.page import Page
from millwright_judgment.domain.replays.replay import Selection
from millwright_judgment.store import dataset_parts, datasets, parquet

_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


async def page(connection: Connection, selection: Selection, after: str, limit: int) -> Page | None:
    """Give at most `limit` rows after one (empty for the first page), in the order of the file; None at the end.

    Raises DatasetNotFound if the content is no longer kept.
    """
    last = int(after) if after else 0
    content = bytes.fromhex(selection.content)
    await datasets.check_content(connection, selection.dataset, content)
    while (part := await datasets.next_part(connection, content, last)) is not None:
        found = await asyncio.to_thread(_read, part.octets, selection, last, limit)
        if found is not None:
            return found
        last = part.last_row
    return None


def _read(octets: bytes, selection: Selection, last: int, limit: int) -> Page | None:
    table = parquet.decode(octets)
    numbers = table.column("row").to_numpy()
    is_wanted = numbers > last
    if selection.sample_rate < 1.0:
        is_wanted &= _is_drawn(numbers, selection)
    rows = np.flatnonzero(is_wanted)[:limit]
    if not len(rows):
        return None
    return dataset_parts.to_page(table if len(rows) == table.num_rows else table.take(pa.array(rows)))


def _is_drawn(numbers: NDArray[np.int64], selection: Selection) -> NDArray[np.bool_]:
    """Draw rows by a hash of their number and the seed (the finalizer of SplitMix64)."""
    seed = np.uint64(selection.seed * 0x9E3779B97F4A7C15 & 2**64 - 1)
    mixed = numbers.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + seed
    mixed = (mixed ^ mixed >> np.uint64(30)) * _MIX[0]
    mixed = (mixed ^ mixed >> np.uint64(27)) * _MIX[1]
    mixed ^= mixed >> np.uint64(31)
    is_drawn: NDArray[np.bool_] = (mixed >> np.uint64(11)).astype(np.float64) / 2.0**53 < selection.sample_rate
    return is_drawn
