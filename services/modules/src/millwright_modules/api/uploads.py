"""The RPCs by which packages come in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

from millwright.modules.v1 import module_service_pb2 as pb
from millwright_runtime.api import calls
from millwright_runtime.errors import InvalidFields, Violation
from millwright_runtime.service import Platform

from millwright_modules.api import requests, responses
from millwright_modules.domain import names
from millwright_modules.engine.receiving import Receiving
from millwright_modules.store import uploads


class UploadRpcs:
    """CreateUpload, UploadPackage, GetUpload."""

    _platform: Platform
    _receiving: Receiving

    async def CreateUpload(self, request: pb.CreateUploadRequest, _context: Any) -> pb.CreateUploadResponse:
        """Announce a package."""
        announced = requests.announcement(request)
        upload = await self._receiving.announce(calls.current().principal.tenant, *announced)
        return pb.CreateUploadResponse(upload=responses.upload(upload))

    async def UploadPackage(
        self, requests_sent: AsyncIterator[pb.UploadPackageRequest], _context: Any
    ) -> pb.UploadPackageResponse:
        """Take a package's bytes."""
        reception = None
        async with AsyncExitStack() as opened:
            async for request in requests_sent:
                if reception is None:
                    digest = names.parse_upload(request.upload, "upload")
                    tenant = calls.current().principal.tenant
                    reception = await opened.enter_async_context(self._receiving.open(tenant, digest))
                elif request.upload not in ("", names.upload(reception.upload.digest)):
                    raise InvalidFields([Violation("upload", "MISMATCH", "must be the first message's, or empty")])
                if request.data:
                    await reception.take(request.offset, requests.piece(request.data))
            if reception is None:
                raise InvalidFields([Violation("upload", "REQUIRED", "must be in the first message")])
            return pb.UploadPackageResponse(upload=responses.upload(await reception.finish()))

    async def GetUpload(self, request: pb.GetUploadRequest, _context: Any) -> pb.GetUploadResponse:
        """Tell how far an upload came."""
        digest = names.parse_upload(request.name, "name")
        async with self._platform.reading() as connection:
            return pb.GetUploadResponse(upload=responses.upload(await uploads.get(connection, digest)))
