"""What the child process runs: it reads one file and writes its parts, under limits that the kernel enforces.

A file that somebody made to harm whoever reads it harms this process alone: it has no environment, no connection and a
limit on memory, time and what it writes. It is told what to do on standard input, and says on standard output what came
of it, as JSON.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from dataclasses import asdict
from typing import Any

import orjson

from millwright_judgment.domain.datasets.dataset import Format, Manner, UnreadableFile
from millwright_judgment.domain.ruleset import document
from millwright_judgment.engine.datasets.files import CsvFile, File, ParquetFile
from millwright_judgment.engine.datasets.fitting import Fitting
from millwright_judgment.store import dataset_parts

_PR_SET_PDEATHSIG = 1
TOO_LARGE = "To read it takes more memory or time than one file may take."


def main() -> None:
    """Read the file of one descriptor, and write its parts to another."""
    source, sink, memory_bytes, cpu_seconds, written_bytes = map(int, sys.argv[1:])
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # not even a killed service leaves one behind
    for limit, value in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_CPU, cpu_seconds),
        (resource.RLIMIT_FSIZE, written_bytes),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 64),
    ):
        resource.setrlimit(limit, (value, value))
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    wish = orjson.loads(sys.stdin.buffer.read())
    try:
        answer = _read(source, sink, wish)
    except UnreadableFile as error:
        answer = {"unreadable": str(error)}
    except MemoryError:
        answer = {"unreadable": TOO_LARGE}
    sys.stdout.buffer.write(orjson.dumps(answer))
    sys.stdout.buffer.flush()
    os._exit(0)  # Arrow's threads have nothing left to do


def _read(source: int, sink: int, wish: dict[str, Any]) -> dict[str, Any]:
    manner = Manner.from_json(wish["manner"])
    parts = []
    with os.fdopen(source, "rb") as given, os.fdopen(sink, "wb") as written:
        file: File = CsvFile(given, manner.encoding) if manner.format is Format.CSV else ParquetFile(given)
        fitting = Fitting(file, document.read(wish["document"]).require(), manner)
        for part in dataset_parts.parts(fitting.tables()):
            octets = dataset_parts.encode(part)
            written.write(octets)
            parts.append([part.column("row")[-1].as_py(), part.num_rows, len(octets)])
    return {
        "parts": parts,
        "rows": fitting.rows,
        "rejected_rows": fitting.rejected_rows,
        "ignored_columns": fitting.ignored_columns,
        "faults": [asdict(fault) for fault in fitting.faults],
    }


if __name__ == "__main__":
    main()
