"""The modules service's load: packages are uploaded, installed version by version, and rolled back; all is watched."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from functools import partial
from random import Random

import grpc
from google.protobuf.duration_pb2 import Duration
from millwright.modules.v1 import module_service_pb2 as pb
from millwright.modules.v1.operation_pb2 import (
    STAGE_CANCELLED,
    STAGE_COMPLETED,
    STAGE_FAILED,
    STAGE_ROLLED_BACK,
    Stage,
)
from millwright_local.modules_client import ModulesClient, pieces
from millwright_local.testing.packages import TRUST, manifest, packed

from tests.chaos.book import Book
from tests.chaos.caller import ATTEMPT_SECONDS, Caller
from tests.chaos.load import follow_to_end, turns

SERVICE = "modules"
CODES = ("charts", "lots")
FINAL = {STAGE_COMPLETED, STAGE_FAILED, STAGE_CANCELLED, STAGE_ROLLED_BACK}
INSTALLS_SECONDS = 2.5
ROLLBACK_SHARE = 0.3
BALLAST_BYTES = 1_200_000


async def bring(caller: Caller[ModulesClient], package: bytes, file_name: str) -> str:
    """Upload a package, and give the upload's name once it is whole; empty if it was not let in."""
    digest = hashlib.sha256(package).digest()
    _, announced = await caller.call(
        "CreateUpload",
        lambda client: client.modules.CreateUpload,
        lambda _: pb.CreateUploadRequest(digest=digest, total_bytes=len(package), file_name=file_name),
    )
    if not announced:
        return ""
    name = announced.upload.name

    async def send(client: ModulesClient) -> pb.Upload:
        asking = pb.GetUploadRequest(name=name)
        upload = (await client.call(client.modules.GetUpload, asking, seconds=ATTEMPT_SECONDS)).upload
        if upload.complete:
            return upload
        missing = pieces(upload, package)
        return (await client.send(client.modules.UploadPackage, missing, seconds=ATTEMPT_SECONDS)).upload

    # A piece of an earlier attempt may still be landed while this one asks where to go on.
    call = partial(caller.book.open_call, caller.service, "UploadPackage")
    while not await caller.insist(call(), send, refusals=(grpc.StatusCode.INVALID_ARGUMENT,)):
        await caller.pause()
    return name


class ModulesLoad:
    """The load. `live` is by module the version that has to be live in the end."""

    def __init__(self, book: Book, clients: Sequence[ModulesClient], chance: Random) -> None:
        self.live: dict[str, str] = {}
        self._book = book
        self._chance = chance
        self._caller = Caller(book, SERVICE, clients, chance)

    async def prepare(self) -> None:
        """Have the key of the packages trusted, and install the first version of each module."""
        await self._caller.call("AddSigningKey", lambda client: client.modules.AddSigningKey, lambda _: TRUST)
        for code in CODES:
            await self._install(code, "1.0.0")

    async def run(self, stop: asyncio.Event) -> None:
        """Install and roll back, one thing after the other a module, until told to stop."""
        async with asyncio.TaskGroup() as group:
            for code in CODES:
                group.create_task(self._work_on(code, stop))

    async def _work_on(self, code: str, stop: asyncio.Event) -> None:
        async for number in turns(stop, self._chance, INSTALLS_SECONDS):
            before = self.live[code]
            await self._install(code, f"1.{number + 1}.0")
            if self._chance.random() < ROLLBACK_SHARE:
                await self._roll_back(code, before)

    async def _install(self, code: str, version: str) -> None:
        upload = await bring(self._caller, package(code, version), f"{code}.zip")
        if not upload:
            return
        options = pb.InstallOptions(health_time=Duration(), reason=version)
        _, answer = await self._caller.call(
            "InstallModule",
            lambda client: client.modules.InstallModule,
            lambda key: pb.InstallModuleRequest(upload=upload, options=options, request_id=key),
        )
        if answer:
            self._book.tell("operation", answer.operation.name)
            if await self._follow(answer.operation.name) == "COMPLETED":
                self.live[code] = version

    async def _roll_back(self, code: str, version: str) -> None:
        _, answer = await self._caller.call(
            "RollbackModule",
            lambda client: client.modules.RollbackModule,
            lambda key: pb.RollbackModuleRequest(
                name=f"modules/{code}", target_version=version, reason=key, request_id=key
            ),
        )
        if answer:
            self._book.tell("module rollback", answer.activation.name)
            self.live[code] = version

    async def _follow(self, name: str) -> str:
        work = self._book.open_work(SERVICE, "install", name)
        stream = self._book.open_stream(SERVICE, "WatchOperation", name)
        last = await follow_to_end(
            self._caller,
            stream,
            lambda client: client.modules.WatchOperation,
            lambda sequence: pb.WatchOperationRequest(name=name, from_sequence=sequence),
            lambda message: message.event.stage in FINAL,
        )
        stage = Stage.Name(last.event.stage).removeprefix("STAGE_")
        self._book.close_work(work, stage)
        return stage


def package(code: str, version: str) -> bytes:
    """Give a package whose frontend was built before, with a picture that cannot be packed tighter."""
    picture = Random(f"{code}-{version}").randbytes(BALLAST_BYTES)
    described = manifest(code, version, code)
    return packed(described, {"dist/page.js": f"export default {version!r};\n".encode(), "dist/picture.png": picture})
