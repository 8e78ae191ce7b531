"""Proto files of other systems, compiled: what a method takes and gives.

Owns the compiler's processes and the descriptors that are remembered. Imports no generated code, and trusts no file:
each is compiled in a process of its own, within limits.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import subprocess
import sys
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf import descriptor_pb2, json_format, message_factory
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError
from millwright_runtime.concurrency.remembered import Fresh, Remembered
from millwright_runtime.concurrency.turns import Turns
from millwright_runtime.json import Json, JsonObject

LIMIT_BYTES: Final = 1024 * 1024
_PROCESSES: Final = 2
_SECONDS: Final = 5
_MEMORY_BYTES: Final = 512 * 1024 * 1024
_OUTPUT_BYTES: Final = 8 * 1024 * 1024
_ROOM_BYTES: Final = 64 * 1024 * 1024
_GOOD_SECONDS: Final = 3600.0
_MISFIT: Final = re.compile(r'Failed to parse (\w{1,80}) field|no field named "(\w{1,80})"')


class ProtoFault(Exception):
    """A proto file, or what is asked of it, is of no use; the message says why and holds no argument's value."""


@dataclass(frozen=True, slots=True)
class Method:
    """A unary method."""

    pool: DescriptorPool
    descriptor: MethodDescriptor

    @property
    def path(self) -> str:
        """Give what HTTP/2 calls it by."""
        return f"/{self.descriptor.containing_service.full_name}/{self.descriptor.name}"

    def encode(self, arguments: JsonObject) -> bytes:
        """Give the request of arguments in the JSON form of Protocol Buffers; raise ProtoFault for misfits."""
        message = message_factory.GetMessageClass(self.descriptor.input_type)()
        try:
            json_format.ParseDict(arguments, message, descriptor_pool=self.pool)
            return message.SerializeToString()
        except (json_format.ParseError, ValueError, TypeError, RecursionError) as error:
            found = _MISFIT.search(str(error))
            where = f": look at {found[1] or found[2]!r}" if found else ""
            raise ProtoFault(f"The arguments are no {self.descriptor.input_type.full_name}{where}.") from None

    def decode(self, body: bytes) -> Json:
        """Give a response in the JSON form of Protocol Buffers; raise ProtoFault for bytes that are none."""
        message = message_factory.GetMessageClass(self.descriptor.output_type)()
        try:
            message.ParseFromString(body)
            value: Json = json_format.MessageToDict(message, descriptor_pool=self.pool)
        except (DecodeError, json_format.Error, ValueError, TypeError, RecursionError):
            raise ProtoFault(f"The response is no {self.descriptor.output_type.full_name}.") from None
        return value


class Protos:
    """Compiles proto files."""

    def __init__(self) -> None:
        self._turns = Turns(_PROCESSES)
        self._pools: Remembered[str, DescriptorPool] = Remembered(_ROOM_BYTES)

    async def close(self) -> None:
        """Wait for no process any more."""
        await self._pools.close()

    async def method(self, tenant: str, content: bytes, service: str, name: str) -> Method:
        """Give a unary method that a proto file describes; raise ProtoFault if it does not."""
        if len(content) > LIMIT_BYTES:
            raise ProtoFault(f"The proto file has more than {LIMIT_BYTES} bytes.")

        async def compiled() -> Fresh[DescriptorPool]:
            async with self._turns.seat(tenant):
                described = await asyncio.to_thread(_compile, content)
            return Fresh(_pool(described), _GOOD_SECONDS, 8 * len(described))

        pool = await self._pools.get(hashlib.sha256(content).hexdigest(), compiled)
        try:
            descriptor: Any = pool.FindServiceByName(service)
        except KeyError:
            raise ProtoFault(f"The proto file has no service {service[:200]!r}.") from None
        found = descriptor.methods_by_name.get(name)
        if found is None:
            raise ProtoFault(f"The service {service[:200]!r} has no method {name[:200]!r}.")
        if found.client_streaming or found.server_streaming:
            raise ProtoFault(f"The method {name!r} streams; only unary methods can be called.")
        return Method(pool, found)


def _compile(content: bytes) -> bytes:
    command = [sys.executable, "-I", "-m", "millwright_workflow.engine.calls.protoc"]
    limits = [str(_SECONDS), str(_MEMORY_BYTES), str(_OUTPUT_BYTES)]
    try:
        # Popen and not asyncio's: it uses vfork, which leaves gRPC's threads and fork handlers alone.
        done = subprocess.run(  # noqa: S603 - our own module
            [*command, *limits], input=content, capture_output=True, env={}, timeout=2 * _SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise ProtoFault("The proto file takes too long to compile.") from None
    if done.returncode == 0:
        return done.stdout
    lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
    if done.returncode == 1 and lines:
        raise ProtoFault(f"The proto file does not compile: {lines[0][:200]}")
    raise ProtoFault("The proto file needs more time or memory to compile than it is given.")


def _pool(described: bytes) -> DescriptorPool:
    pool = DescriptorPool()
    try:
        for file in descriptor_pb2.FileDescriptorSet.FromString(described).file:
            pool.Add(file)
    except (DecodeError, TypeError, ValueError):
        raise ProtoFault("The proto file compiles to what cannot be used.") from None
    return pool
