"""The RPCs that ask for installs, and that tell how they go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any

from millwright.modules.v1 import module_service_pb2 as pb
from millwright_runtime.api import calls, fields, messages, pages
from millwright_runtime.errors import InvalidFields, Violation
from millwright_runtime.events import watch
from millwright_runtime.events.log import EventLog, LoggedEvent
from millwright_runtime.events.watch import Feed
from millwright_runtime.postgres.database import Connection
from millwright_runtime.service import Platform

from millwright_modules.api import requests, responses
from millwright_modules.api.requests import Wish
from millwright_modules.commands import operating
from millwright_modules.domain import names
from millwright_modules.domain.manifest.model import Manifest
from millwright_modules.domain.operation import Operation, Stage
from millwright_modules.engine.receiving import Receiving, Reception
from millwright_modules.engine.unpacking import Packages
from millwright_modules.engine.worker import WAITING
from millwright_modules.store import operations, uploads

_BEAT_SECONDS = 0.5


class OperationRpcs:
    """InstallModule, UploadAndInstall, GetOperation, ListOperations, CancelOperation, and the watch."""

    _platform: Platform
    _log: EventLog
    _receiving: Receiving
    _packages: Packages

    async def InstallModule(self, request: pb.InstallModuleRequest, _context: Any) -> pb.InstallModuleResponse:
        """Install a package, or upgrade to it."""
        digest = names.parse_upload(request.upload, "upload")
        wish = requests.wish(request.options)
        manifest = await self._peek(digest)
        tenant, subject = calls.current().principal.tenant, calls.current().principal.subject

        async def start(connection: Connection) -> pb.InstallModuleResponse:
            started = await operating.start(connection, self._log, tenant, digest, manifest, *wish, subject)
            return pb.InstallModuleResponse(operation=responses.operation(started.operation), joined=started.is_joined)

        response = await self._platform.once(request, pb.InstallModuleResponse, start)
        await self._tell(tenant, response.operation.name)
        return response

    async def UploadAndInstall(
        self, parts: AsyncIterator[pb.UploadAndInstallRequest], _context: Any
    ) -> AsyncGenerator[pb.UploadAndInstallResponse]:
        """Take a package in, install it, and tell how it goes."""
        first = await anext(aiter(parts), None)
        if first is None or first.WhichOneof("part") != "header":
            raise InvalidFields([Violation("header", "REQUIRED", "must be the first message")])
        wish = requests.wish(first.header.options)
        tenant = calls.current().principal.tenant
        announced = requests.announcement(first.header.upload)
        upload = await self._receiving.announce(tenant, *announced)
        yield pb.UploadAndInstallResponse(upload=responses.upload(upload))
        async with self._receiving.open(tenant, announced.digest) as reception:
            told, offset = reception.upload.received_bytes, upload.received_bytes
            async for part in parts:
                if part.WhichOneof("part") != "data":
                    raise InvalidFields([Violation("data", "REQUIRED", "must be in each message after the first")])
                await reception.take(offset, requests.piece(part.data))
                offset += len(part.data)
                if reception.upload.received_bytes > told:
                    told = reception.upload.received_bytes
                    yield pb.UploadAndInstallResponse(upload=responses.upload(reception.upload))
            starting = asyncio.ensure_future(self._finish_and_start(reception, wish))
            try:
                while not (await asyncio.wait({starting}, timeout=_BEAT_SECONDS))[0]:
                    yield pb.UploadAndInstallResponse(heartbeat=messages.now())
                operation = await starting
            finally:
                starting.cancel()
            yield pb.UploadAndInstallResponse(upload=responses.upload(reception.upload))
        yield pb.UploadAndInstallResponse(operation=responses.operation(operation))
        async with aclosing(self._follow(operation)) as told_events:
            async for event in told_events:
                if event is None:
                    yield pb.UploadAndInstallResponse(heartbeat=messages.now())
                else:
                    yield pb.UploadAndInstallResponse(event=responses.event(event))

    async def GetOperation(self, request: pb.GetOperationRequest, _context: Any) -> pb.GetOperationResponse:
        """Get one operation."""
        operation = await self._read(request.name)
        return pb.GetOperationResponse(operation=responses.operation(operation))

    async def ListOperations(self, request: pb.ListOperationsRequest, _context: Any) -> pb.ListOperationsResponse:
        """List operations, newest first."""
        code = names.parse_module(request.module, "module") if request.module else ""
        query = (code, request.only_open)
        size = pages.size(request.page_size)
        before = pages.read(request.page_token, pages.time_and_id, *query)
        async with self._platform.reading() as connection:
            found = await operations.page(connection, code, request.only_open, before, size + 1)
        listed, token = pages.cut(found, size, responses.operation, _place, *query)
        return pb.ListOperationsResponse(operations=listed, next_page_token=token)

    async def CancelOperation(self, request: pb.CancelOperationRequest, _context: Any) -> pb.CancelOperationResponse:
        """Stop an operation that has not gone live yet."""
        operation_id = names.parse_operation(request.name, "name")
        tenant = calls.current().principal.tenant
        async with self._platform.database.transaction(tenant) as connection:
            operation = await operating.cancel(connection, self._log, operation_id)
        self._platform.committed(tenant, names.operation(operation_id))
        return pb.CancelOperationResponse(operation=responses.operation(operation))

    async def WatchOperation(
        self, request: pb.WatchOperationRequest, _context: Any
    ) -> AsyncGenerator[pb.WatchOperationResponse]:
        """Watch an operation until it ends."""
        operation = await self._read(request.name)
        if request.HasField("from_sequence"):
            sequence = fields.from_sequence(request.from_sequence)
            watch.check_start(sequence, operation.sequence)
        else:
            sequence = operation.sequence
            yield pb.WatchOperationResponse(sequence=sequence, snapshot=responses.operation(operation))
        async with aclosing(self._follow(operation, sequence)) as told:
            async for event in told:
                if event is None:
                    yield pb.WatchOperationResponse(sequence=sequence, heartbeat=messages.now())
                else:
                    sequence = event.sequence
                    yield pb.WatchOperationResponse(sequence=sequence, event=responses.event(event))

    async def ListOperationEvents(
        self, request: pb.ListOperationEventsRequest, _context: Any
    ) -> pb.ListOperationEventsResponse:
        """Wait for what happens next to an operation."""
        sequence = fields.from_sequence(request.from_sequence)
        seconds, size = fields.wait_seconds(request.wait), pages.size(request.page_size)
        operation = await self._read(request.name)
        watch.check_start(sequence, operation.sequence)
        if operation.end_time and sequence == operation.sequence:
            return pb.ListOperationEventsResponse(sequence=sequence)
        items = await self._feed(operation).poll(sequence, size, seconds, operation.sequence)
        return pb.ListOperationEventsResponse(
            events=[responses.event(item) for item in items], sequence=items[-1].sequence if items else sequence
        )

    async def _follow(self, operation: Operation, after: int = 0) -> AsyncGenerator[LoggedEvent | None]:
        """Give each event after a sequence until the operation has ended; None now and then when there is none."""
        if operation.end_time and after == operation.sequence:
            return
        async with aclosing(self._feed(operation).follow(after, operation.sequence)) as items:
            async for item in items:
                yield item
                if item is not None and _is_last(item):
                    return

    def _feed(self, operation: Operation) -> Feed[LoggedEvent]:
        resource = names.operation(operation.id)

        async def after(connection: Connection, sequence: int, limit: int) -> Sequence[LoggedEvent]:
            return await self._log.after(connection, resource, sequence, limit, operation.day)

        return self._platform.feed(resource, after)

    async def _read(self, name: str) -> Operation:
        operation_id = names.parse_operation(name, "name")
        async with self._platform.reading() as connection:
            return await operations.get(connection, operation_id)

    async def _finish_and_start(self, reception: Reception, wish: Wish) -> Operation:
        upload = await reception.finish()
        digest = upload.digest
        manifest = await self._peek(digest)
        principal = calls.current().principal
        async with self._platform.database.transaction(principal.tenant) as connection:
            started = await operating.start(
                connection, self._log, principal.tenant, digest, manifest, *wish, principal.subject
            )
        await self._tell(principal.tenant, names.operation(started.operation.id))
        return started.operation

    async def _peek(self, digest: bytes) -> Manifest | None:
        """Give the manifest of a package that is here, whole; None if it is none. Raises UploadNotFound."""
        async with self._platform.reading() as connection:
            upload = await uploads.get(connection, digest)
        if not upload.is_complete:
            return None  # what is missing is told with the upload locked
        return await self._packages.manifest(calls.current().principal.tenant, digest)

    async def _tell(self, tenant: str, operation: str) -> None:
        self._platform.committed(tenant, operation)
        await self._platform.wake(WAITING)


def _is_last(event: LoggedEvent) -> bool:
    return Stage(str(event.data["stage"]).removeprefix("STAGE_")).is_terminal


def _place(operation: Operation) -> list[str]:
    return pages.of_time_and_id(operation.create_time, operation.id)
