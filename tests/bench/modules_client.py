"""A client that installs packages as large as wanted, and reads what is live."""

from __future__ import annotations

import hashlib
import io
import json
import random
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Self

import grpc.aio
from google.protobuf.duration_pb2 import Duration
from millwright.modules.v1 import module_service_pb2 as pb
from millwright.modules.v1 import module_service_pb2_grpc, operation_pb2
from millwright_local.stack import TENANT, Stack
from millwright_local.testing.packages import manifest

BENCH = "modules"
SMALL = (300, 5 << 20)
PIECE_BYTES = 256 << 10
COMPLETED = operation_pb2.STAGE_COMPLETED
PAGE = """import { useState } from "react";
import "./page.css";
import { parts } from "./parts";
export default function Page() {
  const [count] = useState(0);
  return <b className="n">{count}{parts.length}</b>;
}
"""


def package(version: str, size: tuple[int, int], code: str = "bench", *, is_marked: bool = False) -> bytes:
    """Give a package of so many files and bytes: a page of sources, and pictures that cannot be packed tighter.

    One that `is_marked` has its version in the page; the others have the same page in each version.
    """
    count, total = size
    parts = [f"export const p{number} = {number};\n" for number in range(100)]
    if is_marked:
        parts[0] = f'export const p0 = "{version}";\n'
    imports = "".join(f'import {{ p{number} }} from "./p{number}";\n' for number in range(100))
    listed = ", ".join(f"p{number}" for number in range(100))
    files = {
        "module.json": json.dumps(manifest(code, version, "Bench", frontend={"entry": "src/page.tsx"})).encode(),
        "src/page.tsx": PAGE.encode(),
        "src/page.css": b".n { color: teal }\n",
        "src/parts.ts": f"{imports}export const parts = [{listed}];\n".encode(),
        **{f"src/p{number}.ts": text.encode() for number, text in enumerate(parts)},
    }
    chance = random.Random(f"{code} {version}")
    left = count - len(files)
    files |= {f"pictures/{number // 500}/{number}.png": chance.randbytes(total // left) for number in range(left)}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for path, content in files.items():
            archive.writestr(zipfile.ZipInfo(path), content, zipfile.ZIP_DEFLATED)
    return out.getvalue()


@dataclass(slots=True)
class Watched:
    """An install as a client saw it."""

    seconds: float
    silence: float
    """The longest time between two messages."""
    news: list[float] = field(default_factory=list)


class Client:
    """An administrator."""

    def __init__(self, stack: Stack) -> None:
        self._channel = grpc.aio.insecure_channel(stack.endpoints["modules"])
        token = stack.keys.token(tenant=TENANT, roles=("admin",))
        self.metadata = (("authorization", f"Bearer {token}"),)
        self.stub = module_service_pb2_grpc.ModuleServiceStub(self._channel)

    async def install(self, data: bytes) -> Watched:
        """Bring a package in and install it, in one call."""
        begin = last = time.perf_counter()
        silence = 0.0
        news = []
        async for message in self.stub.UploadAndInstall(_parts(data), metadata=self.metadata):
            now = time.perf_counter()
            silence, last = max(silence, now - last), now
            if message.HasField("event"):
                news.append(time.time() - message.event.event_time.ToNanoseconds() / 1e9)
                end = message.event
        assert end.stage == COMPLETED, end
        return Watched(time.perf_counter() - begin, silence, news)

    async def roll_back(self, version: str) -> float:
        """Make a version live; give how long that took."""
        begin = time.perf_counter()
        request = pb.RollbackModuleRequest(name="modules/bench", target_version=version, reason="bench")
        await self.stub.RollbackModule(request, metadata=self.metadata)
        return time.perf_counter() - begin

    async def read_page(self, code: str = "bench") -> tuple[str, bytes]:
        """Read the page of what is live; give its version with it."""
        request = pb.GetAssetRequest(module=f"modules/{code}")
        parts = [part async for part in self.stub.GetAsset(request, metadata=self.metadata)]
        return parts[0].version, b"".join(part.data for part in parts)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._channel.close()


def _parts(data: bytes) -> Iterator[pb.UploadAndInstallRequest]:
    upload = pb.CreateUploadRequest(digest=hashlib.sha256(data).digest(), total_bytes=len(data))
    options = pb.InstallOptions(health_time=Duration())
    yield pb.UploadAndInstallRequest(header=pb.UploadAndInstallHeader(upload=upload, options=options))
    for offset in range(0, len(data), PIECE_BYTES):
        yield pb.UploadAndInstallRequest(data=data[offset : offset + PIECE_BYTES])
