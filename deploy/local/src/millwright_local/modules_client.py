"""A client of the modules service. It adds nothing to the contract."""

import hashlib
from collections.abc import AsyncIterator

from google.protobuf.duration_pb2 import Duration
from millwright.modules.v1 import module_service_pb2 as pb
from millwright.modules.v1 import module_service_pb2_grpc
from millwright.modules.v1.operation_pb2 import Operation, OperationEvent

from millwright_local.service_client import ServiceClient

PIECE_BYTES = 256 * 1024


async def pieces(upload: pb.Upload, package: bytes) -> AsyncIterator[pb.UploadPackageRequest]:
    """Give what is missing of an upload; an empty piece where nothing is but that the whole is checked."""
    begin = upload.received_bytes
    for offset in range(begin, max(len(package), begin + 1), PIECE_BYTES):
        yield pb.UploadPackageRequest(upload=upload.name, offset=offset, data=package[offset : offset + PIECE_BYTES])


class ModulesClient(ServiceClient):
    """The service of one process of the modules service."""

    def __init__(self, address: str, token: str) -> None:
        super().__init__(address, token)
        self.modules = module_service_pb2_grpc.ModuleServiceStub(self._channel)

    async def upload(self, package: bytes) -> str:
        """Send a package, as far as it is not there; give the upload's name."""
        digest = hashlib.sha256(package).digest()
        announced = pb.CreateUploadRequest(digest=digest, total_bytes=len(package), file_name="module.zip")
        upload = (await self.call(self.modules.CreateUpload, announced)).upload
        if not upload.complete:
            await self.send(self.modules.UploadPackage, pieces(upload, package))
        return upload.name

    async def install(self, package: bytes, request_id: str, health_seconds: int = 1) -> Operation:
        """Send a package and have it installed; give the operation, which has begun."""
        upload = await self.upload(package)
        options = pb.InstallOptions(health_time=Duration(seconds=health_seconds), reason="the demo")
        request = pb.InstallModuleRequest(upload=upload, options=options, request_id=request_id)
        return (await self.call(self.modules.InstallModule, request)).operation

    async def events(self, operation: str) -> AsyncIterator[OperationEvent]:
        """Give all that has happened to an operation, and what happens until its end."""
        request = pb.WatchOperationRequest(name=operation, from_sequence=0)
        async for message in self.stream(self.modules.WatchOperation, request):
            if message.HasField("event"):
                yield message.event
