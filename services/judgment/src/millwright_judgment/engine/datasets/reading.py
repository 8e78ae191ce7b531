"""Reading a file in a child process: what it came to, and where its parts are."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, Any

import orjson

from millwright_judgment.domain.datasets.dataset import Fault, Manner
from millwright_judgment.domain.errors import InvalidDataset
from millwright_judgment.engine.datasets import child

MEMORY_BYTES = 768 * 1024 * 1024
_CPU_SECONDS = 300
_SECONDS = 900.0
_WRITTEN_BYTES = 512 * 1024 * 1024
# One arena and one thread: address space is what is limited.
_ENVIRONMENT = {"ARROW_DEFAULT_MEMORY_POOL": "system", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a file came to."""

    parts: Sequence[tuple[int, int, int]]
    """The last row's number, how many rows, and how many bytes of the sink, one after another."""
    rows: int
    rejected_rows: int
    ignored_columns: tuple[str, ...]
    faults: tuple[Fault, ...]


async def read(source: IO[bytes], sink: IO[bytes], document: str, manner: Manner) -> Reading:
    """Read a file and write its parts to the sink; raise InvalidDataset. The child is gone when this is over."""
    source.seek(0)
    limits = (MEMORY_BYTES, _CPU_SECONDS, _WRITTEN_BYTES)
    descriptors = (source.fileno(), sink.fileno())
    # Popen and not asyncio's: it uses vfork, which leaves gRPC's threads and fork handlers alone.
    process = subprocess.Popen(  # noqa: ASYNC220, S603 - returns at once, and runs our own module
        [sys.executable, "-I", "-m", child.__name__, *map(str, (*descriptors, *limits))],
        env=_ENVIRONMENT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=descriptors,
    )
    wish = orjson.dumps({"manner": manner.to_json(), "document": document})
    talk = asyncio.create_task(asyncio.to_thread(process.communicate, wish, _SECONDS))
    try:
        said, complaint = await asyncio.shield(talk)
    except subprocess.TimeoutExpired as error:
        raise InvalidDataset(why=child.TOO_LARGE) from error
    finally:
        process.kill()
        await asyncio.wait([asyncio.create_task(asyncio.to_thread(process.wait))])
    return _reading(process.returncode, said, complaint)


def _reading(code: int, said: bytes, complaint: bytes) -> Reading:
    if code < 0:  # a signal: the limit on time or on what is written, or what a damaged file did to Arrow
        _log.warning("a child that read a file was ended", extra={"signal": -code})
        raise InvalidDataset(why=child.TOO_LARGE)
    if code:
        message = f"the child that reads files failed: {complaint.decode('utf-8', 'replace')[-2000:]}"
        raise RuntimeError(message)
    answer: dict[str, Any] = orjson.loads(said)
    if "unreadable" in answer:
        raise InvalidDataset(why=answer["unreadable"])
    return Reading(
        parts=[(last_row, rows, size) for last_row, rows, size in answer["parts"]],
        rows=answer["rows"],
        rejected_rows=answer["rejected_rows"],
        ignored_columns=tuple(answer["ignored_columns"]),
        faults=tuple(Fault(**{**each, "examples": tuple(each["examples"])}) for each in answer["faults"]),
    )
