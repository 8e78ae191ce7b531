"""What a sandbox's child process runs: jq programs and JSON Schemas, one at a time, under limits that the kernel
enforces.

It has an empty environment. What runs too long is ended by SIGALRM's default action, which works inside
C code too; what allocates too much ends by abort.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import socket
import sys
from functools import lru_cache
from itertools import islice
from typing import Any

import jq
from millwright_runtime.json import from_text, to_text

from millwright_workflow.engine.sandbox.validators import SchemaInvalid, Validator

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Answer questions on the inherited socket until it closes."""
    descriptor, seconds, memory_bytes, output_bytes = sys.argv[1:]
    os.environ.clear()  # Python itself has put its locale there
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # not even a killed service leaves one behind
    resource.setrlimit(resource.RLIMIT_AS, (int(memory_bytes), int(memory_bytes)))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    with socket.socket(fileno=int(descriptor)) as connection, connection.makefile("rwb") as stream:
        while header := stream.read(4):
            question = from_text(stream.read(int.from_bytes(header, "big")))
            signal.setitimer(signal.ITIMER_REAL, float(seconds))
            answer = to_text(_answer(question, int(output_bytes))).encode()
            signal.setitimer(signal.ITIMER_REAL, 0)
            stream.write(len(answer).to_bytes(4, "big") + answer)
            stream.flush()


def _answer(question: dict[str, Any], output_bytes: int) -> Any:
    if "compile" in question:
        return [_compile_fault(program) for program in question["compile"]]
    if "schema" in question:
        return _validated(question["schema"], question["data"])
    try:
        outputs = _compiled(question["program"]).input_text(question["data"])
        value = next(islice(outputs, 1), None)
        size = len(to_text(value))
    except ValueError as error:
        return {"fault": str(error)}
    if size > output_bytes:
        return {"fault": f"its value is larger than {output_bytes} bytes"}
    return {"value": value}


def _validated(schema: str, data: str) -> dict[str, Any]:
    try:
        return {"breaches": _validator(schema).breaches(from_text(data))}
    except (SchemaInvalid, ValueError) as error:
        return {"invalid": str(error)}


def _compile_fault(program: str) -> str | None:
    try:
        jq.compile(program).input_text("null")
    except ValueError as error:
        return str(error)
    return None


@lru_cache(maxsize=1024)
def _compiled(program: str) -> Any:
    return jq.compile(program)


@lru_cache(maxsize=256)
def _validator(schema: str) -> Validator:
    return Validator(from_text(schema))


if __name__ == "__main__":
    main()
