"""What a child process runs to compile one proto file: the text comes in, the descriptors go out.

It has limits that the kernel enforces, an empty environment and a directory of its own, and imports nothing that the
file could make it import: protoc reads the file, the well-known types beside it, and nothing else.
"""

from __future__ import annotations

import ctypes
import resource
import signal
import sys
import tempfile
from pathlib import Path

import grpc_tools
from grpc_tools import protoc

NAME = "workflow.proto"
_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Compile standard input to standard output; exit with 1 and say why on standard error."""
    seconds, memory_bytes, output_bytes = map(int, sys.argv[1:])
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_FSIZE, (output_bytes, output_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.alarm(seconds)
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        (folder / NAME).write_bytes(sys.stdin.buffer.read())
        code = protoc.main(
            [
                "protoc",
                f"--proto_path={folder}",
                f"--proto_path={Path(grpc_tools.__file__).parent / '_proto'}",
                f"--descriptor_set_out={folder / 'descriptors'}",
                "--include_imports",
                NAME,
            ]
        )
        if code == 0:
            sys.stdout.buffer.write((folder / "descriptors").read_bytes())
    sys.exit(1 if code else 0)


if __name__ == "__main__":
    main()
